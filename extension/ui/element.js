/**
 * Creates an element with attributes and children. Text becomes text nodes, never markup.
 *
 * The page (`broadcast_service/dashboard/ui`) and the extension (`extension/ui`) each ship this file; a test keeps both equal.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

/** Typed look-ups: a missing element is a fault of this page, found at once. */

/**
 * @template {Element} T
 * @param {ParentNode} root @param {string} selector @param {new () => T} kind
 * @returns {T}
 */
export function find(root, selector, kind) {
  const element = root.querySelector(selector);
  if (!(element instanceof kind)) throw new Error(`the page has no ${selector}`);
  return element;
}

/** @param {string} selector */
export const html = (selector) => find(document, selector, HTMLElement);

/** Writes only what changed: setting equal text still costs a layout. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {string} name @param {string} value */
export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** A fresh copy of a template's one element. @param {string} id */
export function stamp(id) {
  const template = find(document, `#${id}`, HTMLTemplateElement);
  return find(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), '*', HTMLElement);
}

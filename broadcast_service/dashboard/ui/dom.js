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

/** @type {WeakMap<Element, string>} the text last written into an element */
const written = new WeakMap();

/**
 * Sets the text of an element if it changed: setting equal text still costs a layout. It compares with the last text that was set, not with the
 * present one: a browser's translator replaces the present text, and setting the original again would flicker.
 * @param {Element} element @param {string} text
 */
export function setText(element, text) {
  if (written.get(element) === text) return;
  written.set(element, text);
  element.textContent = text;
}

/**
 * Sets a number so that it is never cut off: the style sheet reduces its type with its length. A number that is still too long is shortened,
 * and its title has all digits.
 * @param {HTMLElement} element @param {number | null} value @param {import('../i18n/i18n.js').I18n} i18n
 * @param {HTMLElement} [words] what the number is written into, within the element
 */
export function setFigure(element, value, i18n, words = element) {
  const whole = i18n.number(value);
  const isShortened = value !== null && whole.length > MAX_FIGURE_LENGTH;
  const text = isShortened ? i18n.short(value) : whole;
  if (written.get(words) === text) return;
  setText(words, text);
  element.style.setProperty('--chars', String(Math.max(6, text.length)));
  setAttribute(element, 'title', isShortened ? whole : '');
}

/** 999.999.999.999 still fits the narrowest tile in type that can be read. */
const MAX_FIGURE_LENGTH = 15;

/** @param {HTMLElement} element @param {string} name @param {string} value */
export function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Sets an attribute if that changes it: setting what it is still costs a calculation of styles. @param {Element} element @param {string} name @param {string} value */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Shows or hides an element if that changes anything. @param {HTMLElement} element @param {boolean} isHidden */
export function setHidden(element, isHidden) {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/** A fresh copy of a template's one element. @param {string} id */
export function cloneTemplate(id) {
  const template = find(document, `#${id}`, HTMLTemplateElement);
  return find(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), '*', HTMLElement);
}

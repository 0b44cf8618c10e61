/** Typed look-ups: a missing element is a fault of this page, found at once. */

import { element as create } from './element.js';

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

/** Between two parts of a text; a line breaks behind it. */
export const DOT = '\u00a0· ';

/** @type {WeakMap<Element, string>} the text last written into an element */
const written = new WeakMap();

/**
 * Sets the text of an element if it changed: setting equal text still costs a layout. It compares with the last text that was set, not with the
 * present one: a browser's translator replaces the present text, and setting the original again would flicker. A line never begins with the dot
 * between two parts.
 * @param {Element} element @param {string} text
 */
export function setText(element, text) {
  if (written.get(element) === text) return;
  written.set(element, text);
  element.textContent = text.replaceAll(' · ', DOT);
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

/** A name of more letters has two parts. */
const WHOLE_NAME = 6;
/** The most letters of the last word, with the part before it, that stay in view; of a longer word the last `TAIL` stay. */
const LAST_WORD = 7;
const TAIL = 4;

/**
 * The parts of a name that is cut in its middle where it has no room. Names of rooms often differ in their last word, which stays in view.
 * @param {string} name @returns {[head: string, tail: string]} the tail is empty where the name is short
 */
export function partsOfName(name) {
  const letters = [...name];
  if (letters.length <= WHOLE_NAME) return [name, ''];
  const [word = ''] = /[\s_.-]+[^\s_.-]+$/u.exec(name) ?? [];
  const size = [...word].length;
  const cut = letters.length - (size > 0 && size <= LAST_WORD && size < letters.length ? size : TAIL);
  return [letters.slice(0, cut).join(''), letters.slice(cut).join('')];
}

/**
 * Sets a name so that it is cut in its middle where it has no room. The text of the element is the whole name, for screen readers and for copies;
 * the visible text is drawn by the style sheet (`.cut-name`).
 * @param {HTMLElement} element @param {string} name @param {string} [beside] what its title has too
 */
export function setName(element, name, beside = '') {
  if (written.get(element) === name) return;
  const [head, tail] = partsOfName(name);
  setText(element, name);
  element.title = beside && beside !== name ? `${name} · ${beside}` : name;
  if (!tail) return;
  const seen = create('span', { class: 'cut-name', 'aria-hidden': 'true', 'data-head': head, 'data-tail': tail });
  element.replaceChildren(create('span', { class: 'unseen' }, name), seen);
}

/** @param {HTMLElement} element @param {string} name @param {string} value */
export function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Sets an attribute, or removes it for null, if that changes it: setting the same value still costs a calculation of styles. @param {Element} element @param {string} name @param {string | null} value */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** Makes one of many links the tab stop; the others are reached by the arrow keys. @param {Iterable<HTMLElement>} links @param {HTMLElement | undefined} stop */
export function setTabStop(links, stop) {
  for (const link of links) setAttribute(link, 'tabindex', link === stop ? '0' : '-1');
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

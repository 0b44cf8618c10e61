/** The tooltip of the element under the pointer or with the focus: a square of the heat map, or any element marked `data-explain`. */

import { setText } from './dom.js';
import { element } from './element.js';

/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

export class Tooltip {
  /** @type {Element | null} */
  #anchor = null;

  /** @param {HTMLElement} box @param {() => import('../i18n/i18n.js').I18n} i18n */
  constructor(box, i18n) {
    this.box = box;
    this.i18n = i18n;
    for (const type of ['pointerover', 'focusin', 'click'])
      document.addEventListener(type, (event) => this.#explain(event.target));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.hide();
    });
    document.addEventListener('scroll', () => this.hide(), { passive: true });
  }

  /** @param {HTMLElement} anchor @param {string[]} lines the first one is the title */
  show(anchor, lines) {
    this.#anchor = anchor;
    while (this.box.children.length < lines.length)
      this.box.append(element(this.box.children.length > 0 ? 'span' : 'b'));
    for (const [i, line] of [...this.box.children].entries()) setText(line, lines[i] ?? '');
    this.box.firstElementChild?.setAttribute('translate', 'key' in anchor.dataset ? 'no' : 'yes'); // a room's name is no word
    anchor.setAttribute('aria-describedby', this.box.id);
    this.box.hidden = false;
    this.#place(anchor.getBoundingClientRect());
  }

  hide() {
    this.box.hidden = true;
    this.#anchor?.removeAttribute('aria-describedby');
    this.#anchor = null;
  }

  /** @param {EventTarget | null} target */
  #explain(target) {
    const anchor = target instanceof Element ? target.closest('[data-explain]') : null;
    if (anchor instanceof HTMLElement && anchor !== this.#anchor) {
      this.show(anchor, [anchor.textContent ?? '', this.i18n().t(/** @type {MessageKey} */ (anchor.dataset.explain))]);
    } else if (!anchor && this.#anchor?.hasAttribute('data-explain')) this.hide();
  }

  /** @param {DOMRect} anchor */
  #place(anchor) {
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = Math.min(Math.max(8, anchor.left + anchor.width / 2 - width / 2), innerWidth - width - 8);
    const above = anchor.top - height - 8;
    this.box.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > 8 ? above : anchor.bottom + 8)}px)`;
  }
}

/** Hours as columns for a wall: what each earned, in figures that can be read from afar. */

import { setData, setFigure, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../state/wall_hours.js').Hour} Hour */
/** @typedef {{item: HTMLElement, value: HTMLElement, bar: HTMLElement, label: HTMLElement}} Column */

export class HourBars {
  /** @type {Map<number, Column>} by the beginning of the hour */
  #columns = new Map();

  /** @param {HTMLElement} root @param {HTMLElement} empty the sentence before the first answer */
  constructor(root, empty) {
    this.root = root;
    this.empty = empty;
  }

  clear() {
    this.#columns.clear();
    this.root.replaceChildren();
  }

  /** @param {Hour[] | null} hours @param {I18n} i18n @param {boolean} trusted else nothing is asked for */
  paint(hours, i18n, trusted) {
    this.empty.hidden = hours !== null;
    setText(this.empty, i18n.t(trusted ? 'loading' : 'failed'));
    this.root.hidden = hours === null;
    if (hours === null) return;
    const most = Math.max(1, ...hours.map(({ tokens }) => tokens ?? 0));
    const shown = new Set(hours.map(({ fromMs }) => fromMs));
    for (const at of this.#columns.keys()) if (!shown.has(at)) this.#columns.delete(at);
    reconcile(
      this.root,
      hours.map((hour) => this.#column(hour, most, i18n)),
    );
  }

  /** @param {Hour} hour @param {number} most @param {I18n} i18n */
  #column({ fromMs, tokens, isNow, isBest }, most, i18n) {
    const column = this.#columns.get(fromMs) ?? create();
    this.#columns.set(fromMs, column);
    setFigure(column.value, tokens, i18n);
    setText(column.label, isNow ? i18n.t('so_far') : i18n.hour.format(fromMs));
    setData(column.item, 'state', tokens === null ? 'unknown' : isNow ? 'now' : isBest ? 'best' : 'over');
    const height = `${Math.round(((tokens ?? 0) / most) * 1000) / 10}%`;
    if (column.bar.style.height !== height) column.bar.style.height = height;
    return column.item;
  }
}

/** @returns {Column} */
function create() {
  const value = element('b', { class: 'hour-value', translate: 'no' });
  const bar = element('i', { class: 'hour-bar', 'aria-hidden': 'true' });
  const label = element('span', { class: 'hour-label', translate: 'no' });
  const item = element('li', {}, element('span', { class: 'hour-track' }, value, bar), label);
  return { item, value, bar, label };
}

/** The rooms that need somebody, as a row of links: red first. */

import { hrefOf } from '../router.js';
import { clockText } from './clock_text.js';
import { setData, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';

/** @typedef {import('../state/attention.js').Need} Need */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */

const SHOWN = 8;

export class AttentionStrip {
  /** @type {Map<string, {item: HTMLElement, link: HTMLAnchorElement, name: HTMLElement, words: HTMLElement}>} */
  #chips = new Map();
  #more = element('li', { class: 'need-more' });
  #calm = element('li', { class: 'need-calm' });

  /** @param {HTMLElement} section @param {HTMLElement} list @param {(room: string) => string} nameOf a room */
  constructor(section, list, nameOf) {
    this.nameOf = nameOf;
    this.section = section;
    this.list = list;
  }

  clear() {
    this.#chips.clear();
    this.list.replaceChildren();
  }

  /**
   * @param {Need[]} needs worst first
   * @param {I18n} i18n
   * @param {{always: boolean, calm: string}} options `always`: the strip keeps its place while nothing needs anybody, and says `calm`
   */
  paint(needs, i18n, { always, calm }) {
    this.section.hidden = needs.length === 0 && !always;
    setData(this.section, 'severe', needs.some(({ severe }) => severe) ? 'yes' : 'no');
    const shown = needs.slice(0, SHOWN);
    for (const key of this.#chips.keys()) if (!shown.some((need) => need.key === key)) this.#chips.delete(key);
    const items = shown.map((need) => this.#chip(need, i18n));
    setText(this.#more, i18n.t('needs_more', { count: needs.length - shown.length }));
    setText(this.#calm, calm);
    if (needs.length > shown.length) items.push(this.#more);
    reconcile(this.list, needs.length === 0 ? [this.#calm] : items);
  }

  /** @param {Need} need @param {I18n} i18n */
  #chip(need, i18n) {
    const chip = this.#chips.get(need.key) ?? this.#create(need);
    setData(chip.link, 'severe', need.severe ? 'yes' : 'no');
    setText(chip.name, this.nameOf(need.room));
    setText(chip.words, needText(need, i18n));
    return chip.item;
  }

  /** @param {Need} need */
  #create({ key, room, platform }) {
    const [name, words] = [element('b', { translate: 'no' }), element('span')];
    const link = element('a', { class: 'need', href: hrefOf({ view: 'room', room, platform }, '') }, name, words);
    const chip = { item: element('li', {}, link), link, name, words };
    this.#chips.set(key, chip);
    return chip;
  }
}

/** What is wrong, in a few words. @param {Need} need @param {I18n} i18n */
export function needText({ cause, seconds, value }, i18n) {
  switch (cause) {
    case 'off_air':
      return i18n.t('need_off_air', { age: i18n.span(seconds) });
    case 'no_income':
      return i18n.t('need_no_income', { count: value, span: i18n.span(seconds) });
    case 'clock':
      return clockText(value, i18n);
    default:
      return i18n.t(`need_${cause}`);
  }
}

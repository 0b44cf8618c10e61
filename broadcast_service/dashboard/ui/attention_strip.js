/** The rooms that need attention, as a row of links: red first. */

import { clockText } from './clock_text.js';
import { setData, setHidden, setName, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';
import { lastMinutes, pointAt, pointAtPage } from './why_link.js';

/** @typedef {import('../state/attention.js').Need} Need */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */

export class AttentionStrip {
  /** @type {Map<string, {item: HTMLElement, link: HTMLAnchorElement, name: HTMLElement, words: HTMLElement}>} */
  #chips = new Map();
  #toggle = element('button', { type: 'button', class: 'button' });
  #rest = element('span');
  #more = element('li', { class: 'need-more' }, this.#rest, this.#toggle);
  #isExpanded = false;
  #repaint = () => {};
  #calm = element('li', { class: 'need-calm' });
  #asOf = element('span', { class: 'need-as-of' });

  /** @param {HTMLElement} section @param {HTMLElement} list @param {(room: string) => string} nameOf a room */
  constructor(section, list, nameOf) {
    this.nameOf = nameOf;
    this.section = section;
    this.list = list;
    list.before(this.#asOf);
    this.#toggle.addEventListener('click', () => {
      this.#isExpanded = !this.#isExpanded;
      this.#repaint();
    });
  }

  clear() {
    this.#chips.clear();
    this.#isExpanded = false;
    this.#repaint = () => {};
    this.list.replaceChildren();
  }

  /**
   * @param {Need[]} needs worst first
   * @param {number} asOfMs the moment that they were found at
   * @param {I18n} i18n
   * @param {{always: boolean, calm: string, most: number, asOf: string}} options `always`: the strip keeps its place while nothing needs anybody, and
   *   says `calm`; it has one line then, and names as many as fit in it. Otherwise `most` are named, and a button names the others. `asOf`: the time
   *   of needs that are not current, in words; those are grey.
   */
  paint(needs, asOfMs, i18n, options) {
    const { always, calm, most, asOf } = options;
    this.#repaint = () => this.paint(needs, asOfMs, i18n, options);
    setHidden(this.section, needs.length === 0 && !always);
    setData(this.section, 'severe', !asOf && needs.some(({ severe }) => severe) ? 'yes' : 'no');
    setData(this.section, 'old', asOf ? 'yes' : 'no');
    setText(this.#asOf, asOf);
    setHidden(this.#asOf, !asOf || needs.length === 0);
    const all = this.#isExpanded && !always;
    const shown = all ? needs : needs.slice(0, most);
    setHidden(this.#toggle, always);
    setHidden(this.#rest, !always);
    this.#toggle.setAttribute('aria-expanded', String(all));
    for (const key of this.#chips.keys()) if (!shown.some((need) => need.key === key)) this.#chips.delete(key);
    const items = shown.map((need) => this.#chip(asOf ? { ...need, severe: false } : need, asOfMs, i18n));
    setText(this.#calm, calm);
    this.#place(items, needs.length, i18n, all && needs.length > most);
    if (needs.length === 0) reconcile(this.list, [this.#calm]);
    else if (always) this.#fit(items, needs.length, i18n);
  }

  /** @param {HTMLElement[]} items @param {number} count of all needs @param {I18n} i18n @param {boolean} [foldable] whether some of them can be left out again */
  #place(items, count, i18n, foldable = false) {
    const words = foldable ? i18n.t('needs_fewer') : i18n.t('needs_more', { count: count - items.length });
    setText(this.#rest, words);
    setText(this.#toggle, words);
    setData(this.list, 'alone', items.length === 1 ? 'yes' : 'no');
    reconcile(this.list, foldable || count > items.length ? [...items, this.#more] : items);
  }

  /** Leaves out what the line has no room for, and counts it; the worst is always named. @param {HTMLElement[]} items @param {number} count @param {I18n} i18n */
  #fit(items, count, i18n) {
    for (let fitting = items.length; fitting > 1 && this.list.scrollWidth > this.list.clientWidth; fitting--)
      this.#place(items.slice(0, fitting - 1), count, i18n);
  }

  /** A need that names income leads to the readings behind it, any other to the room. @param {Need} need @param {number} asOfMs @param {I18n} i18n */
  #chip(need, asOfMs, i18n) {
    const chip = this.#chips.get(need.key) ?? this.#create(need);
    setData(chip.link, 'severe', need.severe ? 'yes' : 'no');
    setName(chip.name, this.nameOf(need.room));
    setText(chip.words, needText(need, i18n));
    if (need.cause === 'no_income') pointAt(chip.link, { ...lastMinutes(asOfMs, need.seconds / 60), feeds: [need] });
    else pointAtPage(chip.link, { view: 'room', room: need.room, platform: need.platform });
    chip.link.toggleAttribute('data-income', need.cause === 'no_income');
    return chip.item;
  }

  /** @param {Need} need */
  #create({ key }) {
    const [name, words] = [element('b', { translate: 'no' }), element('span')];
    const link = element('a', { class: 'need' }, name, words);
    const chip = { item: element('li', {}, link), link, name, words };
    this.#chips.set(key, chip);
    return chip;
  }
}

/** The cause, in a few words. @param {Need} need @param {I18n} i18n */
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

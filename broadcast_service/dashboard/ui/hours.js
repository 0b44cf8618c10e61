/**
 * Seven days of 24 hours as a table: colours for the eye, numbers for screen readers. Cells are made once and updated in place. Each is a link to the
 * parts of its income; the arrow keys walk them, and all of them are one tab stop.
 */

import { hourOfWeek } from '../state/zone.js';
import { setData, setTabStop, setText } from './dom.js';
import { element } from './element.js';
import { hoursOfWeek, quantileLevels } from './scales.js';
import { pointAt } from './why_link.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {{cell: HTMLElement, link: HTMLElement, words: HTMLElement}} Cell */
/** @typedef {import('./scales.js').HourOfWeek} Hour */
/** @typedef {{at: {day: string, hour: string}, isNow: boolean, platform: string}} Place of a cell */

const HOURS = 24;

export class Hours {
  /** @type {{day: HTMLElement, cells: Cell[]}[]} */
  #rows = [];

  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
    body.addEventListener('keydown', (event) => this.#moveByKey(event));
  }

  clear() {
    this.#rows = [];
    this.body.replaceChildren();
  }

  /** @param {import('../link/api.js').Report} week @param {number} nowMs @param {string} platform that the report is of; empty: all @param {I18n} i18n */
  paint(week, nowMs, platform, i18n) {
    if (this.#rows.length === 0) this.#build();
    const hours = hoursOfWeek(week, i18n.zone);
    const level = quantileLevels(hours.flat().flatMap(({ value }) => value ?? []));
    const now = hourOfWeek(nowMs, i18n.zone);
    const name = new Intl.DateTimeFormat(i18n.locale, { weekday: 'short' });
    for (const [i, { day, cells }] of this.#rows.entries()) {
      const words = name.format(new Date(2024, 0, 1 + i)); // 1 January 2024 was a Monday
      setText(day, words);
      for (const [hour, cell] of cells.entries()) {
        const at = { day: words, hour: `${twoDigits(hour)}:00` };
        const isNow = now.day === i && now.hour === hour;
        paintCell(cell, hours[i]?.[hour] ?? UNKNOWN, level, { at, isNow, platform }, i18n);
      }
    }
    const links = this.#links();
    const figures = links.filter((link) => link.hasAttribute('href'));
    setTabStop(links, figures.find((link) => link.tabIndex === 0) ?? figures[0]); // the one before may have no figure any more
  }

  #links() {
    return this.#rows.flatMap(({ cells }) => cells.map(({ link }) => link));
  }

  /** To the next cell with a figure in the direction of the key. @param {KeyboardEvent} event */
  #moveByKey(event) {
    const links = this.#links();
    const from = links.indexOf(/** @type {HTMLElement} */ (event.target));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: HOURS, ArrowUp: -HOURS }[event.key];
    if (step === undefined || from < 0) return;
    event.preventDefault();
    let to = from + step;
    while (links[to] && !links[to]?.hasAttribute('href')) to += step;
    if (!links[to]) return;
    setTabStop(links, links[to]);
    links[to]?.focus();
  }

  #build() {
    const hours = Array.from({ length: HOURS }, (_, hour) => headCell('col', twoDigits(hour)));
    this.#rows = Array.from({ length: 7 }, () => ({
      day: headCell('row', ''),
      cells: Array.from({ length: HOURS }, () => {
        const words = element('span', { class: 'unseen' });
        const link = element('a', { class: 'hour-why', tabindex: '-1' }, words);
        return { cell: element('td', {}, link), link, words };
      }),
    }));
    const rows = this.#rows.map(({ day, cells }) => element('tr', {}, day, ...cells.map(({ cell }) => cell)));
    this.body.replaceChildren(element('tr', {}, element('td'), ...hours), ...rows);
  }
}

/** @param {number} hour */
const twoDigits = (hour) => String(hour).padStart(2, '0');

/** @param {string} scope @param {string} words */
function headCell(scope, words) {
  const cell = element('th', { scope });
  setText(cell, words);
  return cell;
}

/** @type {Hour} */
const UNKNOWN = { value: null, from: 0, to: 0 };

/** @param {Cell} parts @param {Hour} hour @param {(value: number) => number} level @param {Place} place @param {I18n} i18n */
function paintCell({ cell, link, words }, { value, from, to }, level, { at, isNow, platform }, i18n) {
  setText(words, value === null ? i18n.t('not_measured') : i18n.number(Math.round(value)));
  setData(cell, 'level', value === null ? 'none' : String(level(value)));
  cell.toggleAttribute('data-now', isNow);
  link.toggleAttribute('data-income', value !== null);
  pointAt(link, value === null ? null : { from, to, platform }, location.search);
  const meaning =
    value === null ? i18n.t('best_hours_unknown', at) : i18n.t('best_hours_cell', { ...at, value: Math.round(value) });
  const title = isNow ? `${meaning} · ${i18n.t('so_far')}` : meaning;
  if (cell.title === title) return;
  cell.title = title;
  if (value === null) link.removeAttribute('aria-label');
  else link.setAttribute('aria-label', `${title} · ${i18n.t('why')}`);
}

/** Seven days of 24 hours as a table: colours for the eye, numbers for screen readers. Cells are made once and updated in place. */

import { setData, setText } from './dom.js';
import { element } from './element.js';
import { hourOfWeek, hoursOfWeek, quantileLevels } from './scales.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {{cell: HTMLElement, words: HTMLElement}} Cell */

export class Hours {
  /** @type {{day: HTMLElement, cells: Cell[]}[]} */
  #rows = [];

  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
  }

  clear() {
    this.#rows = [];
    this.body.replaceChildren();
  }

  /** @param {import('../link/api.js').Report} week @param {number} nowMs @param {I18n} i18n */
  paint(week, nowMs, i18n) {
    if (this.#rows.length === 0) this.#build();
    const hours = hoursOfWeek(week);
    const level = quantileLevels(hours.flat().filter((value) => value !== null));
    const now = hourOfWeek(nowMs);
    const name = new Intl.DateTimeFormat(i18n.locale, { weekday: 'short' });
    for (const [i, { day, cells }] of this.#rows.entries()) {
      const words = name.format(new Date(2024, 0, 1 + i)); // 1 January 2024 was a Monday
      setText(day, words);
      for (const [hour, cell] of cells.entries()) {
        paintCell(
          cell,
          hours[i]?.[hour] ?? null,
          level,
          now.day === i && now.hour === hour,
          { day: words, hour: `${twoDigits(hour)}:00` },
          i18n,
        );
      }
    }
  }

  #build() {
    const hours = Array.from({ length: 24 }, (_, hour) => headCell('col', twoDigits(hour)));
    this.#rows = Array.from({ length: 7 }, () => ({
      day: headCell('row', ''),
      cells: Array.from({ length: 24 }, () => {
        const words = element('span', { class: 'unseen' });
        return { cell: element('td', {}, words), words };
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

/** @param {Cell} parts @param {number | null} value @param {(value: number) => number} level @param {boolean} isNow @param {{day: string, hour: string}} at @param {I18n} i18n */
function paintCell({ cell, words }, value, level, isNow, at, i18n) {
  setText(words, value === null ? i18n.t('not_measured') : i18n.number(Math.round(value)));
  setData(cell, 'level', value === null ? 'none' : String(level(value)));
  cell.toggleAttribute('data-now', isNow);
  const meaning =
    value === null ? i18n.t('best_hours_unknown', at) : i18n.t('best_hours_cell', { ...at, value: Math.round(value) });
  const title = isNow ? `${meaning} · ${i18n.t('so_far')}` : meaning;
  if (cell.title !== title) cell.title = title;
}

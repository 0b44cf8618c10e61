/** One room as a row of the table: every number of the card, one below the other, so that rooms can be compared. */

import { hrefOf } from '../router.js';
import { earnedToday } from '../state/earned_today.js';
import { COUNTS } from '../state/metrics.js';
import { statusOf } from '../state/store.js';
import { setData, setName, setText } from './dom.js';
import { element } from './element.js';
import { bars } from './sparkline.js';
import { earnedInHour, HOUR_MINUTES } from './wall_room.js';
import { lastMinutes, minutesSince, showIncome } from './why_link.js';

/** @typedef {import('../state/store.js').Feed} Feed */
/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

/** @type {{id: string, title: MessageKey, sort: string | null}[]} */
export const COLUMNS = [
  { id: 'room', title: 'column_room', sort: 'name' },
  { id: 'badge', title: 'status', sort: null },
  { id: 'today', title: 'kpi_today', sort: null },
  { id: 'hour', title: 'kpi_hour', sort: 'hour' },
  { id: 'trend', title: 'column_trend', sort: 'earned' },
  ...COUNTS.map(({ name }) => ({ id: name, title: /** @type {MessageKey} */ (`kpi_${name}`), sort: name })),
  { id: 'tokens', title: 'balance', sort: 'tokens' },
  { id: 'goal', title: 'goal_label', sort: 'goal' },
  { id: 'age', title: 'age_label', sort: 'age' },
];
const SVG = 'http://www.w3.org/2000/svg';

export class RoomRow {
  /** Whether it is near the screen; elsewhere drawing can wait. */
  near = false;
  /** @type {Record<string, HTMLElement>} */
  #cells = {};
  #path = document.createElementNS(SVG, 'path');
  #badge = element('span', { class: 'badge-word' });
  /** @type {HTMLElement} */
  #link;

  /** @param {Feed} feed */
  constructor(feed) {
    const { room, platform } = feed;
    this.element = element('tr', { class: 'row' });
    this.element.dataset.room = room;
    this.element.dataset.platform = platform;
    for (const { id } of COLUMNS) {
      const cell = element(id === 'room' ? 'th' : 'td', id === 'room' ? { scope: 'row' } : { class: `cell-${id}` });
      this.#cells[id] = cell;
      this.element.append(cell);
    }
    const link = element('a', { href: hrefOf({ view: 'room', room, platform }, ''), translate: 'no' });
    this.#link = link;
    this.#cells.room?.append(link, element('span', { class: 'row-platform', translate: 'no' }, platform));
    this.#cells.badge?.append(
      element('span', { class: 'badge' }, element('span', { class: 'dot', 'aria-hidden': 'true' }), this.#badge),
    );
    const spark = document.createElementNS(SVG, 'svg');
    for (const [name, value] of Object.entries({
      viewBox: '0 0 90 30',
      preserveAspectRatio: 'none',
      class: 'spark',
      'aria-hidden': 'true',
    }))
      spark.setAttribute(name, value);
    spark.append(this.#path);
    this.#cells.trend?.append(spark);
  }

  /** @param {Feed} feed @param {Moment} moment @param {Store} store */
  paint(feed, moment, store) {
    const { asOfMs, i18n } = moment;
    this.paintAge(feed, moment, store);
    const today = minutesSince(store.studio.midnightMs(asOfMs) / 1000, asOfMs);
    this.#income('today', earnedToday(feed, store, asOfMs), { ...today, feeds: [feed] }, i18n);
    this.#income(
      'hour',
      earnedInHour(feed, store, asOfMs),
      { ...lastMinutes(asOfMs, HOUR_MINUTES), feeds: [feed] },
      i18n,
    );
    for (const { name } of COUNTS) this.#write(name, i18n.number(feed[name]));
    this.#write('tokens', i18n.number(feed.tokens));
    const progress = store.shifts.of(feed, asOfMs);
    const ofGoal = feed.goal && feed.tokens !== null ? Math.min(1, feed.tokens / feed.goal) : null;
    const share = progress ? progress.share : ofGoal;
    setName(this.#link, store.studio.roomName(feed.room), feed.room);
    this.#write('goal', share === null ? '—' : i18n.percentage.format(Math.floor(share * 100) / 100));
    const path = bars(store.recent(feed, asOfMs), 90, 30);
    if (this.#path.getAttribute('d') !== path) this.#path.setAttribute('d', path);
  }

  /** What the passing of time alone changes. @param {Feed} feed @param {Moment} moment @param {Store} store */
  paintAge(feed, { nowMs, asOfMs, trusted, i18n }, store) {
    const status = statusOf(feed, asOfMs, store, trusted);
    setData(this.element, 'status', status);
    setData(this.#badge, 'explain', `explain_${status}`);
    setText(this.#badge, i18n.t(`status_${status}`));
    this.#write('age', i18n.age(Math.max(0, nowMs / 1000 - feed.readAt)));
  }

  /** @param {boolean} calm */
  flash(calm) {
    if (!calm && this.near)
      this.#cells.hour?.animate(
        { color: ['var(--good)', 'inherit'] },
        { id: 'flash', duration: 600, easing: 'ease-out' },
      );
  }

  /** @param {string} id @param {number | null} amount @param {import('./why_link.js').Reasons} reasons @param {import('../i18n/i18n.js').I18n} i18n */
  #income(id, amount, reasons, i18n) {
    const cell = this.#cells[id];
    if (cell) showIncome(cell, i18n.number(amount), amount === null ? null : reasons, i18n);
  }

  /** @param {string} id @param {string} text */
  #write(id, text) {
    const cell = this.#cells[id];
    if (cell) setText(cell, text);
  }
}

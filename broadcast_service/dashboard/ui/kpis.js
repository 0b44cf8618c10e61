/** The row of totals. */

import { changeOf } from '../state/last_week.js';
import { COUNTS } from '../state/metrics.js';
import { SPARK_MINUTES } from '../state/store.js';
import { cloneTemplate, find, setAttribute, setData, setFigure, setText } from './dom.js';
import { bars } from './sparkline.js';
import { isWall, lastMinutes, minutesSince, showIncomeFigure, showParts } from './why_link.js';

/** @typedef {import('../state/metrics.js').Count['name']} CountName */
/** @typedef {import('../state/totals.js').Totals} Totals */
/** @typedef {import('../state/last_week.js').Comparison} Comparison */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

/** @typedef {import('./why_link.js').Reasons} Reasons */
/** @typedef {{text: string, reasons?: Reasons | null}} Words */
/** @typedef {{room: string, platform: string}[] | null} Feeds that the totals are of; null: all */
/** @typedef {{id: string, title: MessageKey, explain: MessageKey}} Tile */

/** @type {Tile[]} */
const COUNTED = COUNTS.map(({ name }) => ({ id: name, title: `kpi_${name}`, explain: `explain_${name}` }));
/** Of the counts only the first, the audience, has a total: the others begin anew with each show, so their sum says nothing. @type {Tile[]} */
const TILES = [
  { id: 'today', title: 'kpi_today', explain: 'explain_today' },
  { id: 'hour', title: 'kpi_hour', explain: 'explain_hour' },
  { id: 'live', title: 'kpi_live', explain: 'explain_rooms' },
  ...COUNTED.slice(0, 1),
];
const SVG = 'http://www.w3.org/2000/svg';

export class Kpis {
  /** @type {Map<string, {tile: HTMLElement, title: HTMLElement, value: HTMLElement, sub: HTMLElement, versus: HTMLElement}>} */
  #tiles = new Map();
  #pulse = document.createElementNS(SVG, 'path');

  /** @param {HTMLElement} root */
  constructor(root) {
    for (const { id, explain } of TILES) {
      const tile = cloneTemplate('kpi-template');
      tile.dataset.kpi = id;
      const part = (/** @type {string} */ selector) => find(tile, selector, HTMLElement);
      part('.term').dataset.explain = explain;
      this.#tiles.set(id, {
        tile,
        title: part('.term'),
        value: part('.kpi-value'),
        sub: part('.kpi-sub'),
        versus: part('.kpi-versus'),
      });
      if (id === 'hour') tile.append(this.#chart());
      root.append(tile);
    }
  }

  /** @param {Totals} totals @param {import('./moment.js').Moment} moment @param {Comparison} before the same moment of the week before @param {Feeds} feeds */
  paint(totals, { i18n, trusted, asOfMs }, before, feeds) {
    const old = !trusted && totals.known;
    for (const { id, title } of TILES) {
      const tile = this.#tiles.get(id);
      if (!tile) continue;
      const name = old ? `${i18n.t(title)} · ${i18n.t('last_known')}` : i18n.t(title);
      setText(tile.title, name);
      const value = valueFor(id, totals, trusted);
      if (id === 'hour' || id === 'today')
        showIncomeFigure(tile.value, value, reasonsFor(id, totals, asOfMs, feeds), i18n, { name });
      else setFigure(tile.value, value, i18n);
      showParts(tile.sub, captionOf(id, totals, trusted, asOfMs, feeds, i18n), i18n);
      const change = changeFor(id, totals, trusted, before);
      setText(tile.versus, change === null ? '' : versusText(change, asOfMs, i18n));
      setData(tile.tile, 'versus', change === null ? 'none' : change < 0 ? 'less' : 'more');
    }
    const path = bars(totals.pulse, 240, 60);
    setAttribute(this.#pulse, 'd', path);
  }

  #chart() {
    const chart = document.createElementNS(SVG, 'svg');
    chart.setAttribute('class', 'kpi-pulse');
    chart.setAttribute('viewBox', '0 0 240 60');
    chart.setAttribute('preserveAspectRatio', 'none');
    chart.setAttribute('aria-hidden', 'true');
    chart.append(this.#pulse);
    return chart;
  }
}

/** @param {string} id @param {Totals} totals @param {boolean} trusted @returns {number | null} null where it is unknown */
function valueFor(id, totals, trusted) {
  const unknownPast = totals.past === 'pending' || (totals.past === 'failed' && !trusted);
  if (!totals.known || (unknownPast && (id === 'hour' || id === 'today'))) return null;
  switch (id) {
    case 'live':
      return totals.feeds.live;
    case 'hour':
      return Math.round((totals.hour * 60) / totals.hourMinutes);
    case 'today':
      return totals.today;
    default: {
      const { sum, known } = totals.counts[/** @type {CountName} */ (id)];
      return known ? sum : null;
    }
  }
}

/** @param {string} id @param {Totals} totals @param {boolean} trusted @param {Comparison} before @returns {number | null} */
function changeFor(id, totals, trusted, before) {
  if (!trusted || (id === 'hour' && totals.measuredMinutes < 60) || (id === 'today' && !totals.wholeDay)) return null;
  const then = { hour: before.hour, today: before.today, live: before.onAir, viewers: before.viewers }[id] ?? null;
  return changeOf(valueFor(id, totals, trusted), then);
}

/** @param {number} change a share @param {number} nowMs @param {I18n} i18n */
function versusText(change, nowMs, i18n) {
  const day = i18n.weekdayName.format(nowMs);
  const rounded = Math.round(Math.abs(change) * 100) / 100;
  if (rounded === 0) return i18n.t('versus_same', { day });
  const percent = i18n.percentage.format(rounded);
  return i18n.t(change < 0 ? 'versus_less' : 'versus_more', { percent, day });
}

/** The minutes and the feeds that a total is of. @param {'hour' | 'today'} id @param {Totals} totals @param {number} asOfMs @param {Feeds} of @returns {Reasons | null} */
function reasonsFor(id, { hourMinutes, todaySinceMinute }, asOfMs, of) {
  if (of?.length === 0) return null;
  const span = id === 'hour' ? lastMinutes(asOfMs, hourMinutes) : minutesSince(todaySinceMinute * 60, asOfMs);
  return { ...span, feeds: of };
}

/** @param {string} id @param {Totals} totals @param {boolean} trusted @param {number} asOfMs @param {Feeds} of @param {I18n} i18n @returns {Words[]} */
function captionOf(id, totals, trusted, asOfMs, of, i18n) {
  const { feeds } = totals;
  if (!totals.known) return [{ text: i18n.t('kpi_nothing_known') }];
  if ((id === 'hour' || id === 'today') && (totals.past === 'pending' || (totals.past === 'failed' && !trusted))) {
    return [{ text: i18n.t(totals.past === 'pending' ? 'loading' : 'kpi_past_unknown') }];
  }
  const unread = { text: totals.unread ? i18n.t('kpi_unread', { count: totals.unread }) : '' };
  const all = Object.values(feeds).reduce((sum, count) => sum + count, 0);
  const off = feeds.off_air + feeds.expired;
  const troubles = [
    feeds.unconfirmed && i18n.t('kpi_live_unconfirmed', { count: feeds.unconfirmed }),
    feeds.stale && i18n.t('kpi_live_stale', { count: feeds.stale }),
    off && i18n.t('kpi_live_off', { count: off }),
  ];
  switch (id) {
    case 'live':
      return [{ text: [i18n.t('kpi_live_of', { count: all }), ...troubles.filter(Boolean)].join(' · ') }];
    case 'hour':
      return [{ text: hourCaption(totals, i18n) }, unread];
    case 'today':
      return [...todayCaption(totals, asOfMs, of, i18n), unread];
    default: {
      const name = /** @type {CountName} */ (id);
      const { sum, known } = totals.counts[name];
      return [
        { text: known ? i18n.t(`kpi_${name}_sub`, { average: Math.round(sum / known) }) : i18n.t('kpi_unknown') },
      ];
    }
  }
}

/** @param {Totals} totals @param {I18n} i18n */
function hourCaption({ hourMinutes, measuredMinutes }, i18n) {
  if (hourMinutes < 60) return i18n.t('kpi_hour_part', { count: hourMinutes });
  return measuredMinutes < 60 ? i18n.t('kpi_hour_measured', { count: measuredMinutes }) : i18n.t('kpi_hour_full');
}

/** The title says that it is of today, so a whole day is only named where nothing else is. @param {Totals} totals @param {number} asOfMs @param {Feeds} of @param {I18n} i18n @returns {Words[]} */
function todayCaption(totals, asOfMs, of, i18n) {
  const since = i18n.hour.format(totals.todaySinceMinute * 60_000);
  const parts = [
    { text: totals.wholeDay ? '' : i18n.t('kpi_today_part', { time: since }) },
    { text: totals.worth ? i18n.money(totals.worth) : '', reasons: reasonsFor('today', totals, asOfMs, of) },
    ...shiftWords(totals.shift, asOfMs, i18n),
    {
      text: totals.pending ? i18n.t('pending', { amount: totals.pending }) : '',
      reasons: { ...lastMinutes(asOfMs, SPARK_MINUTES), feeds: totals.pendingFeeds },
    },
  ].filter(({ text }) => text !== '');
  return parts.length > 0 ? parts : [{ text: i18n.t('kpi_today_full') }];
}

/** Shifts that began at different times have their own figures; a wall, which has one line, has their sum. @param {Totals['shift']} shift @param {number} asOfMs @param {I18n} i18n @returns {Words[]} */
function shiftWords(shift, asOfMs, i18n) {
  if (!shift) return [];
  if (shift.parts.length > 1 && isWall()) return [{ text: shiftText(shift, i18n) }];
  return shift.parts.map((part) => ({
    text: shiftText(part, i18n),
    reasons: { ...minutesSince(part.from, asOfMs), feeds: part.feeds },
  }));
}

/** @param {Pick<import('../state/shift_income.js').ShiftTotal, 'names' | 'earned' | 'target' | 'leftSeconds'>} shift @param {I18n} i18n */
function shiftText({ names, earned, target, leftSeconds }, i18n) {
  const values = { shift: names.join(', '), amount: earned, target: target ?? 0 };
  const words = i18n.t(target === null ? 'shift_of_studio' : 'shift_of_target', values);
  return i18n.t('shift_and_left', { words, left: i18n.left(leftSeconds) });
}

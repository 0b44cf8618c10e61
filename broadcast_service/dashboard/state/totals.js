/** The numbers of the top row, from the store, at one moment. */

import { earnedToday } from './earned_today.js';
import { COUNTS } from './metrics.js';
import { statusOf } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/**
 * @typedef {object} Totals
 * @property {Record<import('./store.js').Status, number>} feeds how many feeds have each status
 * @property {number} rooms
 * @property {number} onAir feeds whose numbers are counted below: live or stale
 * @property {number} unread feeds on air whose token balance is unknown: their earnings are not counted
 * @property {Record<import('./metrics.js').Count['name'], {sum: number, known: number}>} counts for each count the sum, and the number of feeds that report it
 * @property {boolean} known whether any room was ever reported to this page
 * @property {'pending' | 'known' | 'failed'} past whether history has answered: before it did, sums are unknown
 * @property {number} hour tokens earned in the last `hourMinutes`
 * @property {number} hourMinutes at most 60; fewer when less is known
 * @property {number} measuredMinutes of these, how many have a reading of any room
 * @property {number | null} today null where it is not known of the feeds shown
 * @property {{code: string, amount: number} | null} worth what today is worth to the studio
 * @property {ReturnType<import('./shift_income.js').ShiftIncome['total']>} shift the current shifts; null where there are none, or nothing is known
 * @property {number} pending tokens that wait for a confirmation and are in no sum
 * @property {import('./store.js').Feed[]} pendingFeeds whose tokens these are
 * @property {number} todaySinceMinute first minute counted
 * @property {boolean} wholeDay whether that is local midnight
 * @property {(number | null)[]} pulse tokens earned per minute in the last hour, oldest first; null where nothing is known
 */

/**
 * @param {Store} store
 * @param {number} asOfMs the server's clock: now, or the last moment that is known
 * @param {number} midnightMs when the day of that moment began, where the reader is
 * @param {Set<string> | null} [shown] the feeds that filters let through; null: all
 * @returns {Totals}
 */
export function totalsOf(store, asOfMs, midnightMs, shown = null) {
  const minute = Math.floor(asOfMs / 60_000);
  const since = store.knownSinceMinute ?? minute;
  const midnight = Math.floor(midnightMs / 60_000);
  const hourMinutes = Math.max(1, Math.min(60, minute - since + 1));
  const todaySinceMinute = Math.max(midnight, since);
  const earned = shown
    ? earnedByShown(store, asOfMs, shown)
    : {
        hour: store.ledger.sum(minute - hourMinutes + 1, minute),
        today: store.ledger.sum(todaySinceMinute, minute),
        pulse: store.ledger.series(minute, 60),
      };
  // A minute that has just begun or is on its way is no gap.
  const measuredMinutes = store.coverage.isWhole(minute - hourMinutes + 1, minute)
    ? hourMinutes
    : store.coverage.count(minute - hourMinutes + 1, minute);
  return {
    ...count(store, asOfMs, shown),
    known: store.complete,
    past: store.past,
    hourMinutes,
    measuredMinutes,
    todaySinceMinute,
    wholeDay: since <= midnight,
    ...earned,
    pulse: store.coverage.known(earned.pulse, minute),
    worth: earned.today === null ? null : store.studio.worth(earned.today),
    shift: store.studio.hasShifts ? store.shifts.total(asOfMs, shown) : null,
  };
}

/** Sums over some feeds: of a feed that is no longer in the page nothing is known. @param {Store} store @param {number} asOfMs @param {Set<string>} shown */
function earnedByShown(store, asOfMs, shown) {
  const minute = Math.floor(asOfMs / 60_000);
  const sums = { hour: 0, today: /** @type {number | null} */ (0), pulse: Array.from({ length: 60 }, () => 0) };
  for (const key of shown) {
    const feed = store.feeds.get(key);
    if (!feed) continue;
    for (const [i, amount] of feed.ledger.series(minute, 60).entries()) {
      sums.hour += amount;
      sums.pulse[i] = (sums.pulse[i] ?? 0) + amount;
    }
    const today = earnedToday(feed, store, asOfMs);
    sums.today = today === null || sums.today === null ? null : sums.today + today;
  }
  return sums;
}

/** @param {Store} store @param {number} asOfMs @param {Set<string> | null} shown */
function count(store, asOfMs, shown) {
  const feeds = { live: 0, unconfirmed: 0, stale: 0, off_air: 0, expired: 0 };
  const rooms = new Set();
  const sums = {
    onAir: 0,
    unread: 0,
    pending: 0,
    pendingFeeds: /** @type {Totals['pendingFeeds']} */ ([]),
    counts: noCounts(),
  };
  for (const feed of store.feeds.values()) {
    if (shown && !shown.has(feed.key)) continue;
    const status = statusOf(feed, asOfMs, store, true);
    feeds[status]++;
    rooms.add(feed.room);
    if (status !== 'live' && status !== 'stale') continue;
    sums.onAir++;
    sums.pending += feed.pending;
    if (feed.pending) sums.pendingFeeds.push(feed);
    if (feed.tokens === null) sums.unread++;
    for (const { name } of COUNTS) {
      const value = feed[name];
      if (value === null) continue;
      sums.counts[name].sum += value;
      sums.counts[name].known++;
    }
  }
  return { feeds, rooms: rooms.size, ...sums };
}

/** @returns {Totals['counts']} */
const noCounts = () =>
  /** @type {Totals['counts']} */ (Object.fromEntries(COUNTS.map(({ name }) => [name, { sum: 0, known: 0 }])));

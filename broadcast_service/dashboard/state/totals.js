/** The numbers of the top row, from the store, at one moment. */

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
 * @property {number} today
 * @property {number} pending tokens that wait for a confirmation and are in no sum
 * @property {number} todaySinceMinute first minute counted
 * @property {boolean} wholeDay whether that is local midnight
 * @property {number[]} pulse tokens earned per minute in the last hour, oldest first
 */

/**
 * @param {Store} store
 * @param {number} asOfMs the server's clock: now, or the last moment that is known
 * @param {number} midnightMs when the day of that moment began, where the reader is
 * @returns {Totals}
 */
export function totalsOf(store, asOfMs, midnightMs) {
  const minute = Math.floor(asOfMs / 60_000);
  const since = store.knownSinceMinute ?? minute;
  const midnight = Math.floor(midnightMs / 60_000);
  const hourMinutes = Math.max(1, Math.min(60, minute - since + 1));
  const todaySinceMinute = Math.max(midnight, since);
  return {
    ...count(store, asOfMs),
    known: store.complete,
    past: store.past,
    hour: store.ledger.sum(minute - hourMinutes + 1, minute),
    hourMinutes,
    today: store.ledger.sum(todaySinceMinute, minute),
    todaySinceMinute,
    wholeDay: since <= midnight,
    pulse: store.ledger.series(minute, 60),
  };
}

/** @param {Store} store @param {number} asOfMs */
function count(store, asOfMs) {
  const feeds = { live: 0, unconfirmed: 0, stale: 0, off_air: 0, expired: 0 };
  const rooms = new Set();
  const sums = { onAir: 0, unread: 0, pending: 0, counts: noCounts() };
  for (const feed of store.feeds.values()) {
    const status = statusOf(feed, asOfMs, store, true);
    feeds[status]++;
    rooms.add(feed.room);
    if (status !== 'live' && status !== 'stale') continue;
    sums.onAir++;
    sums.pending += feed.pending;
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

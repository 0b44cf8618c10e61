/** The numbers of the top row, from the store, at one moment. */

import { METRICS } from './metrics.js';
import { statusOf } from './store.js';

const SUMMED = METRICS.filter(({ isSummed }) => isSummed);

/** @typedef {import('./store.js').Store} Store */
/**
 * @typedef {object} Totals
 * @property {Record<import('./store.js').Status, number>} feeds how many feeds have each status
 * @property {number} rooms
 * @property {number} onAir feeds whose numbers are counted below: live or stale
 * @property {number} unread feeds on air whose token balance is unknown: their earnings are not counted
 * @property {number} viewers
 * @property {number} viewersKnown
 * @property {number} tips
 * @property {number} tipsKnown
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
  /** @type {Record<string, number> & {onAir: number, unread: number, pending: number, viewers: number, viewersKnown: number, tips: number, tipsKnown: number}} */
  const sums = { onAir: 0, unread: 0, pending: 0, viewers: 0, viewersKnown: 0, tips: 0, tipsKnown: 0 };
  for (const feed of store.feeds.values()) {
    const status = statusOf(feed, asOfMs, store, true);
    feeds[status]++;
    rooms.add(feed.room);
    if (status !== 'live' && status !== 'stale') continue;
    sums.onAir++;
    sums.pending += feed.pending;
    if (feed.tokens === null) sums.unread++;
    for (const { name } of SUMMED) add(sums, name, feed[name]);
  }
  return { feeds, rooms: rooms.size, ...sums };
}

/** @param {Record<string, number>} sums @param {string} name @param {number | null} value */
function add(sums, name, value) {
  if (value === null) return;
  sums[name] = (sums[name] ?? 0) + value;
  sums[`${name}Known`] = (sums[`${name}Known`] ?? 0) + 1;
}

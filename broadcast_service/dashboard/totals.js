/** The numbers of the top row, from the store, at one moment. */

import { statusOf } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/**
 * @typedef {object} Totals
 * @property {Record<import('./store.js').Status, number>} feeds how many feeds have each status
 * @property {number} rooms
 * @property {number} onAir feeds whose numbers are counted below: live, stale, or live as far as was known
 * @property {number} viewers
 * @property {number} viewersKnown
 * @property {number} tips
 * @property {number} tipsKnown
 * @property {number} hour tokens earned in the last `hourMinutes`
 * @property {number} hourMinutes at most 60; fewer when less is known
 * @property {number} today
 * @property {number} todaySinceMinute first minute counted
 * @property {boolean} wholeDay whether that is local midnight
 * @property {number[]} pulse tokens earned per minute in the last hour, oldest first
 */

/**
 * @param {Store} store
 * @param {number} nowMs the server's clock
 * @param {boolean} trusted
 * @param {number} midnightMs when today began, where the reader is
 * @returns {Totals}
 */
export function totalsOf(store, nowMs, trusted, midnightMs) {
  const minute = Math.floor(nowMs / 60_000);
  const since = store.knownSinceMinute ?? minute;
  const midnight = Math.floor(midnightMs / 60_000);
  const hourMinutes = Math.max(1, Math.min(60, minute - since + 1));
  const todaySinceMinute = Math.max(midnight, since);
  return {
    ...count(store, nowMs, trusted),
    hour: store.ledger.sum(minute - hourMinutes + 1, minute),
    hourMinutes,
    today: store.ledger.sum(todaySinceMinute, minute),
    todaySinceMinute,
    wholeDay: since <= midnight,
    pulse: store.ledger.series(minute, 60),
  };
}

/** @param {Store} store @param {number} nowMs @param {boolean} trusted */
function count(store, nowMs, trusted) {
  const feeds = { live: 0, unconfirmed: 0, stale: 0, off_air: 0, expired: 0 };
  const rooms = new Set();
  const sums = { onAir: 0, viewers: 0, viewersKnown: 0, tips: 0, tipsKnown: 0 };
  for (const feed of store.feeds.values()) {
    const status = statusOf(feed, nowMs, store, trusted);
    feeds[status]++;
    rooms.add(feed.room);
    if (status === 'off_air' || status === 'expired') continue;
    sums.onAir++;
    if (feed.viewers !== null) { sums.viewers += feed.viewers; sums.viewersKnown++; }
    if (feed.tips !== null) { sums.tips += feed.tips; sums.tipsKnown++; }
  }
  return { feeds, rooms: rooms.size, ...sums };
}

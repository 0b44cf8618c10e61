/** Which rooms earn most, and which have become slow beside their own hour, pure. */

import { statusOf } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Feed} Feed */
/** @typedef {{feed: Feed, earned: number}} Leader tokens of the last hour */
/** @typedef {{feed: Feed, change: number, perHour: number}} Slow `change`: −0.6 is 60 % less than in the rest of the hour */

/** Minutes that leaders are compared in, and the last of them, in which a room may have become slow. */
export const HOUR = 60;
export const RECENT = 30;
/** A difference that chance makes is not named. */
const MIN_CHANGE = -0.5;
/** Of a room that hardly earned before, nothing can be said. */
const MIN_EARNED_BEFORE = 200;

/** A smaller change than this is how tips arrive. */
const MIN_PACE_CHANGE = 0.25;

/**
 * The income of the last half hour beside that of the half hour before: a share, −0.6 for 60 % less. Zero where little was earned before, or where
 * the hour was not measured.
 * @param {Feed} feed @param {Store} store @param {number} minute
 */
function changeOf(feed, store, minute) {
  const recent = feed.ledger.sum(minute - RECENT + 1, minute);
  const before = feed.ledger.sum(minute - HOUR + 1, minute - RECENT);
  const isKnown = before >= MIN_EARNED_BEFORE && store.coverage.isWhole(minute - HOUR + 1, minute);
  const change = isKnown ? recent / RECENT / (before / (HOUR - RECENT)) - 1 : 0;
  return { recent, before, change };
}

/** Whether a room earns clearly more or less than in its own half hour before; null where it does not, or where that is not known. @param {Feed} feed @param {Store} store @param {number} asOfMs @returns {'up' | 'down' | null} */
export function paceOf(feed, store, asOfMs) {
  if (store.past !== 'known') return null;
  const { change } = changeOf(feed, store, Math.floor(asOfMs / 60_000));
  return Math.abs(change) < MIN_PACE_CHANGE ? null : change > 0 ? 'up' : 'down';
}

/**
 * @param {Store} store @param {number} asOfMs @param {(feed: Feed) => boolean} [isShown]
 * @returns {{leaders: Leader[], slow: Slow[]}} best first, and slowest first
 */
export function ranked(store, asOfMs, isShown = () => true) {
  const minute = Math.floor(asOfMs / 60_000);
  /** @type {Leader[]} */
  const leaders = [];
  /** @type {Slow[]} */
  const slow = [];
  for (const feed of store.feeds.values()) {
    if (!isShown(feed)) continue;
    const status = statusOf(feed, asOfMs, store, true);
    if (status !== 'live' && status !== 'stale') continue;
    const { recent, before, change } = changeOf(feed, store, minute);
    if (recent + before > 0) leaders.push({ feed, earned: recent + before });
    if (store.past === 'known' && change <= MIN_CHANGE) slow.push({ feed, change, perHour: (recent * HOUR) / RECENT });
  }
  return {
    leaders: leaders.sort((a, b) => b.earned - a.earned || byName(a, b)),
    slow: slow.sort((a, b) => a.change - b.change || byName(a, b)),
  };
}

/** @param {{feed: Feed}} a @param {{feed: Feed}} b */
const byName = (a, b) => a.feed.room.localeCompare(b.feed.room);

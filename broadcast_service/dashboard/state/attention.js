/**
 * Which rooms need attention, pure: worst first, of equal causes the oldest first.
 *
 * Only what readings show is claimed. Whether a show was meant to end is not known to the page: a room that went off air is named for a while, and
 * then it is one of those that are off air.
 */

import { areTwoDesks } from './desks.js';
import { clockError, lastSeenAt } from './lag.js';
import { statusOf } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Feed} Feed */
/** @typedef {typeof CAUSES[number]} Cause */
/** @typedef {{key: string, room: string, platform: string, cause: Cause, severe: boolean, seconds: number, value: number}} Need `seconds`: for how long; `value`: viewers, or seconds of a wrong clock */

/** Worst first. */
export const CAUSES = /** @type {const} */ (['off_air', 'unread', 'no_income', 'two_desks', 'clock']);
const SEVERE = new Set(/** @type {Cause[]} */ (['off_air', 'unread']));
/** A room that went off air is news for this long. */
export const FELL_MINUTES = 10;
export const NO_INCOME_MINUTES = 30;
const HOUR_MINUTES = 60;

/**
 * @param {Store} store
 * @param {number} asOfMs the server's clock: now, or the last moment that is known
 * @param {(key: string) => number} onAirSinceMs since when this page knows a feed to be on air without a break
 * @returns {Need[]}
 */
export function needsAttention(store, asOfMs, onAirSinceMs) {
  /** @type {Need[]} */
  const needs = [];
  for (const feed of store.feeds.values()) {
    const need = needOf(feed, store, asOfMs, onAirSinceMs);
    if (need) needs.push(need);
  }
  const rank = (/** @type {Need} */ { cause }) => CAUSES.indexOf(cause);
  return needs.sort((a, b) => rank(a) - rank(b) || b.seconds - a.seconds || a.key.localeCompare(b.key));
}

/** @param {Feed} feed @param {Store} store @param {number} asOfMs @param {(key: string) => number} onAirSinceMs @returns {Need | null} the worst of a feed */
function needOf(feed, store, asOfMs, onAirSinceMs) {
  const status = statusOf(feed, asOfMs, store, true);
  const need = (/** @type {Cause} */ cause, seconds = 0, value = 0) => ({
    key: feed.key,
    room: feed.room,
    platform: feed.platform,
    cause,
    severe: SEVERE.has(cause),
    seconds,
    value,
  });
  const silentSeconds = asOfMs / 1000 - lastSeenAt(feed);
  if (status === 'off_air') return silentSeconds <= FELL_MINUTES * 60 ? need('off_air', silentSeconds) : null;
  if (status !== 'live' && status !== 'stale') return null;
  if (feed.tokens === null) return need('unread');
  const idle = idleMinutes(feed, store, asOfMs, onAirSinceMs(feed.key));
  if (idle !== null && (feed.viewers ?? 0) > 0) return need('no_income', idle * 60, feed.viewers ?? 0);
  if (areTwoDesks(feed.desks, feed.interval)) return need('two_desks');
  const clock = clockError(feed.lag);
  return clock === null ? null : need('clock', 0, clock);
}

/**
 * For how many minutes a feed on air has earned nothing, where that is long and known: it earned something in the hour, or this page has seen it on
 * air for all that time. A room that has only just begun is not idle, and only minutes in which it was read count, without a break.
 * @param {Feed} feed @param {Store} store @param {number} asOfMs @param {number} sinceMs
 * @returns {number | null}
 */
function idleMinutes(feed, store, asOfMs, sinceMs) {
  if (feed.pending > 0) return null;
  const minute = Math.floor(asOfMs / 60_000);
  const series = feed.ledger.series(minute, HOUR_MINUTES);
  const last = series.reduce((found, amount, i) => (amount > 0 ? i : found), -1);
  const measured = feed.coverage.unbroken(minute, HOUR_MINUTES);
  const seen = Math.min(measured, (asOfMs - sinceMs) / 60_000);
  if (last >= 0 && store.past === 'known') {
    const idle = Math.min(measured, HOUR_MINUTES - 1 - last);
    return idle >= NO_INCOME_MINUTES ? idle : null;
  }
  return last < 0 && seen >= NO_INCOME_MINUTES ? Math.floor(seen) : null;
}

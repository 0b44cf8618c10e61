/**
 * What one feed has earned since midnight of the studio (without a studio file, of the reader), pure: a report of the day up to some minute,
 * and what came after it. The ledger of a feed holds an hour, which is enough for both.
 */

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Feed} Feed */

const HOUR_MINUTES = 60;

/** @param {Feed} feed @param {Store} store @param {number} asOfMs @returns {number | null} null where it is not known */
export function earnedToday(feed, store, asOfMs) {
  const minute = Math.floor(asOfMs / 60_000);
  const midnight = Math.floor(store.studio.midnightMs(asOfMs) / 60_000);
  if (store.past === 'pending') return null;
  if (minute - midnight < HOUR_MINUTES) return feed.ledger.sum(midnight, minute);
  const { day } = store;
  if (!day || day.fromMinute !== midnight || minute - day.untilMinute > HOUR_MINUTES) return null;
  return feed.dayEarned + feed.ledger.sum(day.untilMinute, minute);
}

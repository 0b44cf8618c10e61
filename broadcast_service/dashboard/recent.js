/**
 * Earnings of the last minutes, kept over a reload: a report that the server made a moment before and keeps does not hold them yet, and a total
 * that was on the screen must not be smaller after a reload. They belong to one token and to one tab.
 */

/** @typedef {import('./storage.js').Kept} Kept */

const KEPT_AS = 'studio-pulse.recent';
const MINUTES = 2;
/** Enough of the signature to tell tokens apart, and of no use to anybody. */
const ownerOf = (/** @type {string} */ token) => token.slice(-8);

/** @param {Kept} storage @param {string} token @param {import('./earnings.js').Ledger} ledger @param {number} minute the current one */
export function keepRecent(storage, token, ledger, minute) {
  storage.setItem(KEPT_AS, JSON.stringify({ owner: ownerOf(token), minute, earned: ledger.series(minute, MINUTES) }));
}

/** Returns what was kept for this token less than a few minutes ago, and forgets it. @param {Kept} storage @param {string} token @param {number} minute the current one @returns {[number, number][]} */
export function takeRecent(storage, token, minute) {
  const kept = parse(storage.getItem(KEPT_AS));
  storage.removeItem(KEPT_AS);
  if (kept?.owner !== ownerOf(token) || !Array.isArray(kept.earned) || !Number.isInteger(kept.minute) || Math.abs(minute - kept.minute) > MINUTES) return [];
  return kept.earned.slice(-MINUTES).flatMap((/** @type {unknown} */ amount, /** @type {number} */ i) =>
    (typeof amount === 'number' && amount > 0 ? [[kept.minute - MINUTES + 1 + i, amount]] : []));
}

/** @param {string | null} text @returns {any} null where it is no JSON */
function parse(text) {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}

/**
 * Earnings of the last minutes, stored over a reload: a report that the server has cached does not contain them yet, and a total on the screen
 * must not be smaller after a reload. They belong to one access and to one tab.
 */

/** @typedef {import('./storage.js').SafeStorage} SafeStorage */

const STORAGE_KEY = 'studio-pulse.recent';
const MINUTES = 2;
/**
 * Identifies an access by the end of its token (too short to be used; empty with a session cookie), its expiry and its scope.
 * @param {string} token @param {import('./store.js').Store} store
 */
export const ownerOf = (token, { tokenExpiresAt, scope }) => JSON.stringify([token.slice(-8), tokenExpiresAt, scope]);

/** @param {SafeStorage} storage @param {string} owner @param {import('./ledger.js').Ledger} ledger @param {number} minute the current one */
export function saveRecent(storage, owner, ledger, minute) {
  storage.setItem(STORAGE_KEY, JSON.stringify({ owner, minute, earned: ledger.series(minute, MINUTES) }));
}

/** Returns and removes the earnings stored for this access within the last minutes. @param {SafeStorage} storage @param {string} owner @param {number} minute the current one @returns {[number, number][]} */
export function takeRecent(storage, owner, minute) {
  const kept = parse(storage.getItem(STORAGE_KEY));
  storage.removeItem(STORAGE_KEY);
  if (
    kept?.owner !== owner ||
    !Array.isArray(kept.earned) ||
    !Number.isInteger(kept.minute) ||
    Math.abs(minute - kept.minute) > MINUTES
  )
    return [];
  return kept.earned
    .slice(-MINUTES)
    .flatMap((/** @type {unknown} */ amount, /** @type {number} */ i) =>
      typeof amount === 'number' && amount > 0 ? [[kept.minute - MINUTES + 1 + i, amount]] : [],
    );
}

/** @param {string | null} text @returns {any} null where it is no JSON */
function parse(text) {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}

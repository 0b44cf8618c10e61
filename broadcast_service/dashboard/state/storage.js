/**
 * Web storage that cannot fail: where the browser has none, blocks it, or refuses a value (quota), memory takes its place for the life of
 * the page.
 */

/**
 * @typedef {object} SafeStorage
 * @property {(key: string) => string | null} getItem
 * @property {(key: string, value: string) => void} setItem
 * @property {(key: string) => void} removeItem
 * @property {(key: string) => boolean} survives whether the value is in the browser's storage, and so is there after a reload
 */

/** @param {() => Storage | null | undefined} open reading the property can throw; the value can be null or undefined @returns {SafeStorage} */
export function storageOf(open) {
  const storage = attempt(open) ?? null;
  /** @type {Map<string, string | null>} what the browser did not take; null is a value whose removal it refused */
  const memory = new Map();
  const stored = (/** @type {string} */ key) => attempt(() => storage?.getItem(key)) ?? null;
  return {
    getItem: (key) => (memory.has(key) ? (memory.get(key) ?? null) : stored(key)),
    setItem: (key, value) => {
      memory.delete(key);
      attempt(() => storage?.setItem(key, value));
      if (stored(key) !== value) memory.set(key, value);
    },
    removeItem: (key) => {
      memory.delete(key);
      attempt(() => storage?.removeItem(key));
      if (stored(key) !== null) memory.set(key, null);
    },
    survives: (key) => !memory.has(key) && stored(key) !== null,
  };
}

/** @template T @param {() => T} run @returns {T | undefined} undefined where it throws */
function attempt(run) {
  try {
    return run();
  } catch {
    return;
  }
}

/** Web storage, or, where the browser blocks it, a stand-in that lasts as long as the page. */

/** @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} Kept */

/** @param {() => Storage} open reading the property is what throws @returns {Kept} */
export function storageOf(open) {
  try {
    return open();
  } catch {
    /** @type {Map<string, string>} */
    const kept = new Map();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => { kept.set(key, value); }, removeItem: (key) => { kept.delete(key); } };
  }
}

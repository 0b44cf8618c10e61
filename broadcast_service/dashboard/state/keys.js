/** What keys mean on this page, pure. Keys typed into a field are letters; with Ctrl, Cmd or Alt they belong to the browser. */

/** @typedef {'search' | 'live' | 'analytics' | 'next' | 'previous' | 'wall' | 'palette' | 'copy'} KeyCommand */
/** @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, repeat?: boolean}} Press */

/** @type {Record<string, KeyCommand>} */
const KEYS = { '/': 'search', 'g l': 'live', 'g a': 'analytics', j: 'next', k: 'previous', w: 'wall', c: 'copy' };
/** The second key of a pair has to follow within this time. */
const PAIR_MS = 1500;

export class KeyReader {
  #first = '';
  #firstMs = -Infinity;

  /** @param {Press} press @param {boolean} typing whether a field or a dialog has the focus @param {number} nowMs @returns {KeyCommand | null} */
  read({ key, ctrlKey, metaKey, altKey, repeat }, typing, nowMs) {
    if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'k') return 'palette';
    if (ctrlKey || metaKey || altKey || typing || key.length !== 1) {
      if (key !== 'Shift') this.#first = '';
      return null;
    }
    const first = nowMs - this.#firstMs <= PAIR_MS ? this.#first : '';
    const letter = key.toLowerCase();
    const command = KEYS[first ? `${first} ${letter}` : letter] ?? null;
    this.#first = !first && letter === 'g' ? 'g' : '';
    this.#firstMs = nowMs;
    return repeat && command !== 'next' && command !== 'previous' ? null : command;
  }
}

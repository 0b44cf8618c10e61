/** How long to wait before the next attempt: exponential backoff with full jitter. */

const BACKOFF_MIN_MS = 500;
/** A page is right again within seconds of the server's return, so no wait between attempts is longer. */
const BACKOFF_MAX_MS = 10_000;
/** After a link that lived this long the next failure starts again from the shortest wait. */
const STABLE_AFTER_MS = 10_000;

/**
 * Full jitter: anywhere between nothing and a ceiling that doubles, so that a thousand walls do not return at the same moment.
 * @param {number} attempt from 0
 * @param {() => number} random
 */
export function backoffMs(attempt, random) {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt);
}

export class Backoff {
  #attempt = 0;
  /** 0 while there is no link. */
  #liveSinceMs = 0;
  /** @type {() => number} */
  #random;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
  }

  reset() {
    this.#attempt = 0;
  }

  /** The link came up. @param {number} nowMs */
  connected(nowMs) {
    this.#liveSinceMs = nowMs;
  }

  /** Milliseconds to wait before the next attempt. @param {number} nowMs */
  nextMs(nowMs) {
    if (this.#liveSinceMs && nowMs - this.#liveSinceMs > STABLE_AFTER_MS) this.#attempt = 0;
    this.#liveSinceMs = 0;
    return backoffMs(this.#attempt++, this.#random);
  }
}

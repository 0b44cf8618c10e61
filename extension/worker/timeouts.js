/** Time limits for Chrome's storage, which may reject or never answer: without them the badge would show an outdated state. */

/** @template T @param {number} milliseconds @param {Promise<T>} promise @returns {Promise<T>} rejects when the time is over */
export function withTimeout(milliseconds, promise) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const limit = new Promise((/** @type {(value: never) => void} */ _resolve, reject) => {
    timer = setTimeout(() => reject(new DOMException('it did not answer in time', 'TimeoutError')), milliseconds);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** After a job has hung, the next ones fail at once for a while: a queue of waiting jobs would be as bad as one that hangs. */
export class CircuitBreaker {
  #brokenUntil = 0;
  #limitMs;
  #pauseMs;
  #now;

  /** @param {{ limitMs: number, pauseMs: number, now: () => number }} limits */
  constructor({ limitMs, pauseMs, now }) {
    this.#limitMs = limitMs;
    this.#pauseMs = pauseMs;
    this.#now = now;
  }

  /** @template T @param {() => Promise<T>} job @param {number} [limitMs] @returns {Promise<T>} */
  async run(job, limitMs = this.#limitMs) {
    const now = this.#now();
    if (now < this.#brokenUntil && this.#brokenUntil - now <= this.#pauseMs)
      throw new DOMException('it hung a moment ago', 'TimeoutError');
    try {
      return await withTimeout(limitMs, job());
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError')
        this.#brokenUntil = this.#now() + this.#pauseMs;
      throw error;
    }
  }
}

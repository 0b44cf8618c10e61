/**
 * The server's clock as seen from here.
 *
 * Ages of values are server time minus the time they were read, so a browser whose clock is wrong would call fresh values old.
 * A `time_ms` is late by the time it travelled, never early: the largest difference of the last few is the nearest to the truth.
 */

const SAMPLES_KEPT = 8;
/** Beyond this a difference is not travel time: one of the clocks was set, or the computer slept. */
const JUMP_MS = 2000;

export class ServerClock {
  /** @type {number[]} */
  #samples = [];
  /** @type {number | null} */
  #countFailure = null;
  #offsetMs = 0;

  /**
   * @param {number} serverMs the server's clock when it wrote the message
   * @param {number} localMs the browser's clock when the message arrived
   */
  sample(serverMs, localMs) {
    const difference = serverMs - localMs;
    if (this.#samples.length > 0 && !this.#believable(difference)) return;
    this.#countFailure = null;
    const sameClocks = Math.abs(difference - this.#offsetMs) <= JUMP_MS;
    this.#samples = [...(sameClocks ? this.#samples : []), difference].slice(-SAMPLES_KEPT);
    this.#offsetMs = Math.max(...this.#samples);
  }

  /** @param {number} localMs */
  now(localMs) {
    return localMs + this.#offsetMs;
  }

  /**
   * A message that seems far too late may have waited in a sleeping computer; taking it at its word would make old values look
   * fresh. Messages that waited disagree with each other, a clock that was set does not: so the next one decides.
   * @param {number} difference
   */
  #believable(difference) {
    if (difference >= this.#offsetMs - JUMP_MS) return true;
    const confirmed = this.#countFailure !== null && Math.abs(difference - this.#countFailure) <= JUMP_MS;
    this.#countFailure = difference;
    return confirmed;
  }
}

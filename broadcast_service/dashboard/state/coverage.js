/**
 * The minutes in which any room was read, pure. The income of the others is not known: it is neither zero nor a sign that a room earns nothing.
 *
 * The server's history names the measured minutes of the past, and readings that arrive mark their own.
 */

/** A missing minute or two is how requests travel; a longer gap is an outage. */
const MAX_MISSING = 2;

export class Coverage {
  /** @type {Set<number>} minutes since the epoch */
  #measured = new Set();

  /** @param {number} capacityMinutes older minutes are forgotten */
  constructor(capacityMinutes) {
    this.capacityMinutes = capacityMinutes;
  }

  /** @param {number} minute of a reading */
  mark(minute) {
    if (this.#measured.has(minute)) return;
    this.#measured.add(minute);
    if (this.#measured.size <= this.capacityMinutes) return;
    for (const old of this.#measured) if (old <= minute - this.capacityMinutes) this.#measured.delete(old);
  }

  /** @param {number} minute */
  has(minute) {
    return this.#measured.has(minute);
  }

  /** @param {number} fromMinute @param {number} toMinute both inclusive @returns {number} how many minutes were measured */
  count(fromMinute, toMinute) {
    let count = 0;
    for (let minute = fromMinute; minute <= toMinute; minute++) if (this.#measured.has(minute)) count++;
    return count;
  }

  /** Whether nothing is missing but what may be on its way. @param {number} fromMinute @param {number} toMinute both inclusive */
  isWhole(fromMinute, toMinute) {
    return this.count(fromMinute, toMinute) >= toMinute - fromMinute + 1 - MAX_MISSING;
  }

  /** For how many minutes up to one there was no outage, at most `most`. @param {number} toMinute @param {number} most */
  unbroken(toMinute, most) {
    let missing = 0;
    for (let count = 0; count < most; count++) {
      missing = this.#measured.has(toMinute - count) ? 0 : missing + 1;
      if (missing > MAX_MISSING) return count + 1 - missing;
    }
    return most;
  }

  /**
   * A series of earnings with null where nothing is known of a minute.
   * @param {number[]} amounts one for each minute up to `toMinute` @param {number} toMinute
   * @returns {(number | null)[]}
   */
  known(amounts, toMinute) {
    return amounts.map((amount, i) =>
      amount > 0 || this.#measured.has(toMinute - amounts.length + 1 + i) ? amount : null,
    );
  }
}

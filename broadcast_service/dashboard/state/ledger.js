/**
 * Tokens earned, minute by minute.
 *
 * Two sources meet here without counting anything twice: minutes up to `settledMinute` come from the server's history (which also
 * holds what arrived late or before this page was opened), later minutes from the income seen live. Both count by the rules of
 * `income.js`, else a total would change when history settles.
 */

export class Ledger {
  /** @type {Map<number, number>} earned by minute since the epoch */
  #minutes = new Map();
  /** @type {{minute: number, sinceMinute: number, amount: number}[]} the part of it that was earned while nothing was received, since an earlier minute */
  #overGaps = [];

  /** @param {number} capacityMinutes older minutes are forgotten */
  constructor(capacityMinutes) {
    this.capacityMinutes = capacityMinutes;
  }

  /** @param {number} minute @param {number} amount @param {number} [sinceMinute] the minute of the reading before */
  add(minute, amount, sinceMinute = minute) {
    if (amount === 0) return;
    if (sinceMinute < minute - 1) this.#overGaps.push({ minute, sinceMinute, amount });
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + amount);
    if (this.#minutes.size > this.capacityMinutes) this.#forget(minute - this.capacityMinutes);
  }

  /**
   * History replaces every minute that it covers. In a minute that is not over it may have answered before the newest readings: the greater of
   * the two sums is used, so that a total never falls. Income over a gap is in history's minutes of the gap.
   * @param {Map<number, number>} earned by minute
   * @param {number} settledMinute the last minute that history covers
   * @param {number} [openMinute] the first minute that is not over
   */
  settle(earned, settledMinute, openMinute = Infinity) {
    for (const { minute, sinceMinute, amount } of this.#overGaps)
      if (minute >= openMinute && minute <= settledMinute && sinceMinute < openMinute) this.add(minute, -amount);
    this.#overGaps = this.#overGaps.filter(({ minute }) => minute > settledMinute);
    const kept = [...this.#minutes].filter(([minute]) => minute > settledMinute || minute >= openMinute);
    const settled = [...earned].filter(([minute, amount]) => minute <= settledMinute && amount > 0);
    const minutes = new Map(settled);
    for (const [minute, amount] of kept) minutes.set(minute, Math.max(amount, minutes.get(minute) ?? 0));
    this.#minutes = minutes;
  }

  /** @param {number} fromMinute @param {number} toMinute both inclusive */
  sum(fromMinute, toMinute) {
    let total = 0;
    for (const [minute, amount] of this.#minutes) if (minute >= fromMinute && minute <= toMinute) total += amount;
    return total;
  }

  /** The last `count` minutes up to `toMinute`, oldest first. @param {number} toMinute @param {number} count */
  series(toMinute, count) {
    return Array.from({ length: count }, (_, i) => this.#minutes.get(toMinute - count + 1 + i) ?? 0);
  }

  /** @param {number} beforeMinute */
  #forget(beforeMinute) {
    for (const minute of this.#minutes.keys()) if (minute <= beforeMinute) this.#minutes.delete(minute);
    this.#overGaps = this.#overGaps.filter(({ minute }) => minute > beforeMinute);
  }
}

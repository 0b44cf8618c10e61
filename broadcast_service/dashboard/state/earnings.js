/**
 * Tokens earned, minute by minute. Earned is the sum of positive differences of a balance: a fall is a cash-out, not a loss.
 *
 * Two sources meet here without counting anything twice: minutes up to `settledMinute` come from the server's history (which also
 * holds what arrived late or before this page was opened), later minutes from the differences seen live. Both count by the same rules
 * (`shared/contract/history_record.py`), else a total would change when history settles.
 */

/** A larger rise is set aside where the balance returns. */
const MAX_RISE = 250;
/** Within which a balance returns to where it was before a reading that was none. */
const RETURN_SECONDS = 30;

/** @param {number | null} before @param {number} after */
export function gain(before, after) {
  return before === null ? 0 : Math.max(0, after - before);
}

/** The balance of one account, minute by minute, as history counts it. */
export class Account {
  #minute = -Infinity;
  /** @type {number | null} the last balance of earlier minutes */
  #before = null;
  /** @type {{at: number, tokens: number}[]} readings of this minute that none after them contradicts */
  #kept = [];
  #counted = 0;

  /**
   * Returns what to add to this minute. It is negative where a rise that was counted turns out to have been none.
   * @param {number} tokens @param {number} at Unix seconds of the reading
   */
  read(tokens, at) {
    const minute = Math.floor(at / 60);
    if (minute > this.#minute) {
      this.#before = this.#kept.at(-1)?.tokens ?? null;
      this.#minute = minute;
      this.#kept = [];
      this.#counted = 0;
    }
    this.#keep({ at, tokens });
    let total = 0;
    let before = this.#before;
    for (const reading of this.#kept) {
      total += gain(before, reading.tokens);
      before = reading.tokens;
    }
    const change = total - this.#counted;
    this.#counted = total;
    return change;
  }

  /** Sets aside what the reading contradicts: a placeholder, a slipped digit, a number read half-drawn. @param {{at: number, tokens: number}} reading */
  #keep(reading) {
    const kept = this.#kept;
    let end = kept.length;
    for (let i = kept.length - 1; i > 0; i--) {
      const [before, odd] = kept.slice(i - 1, i + 1);
      if (!before || !odd || reading.at - odd.at > RETURN_SECONDS) break;
      const leapt = odd.tokens < before.tokens || odd.tokens > before.tokens + MAX_RISE;
      if (leapt && before.tokens <= reading.tokens && reading.tokens <= before.tokens + MAX_RISE) end = i;
    }
    kept.splice(end, Infinity, reading);
  }
}

export class Ledger {
  /** @type {Map<number, number>} earned by minute since the epoch */
  #minutes = new Map();

  /** @param {number} capacityMinutes older minutes are forgotten */
  constructor(capacityMinutes) {
    this.capacityMinutes = capacityMinutes;
  }

  /** @param {number} minute @param {number} amount negative: subtracts an earlier amount; no minute falls below 0 */
  add(minute, amount) {
    if (amount === 0) return;
    this.#minutes.set(minute, Math.max(0, (this.#minutes.get(minute) ?? 0) + amount));
    if (this.#minutes.size > this.capacityMinutes) this.#forget(minute - this.capacityMinutes);
  }

  /**
   * History replaces every minute that it covers. In a minute that is not over it may have answered before the newest readings: the greater of
   * the two sums stands, so that a total never falls.
   * @param {Map<number, number>} earned by minute
   * @param {number} settledMinute the last minute that history covers
   * @param {number} [openMinute] the first minute that is not over
   */
  settle(earned, settledMinute, openMinute = Infinity) {
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
  }
}

/**
 * Income of one account from its balances, by the rules of docs/income.md. Pure. `shared/income/rules.py` has the same rules;
 * both are checked against tests/income_cases.json.
 *
 * A rise is income at the moment of its later reading. A fall, or a rise of more than is plausible, is pending until the readings of the
 * following `CONFIRM_MS` (or the next reading, if there is none in that time) agree with it. Where they return to the balance before it,
 * the odd readings are set aside.
 */

/** @typedef {{atMs: number, tokens: number, room: string}} Reading */
/** @typedef {'income' | 'between_sessions' | 'unsettled' | 'set_aside' | 'fall'} Kind */
/**
 * One finding. `tokens` is the gain or the bound; of a reading that was set aside it is the number that was read, of a fall the lower balance.
 * @typedef {{kind: Kind, atMs: number, tokens: number, room: string, before: number}} Entry
 */

/** Tokens; always plausible. */
export const SMALL_RISE = 250;
/** Never plausible at once. */
export const LARGE_RISE = 1000;
export const CONFIRM_MS = 30_000;
/** A fall between readings that are further apart may hide income. */
export const HIDDEN_MS = 60_000;
/** A rise across a longer gap was made between sessions. */
export const SESSION_GAP_MS = 15 * 60_000;

/**
 * By how many tokens a balance may rise between two readings without a confirmation: up to its own size, within bounds. A digit too many makes
 * a number about ten times as large, so a rise that does not double a balance is none.
 * @param {number} balance
 */
export const plausible = (balance) => Math.max(SMALL_RISE, Math.min(LARGE_RISE, balance));

/** The readings of one account in order of observation; `read` and `settle` return what became certain. */
export class Account {
  /** @type {Reading | null} the last balance that is believed */
  base = null;
  /** @type {Reading | null} */
  #first = null;
  /** @type {Reading[]} */
  #pending = [];

  /** @param {{seenBefore?: boolean}} [terms] `seenBefore`: the first balance that is read here is not the account's first one ever */
  constructor({ seenBefore = false } = {}) {
    this.seenBefore = seenBefore;
  }

  get isSettled() {
    return this.#pending.length === 0;
  }

  /** Takes the next reading. @param {Reading} reading @returns {Entry[]} */
  read(reading) {
    const { base } = this;
    if (base === null) {
      this.base = this.#first = reading;
      return [];
    }
    if (this.#pending.length > 0) return this.#judge(reading, base);
    if (reading.tokens >= base.tokens && reading.tokens <= base.tokens + plausible(base.tokens))
      return this.#rise(reading, base);
    if (reading.tokens > base.tokens && this.#firstIsDoubtful(reading, base)) {
      this.base = reading;
      return [
        setAside(base, reading),
        { ...entryOf(reading, base), kind: 'unsettled', tokens: reading.tokens - base.tokens },
      ];
    }
    this.#pending.push(reading);
    return [];
  }

  /** Confirms pending entries that are old enough and not contradicted. @param {number} nowMs @returns {Entry[]} */
  settle(nowMs) {
    /** @type {Entry[]} */
    const found = [];
    while (this.#pending.length > 1 && nowMs - (this.#pending[0]?.atMs ?? nowMs) > CONFIRM_MS)
      found.push(...this.#confirm());
    return found;
  }

  /** What the pending readings would add if they were confirmed: the bound of it, as unsettled. @returns {Entry[]} */
  provisional() {
    if (this.#pending.length === 0) return [];
    const copy = new Account();
    copy.base = this.base;
    copy.#pending = [...this.#pending];
    /** @type {Entry[]} */
    const found = [];
    while (copy.#pending.length > 0) found.push(...copy.#confirm());
    return found
      .map((entry) => (isCertain(entry) ? { ...entry, kind: /** @type {Kind} */ ('unsettled') } : entry))
      .filter(({ kind, tokens }) => kind === 'unsettled' && tokens > 0);
  }

  /** Whether the first balance, which a leap follows at once, was a placeholder. @param {Reading} reading @param {Reading} base */
  #firstIsDoubtful(reading, base) {
    const first = this.#first;
    if (first === null || !(base.tokens === 0 || this.seenBefore)) return false;
    return base === first || reading.atMs - first.atMs <= CONFIRM_MS;
  }

  /** Takes a reading while an odd one is pending. @param {Reading} reading @param {Reading} base @returns {Entry[]} */
  #judge(reading, base) {
    const odd = /** @type {Reading} */ (this.#pending[0]);
    if (reading.atMs - odd.atMs > CONFIRM_MS && this.#pending.length > 1)
      return [...this.#confirm(), ...this.read(reading)];
    if (returns(reading, odd, base)) {
      this.#pending = [];
      return [setAside(odd, base), ...doubt(reading, odd, base), ...this.read(reading)];
    }
    this.#pending.push(reading);
    return this.settle(reading.atMs);
  }

  /** Takes the first pending reading for true, or sets it aside where the others deny it; then takes the others anew. @returns {Entry[]} */
  #confirm() {
    const [first, ...others] = this.#pending;
    const odd = /** @type {Reading} */ (first);
    const base = /** @type {Reading} */ (this.base);
    this.#pending = [];
    const { found, kept } = this.#verdict(odd, others, base);
    return [...found, ...kept.flatMap((reading) => this.read(reading))];
  }

  /** @param {Reading} odd @param {Reading[]} others @param {Reading} base @returns {{found: Entry[], kept: Reading[]}} */
  #verdict(odd, others, base) {
    if (odd.tokens < base.tokens) {
      this.base = odd;
      return { found: fall(odd, base), kept: others };
    }
    const last = others.at(-1)?.tokens ?? odd.tokens;
    const isSlip = hasDigitTooMany(odd.tokens, base.tokens);
    const isCashedOut = last < base.tokens && !isSlip;
    if (last >= odd.tokens - SMALL_RISE || isCashedOut) return { found: this.#rise(odd, base), kept: others };
    const kept = others.filter((reading) => reading.tokens <= last + SMALL_RISE);
    const tokens = isSlip ? 0 : odd.tokens - Math.max(last, base.tokens);
    /** @type {Entry[]} */
    const found = [setAside(odd, base)];
    if (tokens > 0) found.push({ ...entryOf(odd, base), kind: 'unsettled', tokens });
    return { found, kept };
  }

  /** @param {Reading} reading @param {Reading} base @returns {Entry[]} */
  #rise(reading, base) {
    this.base = reading;
    const tokens = reading.tokens - base.tokens;
    const kind = reading.atMs - base.atMs > SESSION_GAP_MS ? 'between_sessions' : 'income';
    return tokens > 0 ? [{ ...entryOf(reading, base), kind, tokens }] : [];
  }
}

/** @param {Entry} entry */
export const isCertain = ({ kind }) => kind === 'income' || kind === 'between_sessions';

/** Whether a number is a balance with a digit after it, but for what may have been earned meanwhile. @param {number} tokens @param {number} balance */
const hasDigitTooMany = (tokens, balance) =>
  Math.abs(Math.floor(tokens / 10) - balance) <= Math.floor(balance / 10) + 5;

/** Whether a reading shows that the balance never was where the odd reading put it. @param {Reading} reading @param {Reading} odd @param {Reading} base */
function returns(reading, odd, base) {
  if (odd.tokens < base.tokens) return reading.tokens >= base.tokens;
  const gained = reading.tokens - base.tokens;
  return gained >= 0 && gained <= plausible(base.tokens) && gained <= odd.tokens - reading.tokens;
}

/**
 * What may have been earned if the odd reading was true after all: it was read long ago, or the fall was a small one.
 * @param {Reading} reading @param {Reading} odd @param {Reading} base @returns {Entry[]}
 */
function doubt(reading, odd, base) {
  let tokens = 0;
  if (reading.atMs - odd.atMs > HIDDEN_MS) tokens = odd.tokens < base.tokens ? base.tokens - odd.tokens : odd.tokens;
  else if (odd.tokens > 0 && odd.tokens < base.tokens && base.tokens <= odd.tokens + SMALL_RISE)
    tokens = base.tokens - odd.tokens;
  return tokens > 0 ? [{ ...entryOf(reading, base), kind: 'unsettled', tokens }] : [];
}

/** A cash-out or spending. Where the account was not read for a while, up to the lower balance may have been earned after it. @param {Reading} odd @param {Reading} base @returns {Entry[]} */
function fall(odd, base) {
  const entry = entryOf(odd, base);
  /** @type {Entry[]} */
  const found = [{ ...entry, kind: 'fall', tokens: odd.tokens }];
  if (odd.tokens > 0 && odd.atMs - base.atMs > HIDDEN_MS)
    found.push({ ...entry, kind: 'unsettled', tokens: odd.tokens });
  return found;
}

/** @param {Reading} odd @param {Reading} base @returns {Entry} */
const setAside = (odd, base) => ({ ...entryOf(odd, base), kind: 'set_aside', tokens: odd.tokens });

/** @param {Reading} reading @param {Reading} base */
const entryOf = (reading, base) => ({ atMs: reading.atMs, room: reading.room, before: base.tokens });

/** Readings in order of observation, each once, however they arrived. @param {Iterable<Reading>} readings @returns {Reading[]} */
export function inOrder(readings) {
  const sorted = [...readings].sort(
    (a, b) => a.atMs - b.atMs || a.tokens - b.tokens || (a.room < b.room ? -1 : Number(a.room > b.room)),
  );
  return sorted.filter((reading, i) => {
    const before = sorted[i - 1];
    return !before || before.atMs !== reading.atMs || before.tokens !== reading.tokens || before.room !== reading.room;
  });
}

/** All entries that the readings of one account give by now; pending ones are unsettled. @param {Iterable<Reading>} readings @param {number} nowMs @returns {Entry[]} */
export function judge(readings, nowMs) {
  const account = new Account();
  const found = inOrder(readings).flatMap((reading) => account.read(reading));
  return [...found, ...account.settle(nowMs), ...account.provisional()];
}

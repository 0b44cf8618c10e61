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
/** A number with a digit in front of it may as well be a round tip. */
export const SMALL_BALANCE = 100;
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
      const doubtful = doubt(base, this.#pending, reading);
      this.#pending = [];
      return [setAside(odd, base), ...doubtful, ...this.read(reading)];
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
    const isFall = odd.tokens < base.tokens;
    const denied = deniedBy(base, odd, others);
    /** @type {Entry[]} */
    const found = [];
    if (denied === null) found.push(...(isFall ? this.#fall(odd, base) : this.#rise(odd, base)));
    else {
      found.push(setAside(odd, base), ...boundOfDenied(base, odd, others));
      others.splice(0, denied);
      if (isFall) found.push(...this.#fall(/** @type {Reading} */ (others.shift()), base));
    }
    for (const reading of others) found.push(...this.read(reading));
    return found;
  }

  /** @param {Reading} reading @param {Reading} base @returns {Entry[]} */
  #rise(reading, base) {
    this.base = reading;
    const tokens = reading.tokens - base.tokens;
    const kind = reading.atMs - base.atMs > SESSION_GAP_MS ? 'between_sessions' : 'income';
    return tokens > 0 ? [{ ...entryOf(reading, base), kind, tokens }] : [];
  }

  /**
   * A cash-out or spending. After a pause without readings, up to the lower balance may have been earned since it.
   * @param {Reading} reading @param {Reading} base @returns {Entry[]}
   */
  #fall(reading, base) {
    this.base = reading;
    const entry = { ...entryOf(reading, base), tokens: reading.tokens };
    const isHidden = reading.tokens > 0 && reading.atMs - base.atMs > HIDDEN_MS;
    return [{ ...entry, kind: 'fall' }, ...(isHidden ? [{ ...entry, kind: /** @type {Kind} */ ('unsettled') }] : [])];
  }
}

/** @param {Entry} entry */
export const isCertain = ({ kind }) => kind === 'income' || kind === 'between_sessions';

/** Whether a number is a balance with a digit after it, but for what may have been earned meanwhile. @param {number} tokens @param {number} balance */
const hasDigitTooMany = (tokens, balance) =>
  Math.abs(Math.floor(tokens / 10) - balance) <= Math.floor(balance / 10) + 5;

/** The numbers that are left where one digit is missing. @param {number} tokens */
function withoutADigit(tokens) {
  const digits = String(tokens);
  return [...digits].map((_, at) => Number(digits.slice(0, at) + digits.slice(at + 1)));
}

/** Whether a page may have shown a number in place of a balance: 0, a part of it, or the balance without one of its digits. @param {number} tokens @param {number} balance */
const looksMisread = (tokens, balance) => tokens <= Math.floor(balance / 8) || withoutADigit(balance).includes(tokens);

/** Whether a reading shows that the balance never was where the odd reading put it. @param {Reading} reading @param {Reading} odd @param {Reading} base */
function returns(reading, odd, base) {
  if (odd.tokens < base.tokens) return reading.tokens >= base.tokens;
  const gained = reading.tokens - base.tokens;
  return gained >= 0 && gained <= plausible(base.tokens) && gained <= odd.tokens - reading.tokens;
}

/** The sum of the rises: the income if every reading is true. @param {Reading[]} readings */
function risesOf(readings) {
  let total = 0;
  for (const [i, { tokens }] of readings.entries()) total += Math.max(0, tokens - (readings[i - 1]?.tokens ?? tokens));
  return total;
}

/**
 * The income beyond the rise from `base` to `reading` if the readings between them were true after all.
 * @param {Reading} base @param {Reading[]} pending @param {Reading} reading @returns {Entry[]}
 */
function doubt(base, pending, reading) {
  const odd = /** @type {Reading} */ (pending[0]);
  const isFall = odd.tokens < base.tokens;
  const isLate = reading.atMs - odd.atMs > HIDDEN_MS;
  const isDoubtful = isLate || (isFall ? isFallDoubtful(base, odd, reading) : isLeapDoubtful(base, pending));
  const gained = reading.tokens - base.tokens;
  const tokens = isLate && !isFall ? odd.tokens : risesOf([base, ...pending, reading]) - gained;
  return isDoubtful && tokens > 0 ? [{ ...entryOf(reading, base), kind: 'unsettled', tokens }] : [];
}

/** @param {Reading} base @param {Reading} odd @param {Reading} reading */
function isFallDoubtful(base, odd, reading) {
  const gained = reading.tokens - base.tokens;
  const lost = base.tokens - odd.tokens;
  if (!looksMisread(odd.tokens, base.tokens) && !looksMisread(odd.tokens, reading.tokens)) return true;
  if (gained === 0) return odd.tokens > 0 && lost <= SMALL_RISE;
  const isHidden = odd.tokens > 0 && odd.atMs - base.atMs > HIDDEN_MS;
  return lost <= LARGE_RISE || gained > plausible(base.tokens) || isHidden;
}

/** Whether a large tip and a cash-out are as likely: a round tip on a small balance looks like a digit in front of it. @param {Reading} base @param {Reading[]} pending */
const isLeapDoubtful = (base, pending) =>
  pending.some(({ tokens }) => tokens < base.tokens) ||
  (base.tokens < SMALL_BALANCE && !hasDigitTooMany(pending[0]?.tokens ?? 0, base.tokens));

/**
 * The position of the first reading that shows an odd one to be wrong, null where there is none.
 *
 * A leap is denied by a lower balance that is not below the one before it: below it is a cash-out, and spending is small beside the leap.
 * A fall to 0 during a pause without readings is denied by any balance, since pages show 0 while they load.
 * @param {Reading} base @param {Reading} odd @param {Reading[]} others @returns {number | null}
 */
function deniedBy(base, odd, others) {
  if (odd.tokens < base.tokens) {
    const after = others.findIndex(({ tokens }) => tokens > 0);
    return odd.tokens > 0 || odd.atMs - base.atMs <= HIDDEN_MS || after < 0 ? null : after;
  }
  const isSlip = hasDigitTooMany(odd.tokens, base.tokens);
  const spent = isSlip ? 0 : Math.min(SMALL_RISE, Math.floor((odd.tokens - base.tokens) / 10));
  const isLower = (/** @type {Reading} */ { tokens }) => tokens < odd.tokens - spent;
  const last = others.at(-1);
  if (!last || last.tokens >= odd.tokens || !others.some(isLower)) return null;
  const isDenied = isSlip || others.some((reading) => isLower(reading) && reading.tokens >= base.tokens);
  return isDenied ? others.findIndex(isLower) : null;
}

/**
 * The income beyond the rise to the last reading if an odd one that was denied is true. One with a digit too many is not.
 * @param {Reading} base @param {Reading} odd @param {Reading[]} others @returns {Entry[]}
 */
function boundOfDenied(base, odd, others) {
  if (odd.tokens < base.tokens) return []; // the fall to the balance that denies it has its own bound
  const last = Math.max(base.tokens, others.at(-1)?.tokens ?? 0);
  const tokens = risesOf([base, odd, ...others]) - (last - base.tokens);
  if (tokens === 0 || (hasDigitTooMany(odd.tokens, base.tokens) && tokens > LARGE_RISE)) return [];
  return [{ ...entryOf(odd, base), kind: 'unsettled', tokens }];
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

/** What the page shows of an explanation of income: rows in order of time, and the sentences of each. Pure. */

import { daysBefore, midnightOf, nextMidnightOf } from './zone.js';

/** @typedef {import('../link/api.js').Line} Line */
/** @typedef {import('../link/api.js').Explanation} Explanation */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {{key: MessageKey, values: Record<string, number>, spanMs?: number}} Sentence `spanMs` is a length of time to be put in as `{span}` */
/**
 * @typedef {{kind: 'line', line: Line} | {kind: 'account', account: string | null, atMs: number}
 *   | {kind: 'pause', fromMs: number, toMs: number} | {kind: 'day', atMs: number}} Row
 */

/** A longer time without a reading is a row of its own. */
export const PAUSE_MS = 5 * 60_000;
const ALTERNATION_MS = 60_000;
/** Fewer changes of the account within a minute each are a hand-over. */
const MIN_ALTERNATIONS = 4;

const VERDICTS = /** @type {Record<string, MessageKey>} */ ({
  income: 'why_income',
  between_sessions: 'why_between',
  unchanged: 'why_unchanged',
  baseline: 'why_baseline',
  fall: 'why_fall',
  pending: 'why_pending',
});
const REASONS = /** @type {Record<string, MessageKey>} */ ({
  confirmed_rise: 'why_confirmed_rise',
  read_as_zero: 'why_zero',
  extra_digit: 'why_extra_digit',
  missing_digits: 'why_missing_digits',
  returned: 'why_returned',
  contradicted: 'why_contradicted',
  first_balance: 'why_first_balance',
});
const DOUBTS = /** @type {Record<string, MessageKey>} */ ({
  first_balance: 'doubt_first_balance',
  contradicted: 'doubt_contradicted',
  long_gap: 'doubt_long_gap',
  small_fall: 'doubt_small_fall',
  unobserved_fall: 'doubt_unobserved_fall',
  pending: 'doubt_pending',
});

/** The sentences that explain the verdict of a line. @param {Line} line @returns {Sentence[]} */
export function sentencesOf(line) {
  const { before, balance, readings = 1, since_ms: since, from_ms: from, unsettled = [] } = line;
  const values = { before: before ?? balance, balance, count: readings };
  const spanMs = since === null ? 0 : from - since;
  const isPlain = line.verdict === 'income' && !line.reason;
  const key =
    line.verdict === 'baseline' && since === null
      ? 'why_first'
      : isPlain && readings > 1
        ? 'why_income_many'
        : line.verdict === 'unchanged' && readings > 1
          ? 'why_unchanged_many'
          : line.verdict === 'fall' && line.account === null
            ? 'why_fall_unnamed'
            : (REASONS[line.reason ?? ''] ?? VERDICTS[line.verdict] ?? 'why_other');
  const doubts = unsettled.map(({ reason, tokens }) => ({
    key: DOUBTS[reason] ?? 'doubt_other',
    values: { ...values, tokens },
    spanMs,
  }));
  const moved = line.moved ? [{ key: /** @type {MessageKey} */ ('why_moved'), values }] : [];
  return [{ key, values, spanMs }, ...moved, ...doubts];
}

/**
 * The lines with a row before each that begins another day (if there are several) or account, or follows a pause. Readings without a change share
 * a row. With `oddOnly` the lines in which nothing happened but a plain rise are left out, and so are pauses.
 * @param {Explanation} explanation @param {(ms: number) => string} dayOf names the day of a moment @param {boolean} [oddOnly]
 * @returns {Row[]}
 */
export function rowsOf({ lines, accounts }, dayOf, oddOnly = false) {
  /** @type {Row[]} */
  const rows = [];
  const days = new Set(lines.map(({ from_ms: ms }) => dayOf(ms))).size;
  let day = '';
  /** @type {string | null | undefined} */
  let account;
  /** @type {number | null} */
  let lastMs = null;
  for (const line of lines) {
    const isPause = lastMs !== null && line.from_ms - lastMs > PAUSE_MS;
    if (isPause && !oddOnly) rows.push({ kind: 'pause', fromMs: lastMs ?? 0, toMs: line.from_ms });
    if (!oddOnly || isOdd(line)) {
      const isNewDay = days > 1 && day !== dayOf(line.from_ms);
      if (isNewDay) rows.push({ kind: 'day', atMs: line.from_ms });
      if (accounts.length > 1 && (account !== line.account || isNewDay))
        rows.push({ kind: 'account', account: line.account, atMs: line.from_ms });
      day = dayOf(line.from_ms);
      account = line.account;
      addLine(rows, line);
    }
    lastMs = Math.max(lastMs ?? 0, line.at_ms);
  }
  return rows;
}

/** @param {Row[]} rows @param {Line} line */
function addLine(rows, line) {
  const last = rows.at(-1);
  const isSame =
    last?.kind === 'line' &&
    [last.line, line].every((one) => one.verdict === 'unchanged' && !isOdd(one)) &&
    last.line.account === line.account;
  if (isSame)
    rows[rows.length - 1] = {
      kind: 'line',
      line: { ...last.line, at_ms: line.at_ms, readings: (last.line.readings ?? 1) + (line.readings ?? 1) },
    };
  else rows.push({ kind: 'line', line });
}

/** Whether something else than a plain rise happened. @param {Line} line */
export const isOdd = ({ verdict, reason = '', unsettled = [] }) =>
  !['income', 'unchanged'].includes(verdict) || reason !== '' || unsettled.length > 0;

/**
 * An explanation of one account's income alone. @param {Explanation} explanation @param {string} account empty: what producers sent without one
 * @returns {Explanation}
 */
export function ofAccount(explanation, account) {
  const isIts = (/** @type {{account: string | null}} */ { account: name }) => (name ?? '') === account;
  const none = { earned: 0, between_sessions: 0, unsettled: 0, set_aside: 0, falls: 0 };
  const { account: _, ...sums } = explanation.accounts.find(isIts) ?? { account: null, ...none };
  return {
    ...explanation,
    ...sums,
    accounts: explanation.accounts.filter(isIts),
    lines: explanation.lines.filter(isIts),
  };
}

/** A span of at least an hour, then a day, then a week, around a smaller one. @param {number} from @param {number} to Unix seconds @param {string} zone empty: the reader's */
export function widerThan(from, to, zone) {
  if (to - from < 3600) return { from: from - 1800, to: to + 1800 };
  const day = { from: midnightOf(from * 1000, zone) / 1000, to: nextMidnightOf(from * 1000, zone) / 1000 };
  if (to <= day.to && to - from < day.to - day.from) return day;
  return { from: Math.max(0, daysBefore(to * 1000, 7, zone) / 1000), to };
}

/** Whether two accounts report from the room at the same time, which is two computers. @param {Explanation} explanation */
export function areTwoDesks({ lines }) {
  let changes = 0;
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1];
    if (!before || before.account === line.account) continue;
    changes = line.from_ms - before.at_ms <= ALTERNATION_MS ? changes + 1 : 0;
    if (changes >= MIN_ALTERNATIONS) return true;
  }
  return false;
}

/** A file of the lines: times in UTC, codes as in docs/protocol.md. @param {Explanation} explanation */
export function csvOf({ lines }) {
  const rows = lines.map((line) =>
    [
      new Date(line.from_ms).toISOString(),
      new Date(line.at_ms).toISOString(),
      safe(line.account ?? ''),
      line.before ?? '',
      line.balance,
      line.verdict,
      line.reason ?? '',
      line.earned,
      (line.unsettled ?? []).reduce((sum, { tokens }) => sum + tokens, 0),
      line.readings ?? 1,
    ].join(','),
  );
  return ['from,to,account,before,balance,verdict,reason,earned,unsettled,readings', ...rows, ''].join('\r\n');
}

/** A name that starts as a formula does gets an apostrophe. @param {string} name */
export const safe = (name) => (/^[=+\-@]/u.test(name) ? `'${name}` : name);

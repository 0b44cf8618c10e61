import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import {
  areTwoDesks,
  csvOf,
  isOdd,
  ofAccount,
  rowsOf,
  sentencesOf,
  widerThan,
} from '../../broadcast_service/dashboard/state/explanation.js';

/** @typedef {import('../../broadcast_service/dashboard/link/api.js').Line} Line */

/** @param {Partial<Line>} [line] @returns {Line} */
const lineOf = (line = {}) => ({
  account: 'ana',
  from_ms: 1_000_000,
  at_ms: line.from_ms ?? 1_000_000,
  since_ms: 995_000,
  before: 1000,
  balance: 1040,
  verdict: 'income',
  earned: 40,
  ...line,
});

/** @param {Line[]} lines */
const explanationOf = (lines) => ({
  room_id: 'blue',
  platform: 'camsoda',
  from: 0,
  to: 7200,
  merged_seconds: 0,
  earned: 0,
  between_sessions: 0,
  unsettled: 0,
  set_aside: 0,
  falls: 0,
  accounts: [...new Set(lines.map(({ account }) => account))].map((account) => ({
    account,
    earned: 0,
    between_sessions: 0,
    unsettled: 0,
    set_aside: 0,
    falls: 0,
  })),
  lines,
  omitted: 0,
});

/** @param {number} ms */
const dayOf = (ms) => String(Math.floor(ms / 86_400_000));

/** The codes that the server sends, read from its source. @param {string} file @param {RegExp} pattern */
const codesOf = (file, pattern) =>
  [...readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').matchAll(pattern)].map(([, code]) => code ?? '');

test('every verdict and reason of the server has words of its own in both languages', () => {
  const rules = 'shared/income/entries.py';
  const reasons = codesOf(rules, /^ {4}[A-Z_]+ = "([a-z_]+)"/gmu);
  assert.ok(reasons.length >= 15, 'the rules name their kinds and reasons');
  const verdicts = [
    ...['income', 'between_sessions', 'set_aside', 'fall'],
    ...codesOf('broadcast_service/reports/explanation.py', /^[A-Z]+: Final = "([a-z_]+)"/gmu),
  ];
  assert.deepEqual(verdicts.slice(4), ['baseline', 'unchanged', 'pending']);
  for (const verdict of verdicts.filter((name) => name !== 'set_aside'))
    assert.notEqual(sentencesOf(lineOf({ verdict }))[0]?.key, 'why_other', verdict);
  for (const reason of ['read_as_zero', 'extra_digit', 'missing_digits', 'returned', 'contradicted', 'first_balance']) {
    assert.ok(reasons.includes(reason), reason);
    assert.notEqual(sentencesOf(lineOf({ verdict: 'set_aside', reason }))[0]?.key, 'why_other', reason);
  }
  for (const reason of ['first_balance', 'contradicted', 'long_gap', 'small_fall', 'unobserved_fall', 'pending']) {
    assert.ok(reasons.includes(reason), reason);
    assert.notEqual(sentencesOf(lineOf({ unsettled: [{ reason, tokens: 3 }] }))[1]?.key, 'doubt_other', reason);
  }
});

test('a code that this page does not know is shown as a reading and a bound, not as nothing', () => {
  const [what, doubt] = sentencesOf(lineOf({ verdict: 'new', unsettled: [{ reason: 'newer', tokens: 3 }] }));
  assert.equal(what?.key, 'why_other');
  assert.equal(doubt?.key, 'doubt_other');
});

test('sentences leave no blank unfilled', () => {
  for (const language of /** @type {const} */ (['en', 'es'])) {
    const i18n = new I18n(language);
    for (const verdict of ['income', 'between_sessions', 'unchanged', 'baseline', 'fall', 'pending', 'other']) {
      for (const account of ['ana', null]) {
        const line = lineOf({
          verdict,
          account,
          readings: 2,
          moved: true,
          unsettled: [{ reason: 'long_gap', tokens: 7 }],
        });
        for (const { key, values, spanMs = 0 } of sentencesOf(line)) {
          const words = i18n.t(key, { ...values, span: i18n.span(spanMs / 1000) });
          assert.doesNotMatch(words, /[{}]|NaN|undefined/u);
        }
      }
    }
  }
});

test('a fall without an account may be another account, and a first balance is no income', () => {
  assert.equal(sentencesOf(lineOf({ verdict: 'fall', account: null }))[0]?.key, 'why_fall_unnamed');
  assert.equal(sentencesOf(lineOf({ verdict: 'baseline', since_ms: null, before: null }))[0]?.key, 'why_first');
  assert.equal(sentencesOf(lineOf({ verdict: 'baseline' }))[0]?.key, 'why_baseline');
});

test('a pause and a change of the account are rows of their own', () => {
  const lines = [
    lineOf(),
    lineOf({ from_ms: 1_060_000 }),
    lineOf({ from_ms: 1_660_000 }),
    lineOf({ from_ms: 1_661_000, account: 'eva' }),
  ];
  const rows = rowsOf(explanationOf(lines), dayOf);
  assert.deepEqual(
    rows.map(({ kind }) => kind),
    ['account', 'line', 'line', 'pause', 'line', 'account', 'line'],
  );
  assert.deepEqual(rows[3], { kind: 'pause', fromMs: 1_060_000, toMs: 1_660_000 });
});

test('a room of one account needs no row that names it', () => {
  assert.deepEqual(
    rowsOf(explanationOf([lineOf()]), dayOf).map(({ kind }) => kind),
    ['line'],
  );
});

test('readings without a change share a row, and several days have a heading each', () => {
  const still = (/** @type {number} */ second, /** @type {Partial<Line>} */ more = {}) =>
    lineOf({ verdict: 'unchanged', earned: 0, from_ms: 1000 * second, ...more });
  const rows = rowsOf(explanationOf([still(1000), still(1060), still(1120), lineOf({ from_ms: 1_180_000 })]), dayOf);
  assert.equal(rows.length, 2);
  assert.deepEqual(rows[0], { kind: 'line', line: { ...still(1000), at_ms: 1_120_000, readings: 3 } });
  assert.deepEqual(
    rowsOf(explanationOf([still(1000), still(1000 + 3 * 86_400)]), dayOf).map(({ kind }) => kind),
    ['day', 'line', 'pause', 'day', 'line'],
  );
});

test('unusual readings can be shown alone', () => {
  const odd = [lineOf({ verdict: 'set_aside' }), lineOf({ reason: 'confirmed_rise' }), lineOf({ verdict: 'fall' })];
  assert.ok(odd.every(isOdd));
  assert.ok(!isOdd(lineOf()) && !isOdd(lineOf({ verdict: 'unchanged' })));
  assert.equal(rowsOf(explanationOf([lineOf(), ...odd]), dayOf, true).length, 3);
});

test('two accounts that alternate are two desks, and a hand-over is none', () => {
  const at = (/** @type {number} */ second, /** @type {string} */ account) =>
    lineOf({ from_ms: 1000 * second, account });
  const alternating = Array.from({ length: 6 }, (_, i) => at(5 * i, i % 2 ? 'ana' : 'eva'));
  assert.ok(areTwoDesks(explanationOf(alternating)));
  assert.ok(!areTwoDesks(explanationOf([at(0, 'ana'), at(5, 'ana'), at(600, 'eva'), at(1200, 'ana')])));
});

test('a file of the lines has a column for each fact, and no name that is a formula', () => {
  const text = csvOf(explanationOf([lineOf({ account: '-x', unsettled: [{ reason: 'long_gap', tokens: 7 }] })]));
  assert.deepEqual(text.split('\r\n'), [
    'from,to,account,before,balance,verdict,reason,earned,unsettled,readings',
    "1970-01-01T00:16:40.000Z,1970-01-01T00:16:40.000Z,'-x,1000,1040,income,,40,7,1",
    '',
  ]);
});

test('the explanation of an account has its readings and its sums alone, also of readings without an account', () => {
  const lines = [lineOf({ account: 'ana' }), lineOf({ account: null, earned: 7 }), lineOf({ account: 'eva' })];
  const all = explanationOf(lines);
  const sums = all.accounts.map((one, i) => ({ ...one, earned: 10 * (i + 1), unsettled: i }));
  for (const [i, name] of ['ana', '', 'eva'].entries()) {
    const one = ofAccount({ ...all, accounts: sums, earned: 60 }, name);
    assert.deepEqual([one.earned, one.unsettled, one.lines], [10 * (i + 1), i, [lines[i]]]);
  }
  const absent = ofAccount({ ...all, accounts: sums, earned: 60 }, 'absent');
  assert.deepEqual([absent.earned, absent.lines], [0, []]);
});

test("more time is an hour, then the studio's day, however long it is, then seven days", () => {
  const hour = 3600;
  const at = Date.UTC(2026, 10, 1, 20) / 1000; // a day of 25 hours in New York
  assert.deepEqual(widerThan(at, at + 60, 'America/New_York'), { from: at - hour / 2, to: at + 60 + hour / 2 });
  const day = { from: Date.UTC(2026, 10, 1, 4) / 1000, to: Date.UTC(2026, 10, 2, 5) / 1000 };
  assert.deepEqual(widerThan(at, at + hour, 'America/New_York'), day);
  assert.deepEqual(widerThan(day.from, day.to, 'America/New_York'), {
    from: day.to - (7 * 24 + 1) * hour,
    to: day.to,
  });
});

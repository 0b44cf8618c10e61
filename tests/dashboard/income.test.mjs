import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Account, inOrder, isCertain, judge } from '../../broadcast_service/dashboard/state/income.js';

/** @typedef {import('../../broadcast_service/dashboard/state/income.js').Reading} Reading */
/** @typedef {import('../../broadcast_service/dashboard/state/income.js').Entry} Entry */
/**
 * @typedef {{name: string, readings: [number, number, string?, string?][], now?: number, earned: number, between_sessions: number, unsettled: number,
 *   set_aside: number, accounts?: Record<string, number>, rooms?: Record<string, number>}} Case
 */

/** The table that Python is checked against too. @type {{cases: Case[]}} */
const { cases } = JSON.parse(readFileSync(new URL('../income_cases.json', import.meta.url), 'utf8'));

/** The readings of a case by account; readings without an account mark belong to an account of their room. @param {Case} story */
function seriesOf({ readings }) {
  /** @type {Map<string, {account: string, readings: Reading[]}>} */
  const found = new Map();
  for (const [second, tokens, account = '', room = ''] of readings) {
    const key = account || `\n${room}`;
    const series = found.get(key) ?? { account, readings: [] };
    series.readings.push({ atMs: 1000 * second, tokens, room });
    found.set(key, series);
  }
  return [...found.values()];
}

/** @param {Entry[]} entries @param {string} kind */
const total = (entries, kind) =>
  entries.filter((entry) => entry.kind === kind).reduce((sum, { tokens }) => sum + tokens, 0);

/** @param {[string, number][]} amounts */
function byName(amounts) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const [name, amount] of amounts) if (amount > 0) found[name] = (found[name] ?? 0) + amount;
  return found;
}

for (const story of cases) {
  test(`a case of the table: ${story.name}`, () => {
    const nowMs = 1000 * (story.now ?? Math.max(...story.readings.map(([second]) => second)) + 3600);
    const judged = seriesOf(story).map(({ account, readings }) => ({ account, entries: judge(readings, nowMs) }));
    const entries = judged.flatMap((one) => one.entries);
    const certain = entries.filter(isCertain);
    assert.deepEqual(
      {
        earned: certain.reduce((sum, { tokens }) => sum + tokens, 0),
        between_sessions: total(entries, 'between_sessions'),
        unsettled: total(entries, 'unsettled'),
        set_aside: entries.filter(({ kind }) => kind === 'set_aside').length,
      },
      {
        earned: story.earned,
        between_sessions: story.between_sessions,
        unsettled: story.unsettled,
        set_aside: story.set_aside,
      },
    );
    const accounts = byName(
      judged.flatMap((one) =>
        one.entries.filter(isCertain).map(({ tokens }) => /** @type {[string, number]} */ ([one.account, tokens])),
      ),
    );
    const rooms = byName(certain.map(({ room, tokens }) => [room, tokens]));
    if (story.accounts) assert.deepEqual(accounts, byName(Object.entries(story.accounts)));
    if (story.rooms) assert.deepEqual(rooms, byName(Object.entries(story.rooms)));
  });
}

test('a reader that joins late takes no leap from its first balance for income', () => {
  const account = new Account({ seenBefore: true });
  const found = [123, 12_345, 12_400].flatMap((tokens, i) => account.read({ atMs: 5000 * i, tokens, room: '' }));
  assert.deepEqual(
    found.map(({ kind, tokens }) => [kind, tokens]),
    [
      ['set_aside', 123],
      ['unsettled', 12_222],
      ['income', 55],
    ],
  );
});

test('a pending entry is in no total until the clock confirms it', () => {
  const account = new Account();
  const found = [500, 5000, 5000].flatMap((tokens, i) => account.read({ atMs: 5000 * i, tokens, room: '' }));
  assert.deepEqual([found, account.isSettled, account.provisional().map(({ tokens }) => tokens)], [[], false, [4500]]);
  assert.deepEqual(account.settle(35_000), []);
  assert.deepEqual(
    account.settle(35_001).map(({ kind, tokens, atMs }) => [kind, tokens, atMs]),
    [['income', 4500, 5000]],
  );
  assert.deepEqual([account.isSettled, account.provisional()], [true, []]);
});

test('readings are put in order, each once', () => {
  const [a, b] = [
    { atMs: 5, tokens: 1, room: '' },
    { atMs: 1, tokens: 2, room: '' },
  ];
  assert.deepEqual(inOrder([a, b, { ...a }]), [b, a]);
});

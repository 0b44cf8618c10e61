import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSamples, summaryOf } from '../../extension/worker/shift.js';

const START = 1_764_000_000_000;

/** @param {(number | null)[]} balances five seconds apart @param {number} [from] */
const read = (balances, from = START) =>
  balances.map((tokens, index) => ({ account: 'a', at: from + index * 5000, tokens }));
const held = (tokens, seconds) => new Array(seconds / 5).fill(tokens);

for (const [what, balances, earned] of [
  ['nothing', [], null],
  ['no balance', [null, null], null],
  ['one balance', [500], 0],
  ['gains', [100, 150, 150, 400], 300],
  ['a placeholder 0', [5000, 0, 5000], 0],
  ['a placeholder 0 and a gain', [5000, 0, 0, 5040], 40],
  ['a digit too many', [35_549, 355_492, 35_550], 1],
  ['an absurd rise that goes away', [5000, 123_456_789, 5000], 0],
  ['a cash-out that stays', [12_345, ...held(0, 30), 0, 40, 90], 90],
  ['a great gain that stays', [100, ...held(8100, 40)], 8000],
  ['a fall that is not yet certain', [5000, 4000], 0],
  ['a balance that cannot be read for a while', [100, null, null, 250], 150],
]) {
  test(`${what}: ${earned} earned`, () =>
    assert.equal(summaryOf(addSamples(undefined, read(balances))).earned, earned));
}

test('readings that come in any order give the same', () => {
  const samples = read([100, 100, 120, 120, null, 150, 900, 900, 901]);
  const inOrder = addSamples(undefined, samples);
  let late = addSamples(undefined, samples.slice(-1));
  for (const sample of samples.slice(0, -1).toReversed()) late = addSamples(late, [sample]);
  assert.deepEqual(late, inOrder);
});

test('time on air is the time of the readings, gaps above a minute left out', () => {
  const shift = addSamples(undefined, [...read(held(5, 60)), ...read(held(5, 60), START + 10 * 60_000)]);
  const { onAirMs, since, until } = summaryOf(shift);
  assert.deepEqual([onAirMs, since, until], [110_000, START, START + 10 * 60_000 + 55_000]);
});

test('what a balance gained across a long gap was perhaps earned elsewhere', () => {
  assert.equal(summaryOf(addSamples(undefined, [...read([100]), ...read([900, 950], START + 20 * 60_000)])).earned, 50);
  assert.equal(
    summaryOf(addSamples(undefined, [...read([100]), ...read([900, 950], START + 14 * 60_000)])).earned,
    850,
  );
});

test('a new shift begins after an hour of silence, and with another account', () => {
  const first = addSamples(undefined, read([100, 200]));
  assert.equal(summaryOf(addSamples(first, read([900], START + 3_700_000))).since, START + 3_700_000);
  const other = addSamples(
    first,
    read([15_000, 15_100], START + 60_000).map((sample) => ({ ...sample, account: 'b' })),
  );
  assert.deepEqual([summaryOf(other).earned, other.account], [100, 'b']);
  assert.deepEqual(addSamples(other, read([90])), other);
});

test('a day of readings is small', () => {
  const shift = addSamples(undefined, read(Array.from({ length: 17_280 }, (_, index) => 100 + Math.floor(index / 12))));
  assert.ok(JSON.stringify(shift).length < 100_000);
});

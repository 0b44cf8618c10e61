import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, plain } from './content.js';

const { newStability, settle } = loadContent();

/**
 * The confirmed number at each check, a second apart; `…` where there is none. `confirmed` is the number read before.
 *
 * @param {(number | string)[]} numbers one for each check; a word is a status
 * @param {number} [confirmed]
 * @param {string} [metric]
 */
function believe(numbers, confirmed, metric = 'tokens') {
  const stability = newStability();
  if (confirmed !== undefined) stability.confirmed[metric] = confirmed;
  return numbers.map((number, second) => {
    const reading = typeof number === 'number' ? { status: 'ok', value: number, via: 'x' } : { status: number };
    const { status, value } = plain(settle(stability, { [metric]: reading }, second * 1000))[metric];
    return status === 'unsettled' ? '…' : (value ?? status);
  });
}

const times = (count, value) => Array.from({ length: count }, () => value);

for (const [what, numbers, expected, confirmed] of [
  ['a number is confirmed at the second check', [1234, 1234, 1234], ['…', 1234, 1234]],
  ['a number that changes needs two checks again', [5, 5, 6, 6], ['…', 5, '…', 6]],
  [
    'a number that runs up is confirmed when it stands',
    [0, 400, 800, 1100, 1234, 1234],
    ['…', '…', '…', '…', '…', 1234],
  ],
  ['the same number before and after another was not still', [5, 6, 5, 6, 5], times(5, '…')],
  ['a zero before the number is never confirmed', [0, 0, 0, 0, 1234, 1234], ['…', '…', '…', '…', '…', 1234]],
  ['a zero that lasts ten seconds is confirmed', times(12, 0), [...times(10, '…'), 0, 0]],
  ['a confirmed zero stays confirmed', [0, 0], ['…', 0], 0],
  ['a zero in between does not last', [5000, 5000, 0, 0, 5000, 5000], ['…', 5000, '…', '…', '…', 5000]],
  ['a fall is confirmed after ten seconds', [5000, ...times(12, 40)], ['…', ...times(10, '…'), 40, 40], 5000],
  [
    'a fall with tips in it is confirmed after ten seconds',
    [40, 40, 40, 40, 40, 60, 60, 60, 90, 90, 90, 90],
    [...times(10, '…'), 90, 90],
    5000,
  ],
  [
    'a fall that returns is never confirmed',
    [1, 1, 1, 1, 1, 1, 12_345, 12_345],
    [...times(6, '…'), '…', 12_345],
    12_345,
  ],
  ['a small rise is confirmed at the second check', [150, 150], ['…', 150], 100],
  ['a leap is confirmed after three and a half seconds', times(6, 41_001), [...times(4, '…'), 41_001, 41_001], 1234],
  [
    'a doubled digit that goes again is never confirmed',
    [355_492, 355_492, 355_492, 35_550, 35_550],
    ['…', '…', '…', '…', 35_550],
    35_549,
  ],
  ['a rise of less than half is no leap, however large', [12_000, 12_000], ['…', 12_000], 10_000],
  [
    'a status without a number is passed on immediately',
    ['missing', 'unparsed', 5, 'hidden', 5, 5],
    ['missing', 'unparsed', '…', 'hidden', '…', 5],
  ],
]) {
  test(what, () => assert.deepEqual(believe(numbers, confirmed), expected));
}

test('viewers may fall and leap at once, and a zero waits', () => {
  assert.deepEqual(believe([5, 5, 9000, 9000], 552, 'viewers'), ['…', 5, '…', 9000]);
  assert.deepEqual(believe([0, 0, 0, 552, 552], 7, 'viewers'), ['…', '…', '…', '…', 552]);
});

test('a clock that goes back believes nothing early and gets over it', () => {
  const stability = newStability();
  const check = (now) => settle(stability, { tokens: { status: 'ok', value: 5 } }, now).tokens.status;
  assert.deepEqual([10_000, 0, 900, 1800].map(check), ['unsettled', 'unsettled', 'ok', 'ok']);
});

test('each number settles for itself, and keeps the hypothesis that found it', () => {
  const stability = newStability();
  settle(stability, { tokens: { status: 'ok', value: 5, via: 'a' }, viewers: { status: 'ok', value: 1, via: 'b' } }, 0);
  const settled = settle(
    stability,
    { tokens: { status: 'ok', value: 5, via: 'a' }, viewers: { status: 'ok', value: 2, via: 'b' } },
    1000,
  );
  assert.deepEqual(plain(settled), {
    tokens: { status: 'ok', value: 5, via: 'a' },
    viewers: { status: 'unsettled', via: 'b' },
  });
});

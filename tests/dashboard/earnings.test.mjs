import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account, gain, Ledger } from '../../broadcast_service/dashboard/state/earnings.js';

test('a gain is never negative and the first balance is none', () => {
  assert.deepEqual([gain(null, 500), gain(10, 25), gain(25, 10)], [0, 15, 0]);
});

/** The cases of tests/contract/test_history.py: the page and the report count alike. @type {Record<string, [number[], number]>} */
const CASES = {
  'a session’s first minute': [[1000, 1500, 2000], 1000],
  'small tips': [[10, 20, 20, 45, 60], 50],
  'a cash-out within the minute': [[100, 160, 20, 50], 90],
  'a placeholder': [[12_345, 0, 12_345, 12_400], 55],
  'a placeholder in two readings running': [[12_345, 0, 0, 12_400], 55],
  'a slipped digit': [[35_549, 355_492, 35_550], 1],
  'half a number': [[12_345, 123, 12_350], 5],
  'a large tip': [[100, 5100, 5200], 5100],
  spending: [[500, 300, 350], 50],
  'two cash-outs': [[100, 10, 60, 5, 25], 70],
};
for (const [name, [tokens, earned]] of Object.entries(CASES)) {
  test(`a minute is counted as history counts it: ${name}`, () => {
    const account = new Account();
    assert.equal(
      tokens.reduce((total, balance, i) => total + account.read(balance, 6000 + 5 * i), 0),
      earned,
    );
  });
}

test('a minute counts on from the last balance of the one before', () => {
  const account = new Account();
  assert.deepEqual(
    [account.read(100, 6055), account.read(130, 6060), account.read(120, 6120), account.read(150, 6180)],
    [0, 30, 0, 30],
  );
});

test('an added amount can be subtracted, and no minute falls below 0', () => {
  const ledger = new Ledger(60);
  ledger.add(10, 5);
  ledger.add(10, -3);
  assert.equal(ledger.sum(10, 10), 2);
  ledger.add(10, -9);
  assert.equal(ledger.sum(10, 10), 0);
});

test('history replaces the minutes it covers and keeps the later ones', () => {
  const ledger = new Ledger(60);
  ledger.add(10, 5);
  ledger.add(11, 7);
  ledger.settle(
    new Map([
      [9, 100],
      [10, 50],
      [11, 999],
    ]),
    10,
  );
  assert.deepEqual(ledger.series(11, 3), [100, 50, 7]);
});

test('a sum takes both ends', () => {
  const ledger = new Ledger(60);
  for (const minute of [1, 2, 3, 4]) ledger.add(minute, minute);
  assert.equal(ledger.sum(2, 3), 5);
});

test('minutes beyond the capacity are forgotten', () => {
  const ledger = new Ledger(3);
  for (const minute of [1, 2, 3, 4, 5]) ledger.add(minute, 1);
  assert.equal(ledger.sum(0, 100), 3);
});

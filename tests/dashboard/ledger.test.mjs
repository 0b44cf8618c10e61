import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../broadcast_service/dashboard/state/ledger.js';

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

test('income over a gap is in the minutes of the gap once history answers', () => {
  const ledger = new Ledger(60);
  ledger.add(20, 500, 11);
  ledger.add(20, 7);
  assert.equal(ledger.sum(0, 60), 507);
  ledger.settle(
    new Map([
      [12, 100],
      [15, 400],
      [20, 3],
    ]),
    21,
    20,
  );
  assert.deepEqual([ledger.sum(0, 60), ledger.sum(20, 20)], [507, 7]);
});

test('a gap that history does not cover stays where it ended', () => {
  const ledger = new Ledger(60);
  ledger.add(20, 500, 11);
  ledger.settle(new Map([[12, 100]]), 15, 15);
  assert.equal(ledger.sum(20, 20), 500);
});

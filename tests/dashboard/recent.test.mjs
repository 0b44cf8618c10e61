import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../broadcast_service/dashboard/state/ledger.js';
import { ownerOf, saveRecent, takeRecent } from '../../broadcast_service/dashboard/state/recent_earnings.js';
import { storageOf } from '../../broadcast_service/dashboard/state/storage.js';
import { Store } from '../../broadcast_service/dashboard/state/store.js';

const memory = () => storageOf(() => null);
const ledger = new Ledger(60);
ledger.add(99, 3);
ledger.add(100, 5);
const store = new Store();
const OWNER = ownerOf('a.b.signature', store);

test('the last minutes survive a reload, once', () => {
  const storage = memory();
  saveRecent(storage, OWNER, ledger, 100);
  assert.deepEqual(takeRecent(storage, OWNER, 101), [
    [99, 3],
    [100, 5],
  ]);
  assert.deepEqual(takeRecent(storage, OWNER, 101), []);
});

test('an access of another scope or another end, as after signing in anew, gets nothing', () => {
  const other = new Store();
  other.scope = { rooms: ['vip-*'], platforms: null };
  const later = new Store();
  later.tokenExpiresAt = 7;
  for (const access of [other, later]) {
    const storage = memory();
    saveRecent(storage, ownerOf('', store), ledger, 100);
    assert.deepEqual(takeRecent(storage, ownerOf('', access), 100), []);
  }
});

test('another token, a later time and a broken value give nothing', () => {
  const storage = memory();
  saveRecent(storage, OWNER, ledger, 100);
  assert.deepEqual(takeRecent(storage, ownerOf('a.b.different', store), 100), []);
  saveRecent(storage, OWNER, ledger, 100);
  assert.deepEqual(takeRecent(storage, OWNER, 103), []);
  for (const text of [
    '{',
    'null',
    '[]',
    '{"owner":"me","minute":100,"earned":"x"}',
    '{"owner":"me","minute":100,"earned":[null,"7"]}',
  ]) {
    storage.setItem('studio-pulse.recent', text);
    assert.deepEqual(takeRecent(storage, 'me', 100), []);
  }
});

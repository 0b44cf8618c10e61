import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../broadcast_service/dashboard/earnings.js';
import { keepRecent, takeRecent } from '../../broadcast_service/dashboard/recent.js';
import { storageOf } from '../../broadcast_service/dashboard/storage.js';

const memory = () => storageOf(() => null);
const ledger = new Ledger(60);
ledger.add(99, 3);
ledger.add(100, 5);

test('the last minutes survive a reload, once', () => {
  const storage = memory();
  keepRecent(storage, 'a.b.signature', ledger, 100);
  assert.deepEqual(takeRecent(storage, 'a.b.signature', 101), [[99, 3], [100, 5]]);
  assert.deepEqual(takeRecent(storage, 'a.b.signature', 101), []);
});

test('another token, a later time and a broken value give nothing', () => {
  const storage = memory();
  keepRecent(storage, 'a.b.signature', ledger, 100);
  assert.deepEqual(takeRecent(storage, 'a.b.different', 100), []);
  keepRecent(storage, 'a.b.signature', ledger, 100);
  assert.deepEqual(takeRecent(storage, 'a.b.signature', 103), []);
  for (const text of ['{', 'null', '[]', '{"owner":"ignature","minute":100,"earned":"x"}', '{"owner":"ignature","minute":100,"earned":[null,"7"]}']) {
    storage.setItem('studio-pulse.recent', text);
    assert.deepEqual(takeRecent(storage, 'a.b.signature', 100), []);
  }
});

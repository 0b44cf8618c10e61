import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageOf } from '../../broadcast_service/dashboard/state/storage.js';
import { Update } from '../../broadcast_service/dashboard/state/update.js';
import { Clock } from './scripted.mjs';

/** @param {{build?: string, storage?: import('../../broadcast_service/dashboard/state/storage.js').SafeStorage, clock?: Clock, isFree?: boolean}} [script] */
function pageOf({ build = 'a', storage = storageOf(() => null), clock = new Clock(), isFree = true } = {}) {
  let reloads = 0;
  const update = new Update({
    build,
    storage,
    mayReload: () => isFree,
    reload: async () => {
      reloads++;
    },
    timers: clock,
    random: () => 0.5,
  });
  return { update, clock, storage, reloads: () => reloads };
}

test('a wall reloads once for a build that is not its own', () => {
  const { update, clock, reloads } = pageOf();
  update.compare('b');
  assert.equal(update.isDue, true);
  clock.pass(20_000);
  assert.equal(reloads(), 1);
  update.compare('b');
  clock.pass(20_000);
  assert.equal(reloads(), 1);
});

test('the same build, or none, is no reason', () => {
  for (const [own, theirs] of [
    ['a', 'a'],
    ['', 'b'],
    ['a', ''],
    ['a', undefined],
    ['a', 3],
  ]) {
    const { update, clock, reloads } = pageOf({ build: String(own) });
    update.compare(theirs);
    clock.pass(60_000);
    assert.deepEqual([update.isDue, reloads()], [false, 0]);
  }
});

test('a page in use offers the reload and does not do it', () => {
  const { update, clock, reloads } = pageOf({ isFree: false });
  update.compare('b');
  clock.pass(60_000);
  assert.deepEqual([update.isDue, reloads()], [true, 0]);
});

test('servers of two builds that answer in turn cost two reloads, not one after another', () => {
  const [storage, clock] = [storageOf(() => null), new Clock()];
  let reloads = 0;
  for (let i = 0; i < 20; i++) {
    const [own, theirs] = i % 2 ? ['b', 'a'] : ['a', 'b'];
    const page = pageOf({ build: String(own), storage, clock });
    page.update.compare(theirs);
    clock.pass(20_000);
    reloads += page.reloads();
  }
  assert.equal(reloads, 2);
});

test('an update that was undone before the reload needs none', () => {
  const { update, clock, reloads } = pageOf();
  update.compare('b');
  update.compare('a');
  clock.pass(60_000);
  assert.deepEqual([update.isDue, reloads()], [false, 0]);
});

test('a record of reloads that is damaged counts as none', () => {
  const storage = storageOf(() => null);
  storage.setItem('studio-pulse.reloaded', '[nonsense');
  const { update, clock, reloads } = pageOf({ storage });
  update.outdated();
  clock.pass(20_000);
  assert.equal(reloads(), 1);
});

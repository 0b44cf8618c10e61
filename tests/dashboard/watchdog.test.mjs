import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageOf } from '../../broadcast_service/dashboard/state/storage.js';
import { Watchdog } from '../../broadcast_service/dashboard/state/watchdog.js';

/** A watchdog on a clock that the test sets. */
function watched() {
  const world = { nowMs: 1_764_000_000_000, reloads: 0 };
  const storage = storageOf(() => null);
  const dog = new Watchdog({ storage, now: () => world.nowMs, reload: () => world.reloads++ });
  const ticks = (/** @type {number} */ count, isWatched = true) => {
    for (let i = 0; i < count; i++) dog.tick(isWatched);
  };
  return { world, dog, ticks };
}

test('a wall that could not draw for a minute is reloaded once', () => {
  const { world, ticks } = watched();
  ticks(60);
  assert.equal(world.reloads, 0);
  ticks(200);
  assert.equal(world.reloads, 1);
  world.nowMs += 600_001;
  ticks(61);
  assert.equal(world.reloads, 2);
});

test('a wall that draws now and then is not', () => {
  const { world, dog, ticks } = watched();
  for (let i = 0; i < 10; i++) {
    ticks(50);
    dog.drawn();
  }
  assert.equal(world.reloads, 0);
});

test('a page that is hidden or in use is not watched', () => {
  const { world, ticks } = watched();
  ticks(500, false);
  ticks(60);
  assert.equal(world.reloads, 0);
});

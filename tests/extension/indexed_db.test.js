/** The faster IndexedDB of these tests finds what the package finds, for operations that chance chooses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';

const STORIES = 40;
const STEPS = 60;
const DIRECTIONS = ['next', 'prev', 'next', 'prev', 'nextunique', 'prevunique'];

/** Numbers from 0 up to a bound, the same for the same seed: mulberry32. @param {number} seed */
function diceOf(seed) {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function emptyStore() {
  const opening = new IDBFactory().open('any', 1);
  opening.onupgradeneeded = () => {
    const store = opening.result.createObjectStore('readings', { keyPath: ['desk', 'at'] });
    store.createIndex('kind', 'kind');
    store.createIndex('tags', 'tags', { multiEntry: true });
  };
  const database = await settled(opening);
  return database.transaction('readings', 'readwrite').objectStore('readings');
}

/** A key of the store, or of an index. */
const keyOf = (dice, isIndex) => (isIndex ? dice(6) : ['ab'[dice(2)], dice(30)]);

function rangeOf(dice, isIndex) {
  const [first, second] = [keyOf(dice, isIndex), keyOf(dice, isIndex)];
  switch (dice(6)) {
    case 0:
      return IDBKeyRange.only(first);
    case 1:
      return IDBKeyRange.lowerBound(first, dice(2) === 0);
    case 2:
      return IDBKeyRange.upperBound(first, dice(2) === 0);
    case 3: {
      const isOrdered =
        JSON.stringify(first) < JSON.stringify(second) && (isIndex || first[1] <= second[1] || first[0] !== second[0]);
      return isOrdered ? IDBKeyRange.bound(first, second, dice(2) === 0, dice(2) === 0) : first;
    }
    default:
      return null;
  }
}

/** Walks a cursor, deletes and changes some of its records, and jumps ahead now and then. */
async function walk(source, isIndex, dice, seen) {
  const direction = DIRECTIONS[dice(DIRECTIONS.length)];
  const isKeyOnly = dice(3) === 0;
  const request = source[isKeyOnly ? 'openKeyCursor' : 'openCursor'](rangeOf(dice, isIndex), direction);
  for (let steps = 0; steps < 40; steps++) {
    const cursor = await settled(request);
    if (!cursor) break;
    seen.push([cursor.key, cursor.primaryKey, cursor.value]);
    const change = isKeyOnly ? -1 : dice(6);
    if (change === 0) await settled(cursor.delete());
    else if (change === 1) await settled(cursor.update({ ...cursor.value, kind: dice(6) }));
    const [key, jump] = [keyOf(dice, isIndex), dice(8)];
    try {
      if (jump === 0) cursor.continue(key);
      else if (jump === 1) cursor.advance(1 + dice(3));
      else cursor.continue();
    } catch (error) {
      seen.push(error.name);
      cursor.continue();
    }
  }
  seen.push('end');
}

/** @param {number} seed @returns {Promise<unknown[]>} all that was found */
async function story(seed) {
  const dice = diceOf(seed);
  const store = await emptyStore();
  const seen = [];
  for (let step = 0; step < STEPS; step++) {
    const isIndex = dice(3) === 0;
    const source = isIndex ? store.index(['kind', 'tags'][dice(2)]) : store;
    const [desk, at] = keyOf(dice, false);
    const chance = dice(12);
    if (chance < 6) await settled(store.put({ desk, at, kind: dice(6), tags: [dice(6), dice(6)] }));
    else if (chance === 6) await settled(store.delete(rangeOf(dice, false) ?? [desk, at]));
    else if (chance === 7) seen.push(await settled(source.get(keyOf(dice, isIndex))));
    else if (chance === 8) seen.push(await settled(source.getAll(rangeOf(dice, isIndex), 1 + dice(9))));
    else if (chance === 9) seen.push(await settled(source.count(rangeOf(dice, isIndex))));
    else await walk(source, isIndex, dice, seen);
  }
  return seen;
}

test('what the faster walk finds is what the package finds', async () => {
  const seeds = Array.from({ length: STORIES }, (_, number) => number + 1);
  const byPackage = [];
  for (const seed of seeds) byPackage.push(await story(seed));
  assert.ok(byPackage.flat().length > 40 * STORIES);
  await import('./indexed_db.js');
  for (const seed of seeds) assert.deepEqual(await story(seed), byPackage[seed - 1], `story ${seed}`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '../../broadcast_service/dashboard/state/store.js';

const NOW = 1_764_000_000;

/** A store in which each room was last read so many seconds before NOW. @param {Record<string, number>} ages @param {number} [interval] */
function studio(ages, interval = 5) {
  const store = new Store();
  for (const [name, age] of Object.entries(ages)) {
    const [room, platform = 'camsoda'] = name.split(' on ');
    const at = NOW - age;
    store.apply(
      {
        event_type: 'TELEMETRY_UPDATE',
        room_id: /** @type {string} */ (room),
        version: 1,
        timestamp: at,
        data: { platform, tokens: 1, tips: null, viewers: null, goal: null, timestamp: at, interval_seconds: interval },
      },
      NOW * 1000,
    );
  }
  store.detectSilence(NOW * 1000);
  return store.silence;
}
/** @param {number} count @param {(i: number) => number} age */
const rooms = (count, age) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`room-${i}`, age(i)]));

test('31 rooms that fall silent within one interval are a silence of all', () => {
  const silence = studio(rooms(31, (i) => 20 + (i % 5)));
  assert.deepEqual([silence?.rooms, silence?.of, silence?.all, silence?.sinceMs], [31, 31, true, (NOW - 20) * 1000]);
});

test('a silence lasts until the readings come back, not only for a minute', () => {
  assert.equal(studio(rooms(31, (i) => 3000 + (i % 5)))?.rooms, 31);
});

test('nearly all is a silence too, and the rooms that go on reporting are no part of it', () => {
  const silence = studio({ ...rooms(29, () => 40), 'other-1': 2, 'other-2': 4 });
  assert.deepEqual([silence?.rooms, silence?.of, silence?.all, silence?.keys.size], [29, 31, false, 29]);
});

test('a room that ended long before is no part of it', () => {
  const silence = studio({ ...rooms(9, () => 40), ended: 1200 });
  assert.deepEqual([silence?.rooms, silence?.of, silence?.all], [9, 9, true]);
});

test('a room that goes on for a while and then ends does not hide the silence of the others', () => {
  assert.equal(studio({ ...rooms(29, () => 700), last: 120 })?.rooms, 29);
});

test('rooms that end one after another are no silence: over minutes, at the end of a shift, or the last of a night', () => {
  assert.equal(studio(rooms(10, (i) => 60 + i * 30)), null);
  assert.equal(studio(rooms(30, (i) => 20 + i * 2)), null);
  assert.equal(studio({ a: 2, b: 3, c: 1, d: 100 }), null);
  assert.equal(studio({ a: 20, b: 100, c: 250 }), null);
});

test('one room alone ends, on however many platforms', () => {
  assert.equal(studio({ a: 30 }), null);
  assert.equal(studio({ 'a on camsoda': 30, 'a on stripchat': 31, 'a on chaturbate': 32 }), null);
});

test('one platform of a room that goes on elsewhere is no silent room', () => {
  assert.equal(studio({ 'a on camsoda': 30, 'a on stripchat': 1, 'b on camsoda': 30, 'b on stripchat': 2 }), null);
});

test('two rooms are a silence only together', () => {
  assert.equal(studio({ a: 20, b: 24 })?.rooms, 2);
  assert.equal(studio({ a: 20, b: 45 }), null);
});

test('producers that report once a minute fall silent within a minute of each other', () => {
  assert.equal(
    studio(
      rooms(5, (i) => 200 + i * 12),
      60,
    )?.rooms,
    5,
  );
});

test('rooms that report are no silence, however late their clocks', () => {
  assert.equal(studio(rooms(31, (i) => i % 5)), null);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDBFactory } from 'fake-indexeddb';
import './indexed_db.js';
import { Outbox } from '../../extension/worker/outbox.js';
import { bodyAt, START, Studio } from './studio.js';

const sequences = (entries) => entries.map(({ readAt }) => readAt - START);

test('a reading survives the worker', async () => {
  const studio = new Studio();
  await studio.read(1);
  studio.startWorker();
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [0]);
});

test('written twice, it is there once', async () => {
  const { outbox } = new Studio();
  await outbox.add(bodyAt(START), START);
  await outbox.add(bodyAt(START), START);
  assert.equal((await outbox.counts()).buffered, 1);
});

test('two platforms read at the same moment are two readings', async () => {
  const { outbox } = new Studio();
  await outbox.add(bodyAt(START), START);
  await outbox.add(bodyAt(START, { platform: 'camsoda' }), START);
  assert.equal((await outbox.counts()).buffered, 2);
});

test('the newest come first, as many as asked for', async () => {
  const studio = new Studio();
  await studio.read(5);
  assert.deepEqual(sequences(await studio.outbox.newest(3, START)), [0, -5000, -10_000]);
});

test('removed readings are gone, the others stay', async () => {
  const studio = new Studio();
  await studio.read(3);
  await studio.outbox.remove(await studio.outbox.newest(1, START));
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [-5000, -10_000]);
});

test('beyond the most it may hold, the oldest are dropped and counted', async () => {
  const studio = new Studio({ entries: 3, dead: 2 });
  await studio.read(5);
  assert.deepEqual(await studio.outbox.counts(), { buffered: 3, dead: 0, dropped: 2 });
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [0, -5000, -10_000]);
});

test('a reading that has waited for a day of readings is dropped and counted', async () => {
  const { outbox } = new Studio();
  const STEP = 10 * 60 * 1000;
  for (let at = START; at <= START + 146 * STEP; at += STEP) await outbox.add(bodyAt(at), at);
  assert.deepEqual(await outbox.counts(), { buffered: 145, dead: 0, dropped: 2 });
});

for (const days of [1, 2, 400, -3]) {
  test(`a clock that jumps by ${days} days drops nothing, whether for one reading or for good`, async () => {
    const studio = new Studio();
    await studio.read(20);
    const jumped = START + days * 24 * 3600 * 1000;
    await studio.outbox.add(bodyAt(jumped), jumped);
    await studio.outbox.add(bodyAt(START + 5000), START + 5000);
    for (const at of [jumped + 5000, jumped + 10_000]) await studio.outbox.add(bodyAt(at), at);
    assert.deepEqual(await studio.outbox.counts(), { buffered: 24, dead: 0, dropped: 0 });
  });
}

test('readings of one room can be asked for, and the rooms are known', async () => {
  const studio = new Studio();
  await studio.read(3);
  await studio.outbox.add(bodyAt(START + 1, { room_id: 'red' }), START + 1);
  assert.deepEqual(await studio.outbox.rooms(), ['blue', 'red']);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START, 'blue')), [0, -5000, -10_000]);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START, 'red')), [1]);
});

test('the outbox of the version before is taken over', async () => {
  const database = new IDBFactory();
  const old = database.open('studio-pulse', 1);
  old.onupgradeneeded = () => {
    old.result
      .createObjectStore('readings', { keyPath: ['readAt', 'platform'] })
      .createIndex('byDue', ['dueAt', 'readAt']);
    old.result.createObjectStore('dead', { keyPath: 'id', autoIncrement: true });
    old.result.createObjectStore('meta');
  };
  await new Promise((resolve) => {
    old.onsuccess = resolve;
  });
  const write = old.result.transaction('readings', 'readwrite');
  write
    .objectStore('readings')
    .put({ readAt: START, platform: 'chaturbate', dueAt: 0, attempts: 0, body: bodyAt(START) });
  await new Promise((resolve) => {
    write.oncomplete = resolve;
  });
  old.result.close();
  const outbox = new Outbox(database);
  assert.deepEqual(sequences(await outbox.newest(9, START, 'blue')), [0]);
  assert.equal((await outbox.counts()).buffered, 1);
});

test('postponed readings stay behind until they are due, and let others pass', async () => {
  const studio = new Studio();
  await studio.read(3);
  const [newest] = await studio.outbox.newest(1, START);
  await studio.outbox.postpone([{ ...newest, dueAt: START + 1000 }]);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [-5000, -10_000]);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START + 1000)), [-5000, -10_000, 0]);
});

test('release makes held readings due', async () => {
  const studio = new Studio();
  await studio.read(1);
  await studio.outbox.postpone((await studio.outbox.newest(1, START)).map((entry) => ({ ...entry, dueAt: Infinity })));
  assert.deepEqual(await studio.outbox.newest(9, START * 2), []);
  await studio.outbox.release();
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [0]);
});

test('the counts restart when the dead letters are discarded', async () => {
  const studio = new Studio({ entries: 1, dead: 2 });
  await studio.read(3);
  assert.deepEqual(
    [await studio.outbox.counts(), await studio.outbox.totals()],
    [
      { buffered: 1, dead: 0, dropped: 2 },
      { read: 3, delivered: 0, held: 0 },
    ],
  );
  await studio.outbox.discardDead();
  assert.deepEqual(
    [await studio.outbox.counts(), await studio.outbox.totals()],
    [
      { buffered: 1, dead: 0, dropped: 0 },
      { read: 1, delivered: 0, held: 0 },
    ],
  );
});

test('dead letters are capped, the oldest go and are counted', async () => {
  const studio = new Studio({ entries: 99, dead: 2 });
  await studio.read(3);
  for (const entry of (await studio.outbox.newest(3, START)).reverse()) {
    await studio.outbox.deadLetter([entry], [{ at: START, status: 422, detail: '', body: entry.body }]);
  }
  assert.deepEqual(
    (await studio.outbox.deadLetters()).map(({ body }) => body.sequence - START),
    [0, -5000],
  );
  assert.deepEqual(await studio.outbox.counts(), { buffered: 0, dead: 2, dropped: 1 });
});

test('dead letters can be tried again or discarded', async () => {
  const studio = new Studio();
  await studio.read(2);
  const [newest, oldest] = await studio.outbox.newest(2, START);
  await studio.outbox.deadLetter([newest], [{ at: START, status: 422, detail: '', body: newest.body }]);
  await studio.outbox.requeue();
  assert.deepEqual(
    (await studio.outbox.newest(9, START)).map(({ body }) => body),
    [newest.body, oldest.body],
  );
  await studio.outbox.deadLetter([newest], [{ at: START, status: 422, detail: '', body: newest.body }]);
  await studio.outbox.discardDead();
  assert.deepEqual(await studio.outbox.counts(), { buffered: 1, dead: 0, dropped: 0 });
});

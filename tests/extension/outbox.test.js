import assert from 'node:assert/strict';
import { test } from 'node:test';
import { START, Studio, bodyAt } from './studio.js';

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

test('what was removed is gone, the rest is not', async () => {
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

test('what is older than a day is dropped and counted', async () => {
  const { outbox } = new Studio();
  const DAY = 24 * 3600 * 1000;
  await outbox.add(bodyAt(START - DAY - 1), START - DAY - 1);
  await outbox.add(bodyAt(START - DAY), START - DAY);
  await outbox.add(bodyAt(START), START);
  assert.deepEqual(await outbox.counts(), { buffered: 2, dead: 0, dropped: 1 });
});

test('postponed readings stay behind until they are due, and let others pass', async () => {
  const studio = new Studio();
  await studio.read(3);
  const [newest] = await studio.outbox.newest(1, START);
  await studio.outbox.postpone([{ ...newest, dueAt: START + 1000 }]);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [-5000, -10_000]);
  assert.deepEqual(sequences(await studio.outbox.newest(9, START + 1000)), [-5000, -10_000, 0]);
});

test('release frees what was held back for good', async () => {
  const studio = new Studio();
  await studio.read(1);
  await studio.outbox.postpone((await studio.outbox.newest(1, START)).map((entry) => ({ ...entry, dueAt: Infinity })));
  assert.deepEqual(await studio.outbox.newest(9, START * 2), []);
  await studio.outbox.release();
  assert.deepEqual(sequences(await studio.outbox.newest(9, START)), [0]);
});

test('release starts the count of what was dropped anew', async () => {
  const studio = new Studio({ entries: 1, dead: 2 });
  await studio.read(3);
  await studio.outbox.release();
  assert.deepEqual(await studio.outbox.counts(), { buffered: 1, dead: 0, dropped: 0 });
});

test('dead letters are capped, the oldest go', async () => {
  const studio = new Studio({ entries: 99, dead: 2 });
  await studio.read(3);
  for (const entry of (await studio.outbox.newest(3, START)).reverse()) {
    await studio.outbox.bury([entry], [{ at: START, status: 422, detail: '', body: entry.body }]);
  }
  assert.deepEqual((await studio.outbox.deadLetters()).map(({ body }) => body.sequence - START), [0, -5000]);
  assert.deepEqual(await studio.outbox.counts(), { buffered: 0, dead: 2, dropped: 0 });
});

test('dead letters can be tried again or discarded', async () => {
  const studio = new Studio();
  await studio.read(2);
  const [newest, oldest] = await studio.outbox.newest(2, START);
  await studio.outbox.bury([newest], [{ at: START, status: 422, detail: '', body: newest.body }]);
  await studio.outbox.revive();
  assert.deepEqual(await studio.outbox.newest(9, START), [newest, oldest]);
  await studio.outbox.bury([newest], [{ at: START, status: 422, detail: '', body: newest.body }]);
  await studio.outbox.discardDead();
  assert.deepEqual(await studio.outbox.counts(), { buffered: 1, dead: 0, dropped: 0 });
});

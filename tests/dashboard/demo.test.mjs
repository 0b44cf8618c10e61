import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOfSample, DemoSocket } from '../../broadcast_service/dashboard/link/demo_link.js';
import { needsAttention } from '../../broadcast_service/dashboard/state/attention.js';
import { Baseline } from '../../broadcast_service/dashboard/state/baseline.js';
import { SAMPLE_ROOMS, SampleStudio } from '../../broadcast_service/dashboard/state/demo.js';
import { Store, statusOf } from '../../broadcast_service/dashboard/state/store.js';

const START = 1_764_000_030_000;
const HOUR = 3600;

/** @param {SampleStudio} studio @param {number} seconds after the start */
function storeAfter(studio, seconds) {
  const store = new Store();
  for (const event of studio.snapshot(START)) store.apply(event, START);
  for (let second = 1; second <= seconds; second++)
    for (const event of studio.second(START + second * 1000)) store.apply(event, START + second * 1000);
  return store;
}

test('every sample room is named as one', () => {
  assert.ok(SAMPLE_ROOMS.length >= 9);
  assert.ok(SAMPLE_ROOMS.every(({ id, name }) => id.startsWith('demo-') && name.startsWith('Demo ')));
  const named = new SampleStudio(START).facts().rooms.map(({ room_id: id, name }) => [id, name]);
  assert.deepEqual(
    named,
    SAMPLE_ROOMS.map(({ id, name }) => [id, name]),
  );
});

test('the same moment has the same figures', () => {
  const [one, other] = [new SampleStudio(START), new SampleStudio(START)];
  for (const at of [START, START + 61_000, START + 3_600_000]) {
    assert.deepEqual(one.snapshot(at), other.snapshot(at));
    assert.deepEqual(one.second(at), other.second(at));
  }
});

test('rooms stay on air, and one has ended', () => {
  const store = storeAfter(new SampleStudio(START), 90);
  const statuses = [...store.feeds.values()].map((feed) => statusOf(feed, START + 90_000, store, true));
  assert.equal(statuses.filter((status) => status === 'live').length, SAMPLE_ROOMS.length - 1);
  assert.equal(statuses.filter((status) => status === 'off_air').length, 1);
});

test('live events add up to the report, and show which rooms need attention', async () => {
  const studio = new SampleStudio(START);
  const store = new Store();
  const now = START + 240_000;
  for (const event of studio.snapshot(START)) store.apply(event, START);
  const timers = { now: () => START, set: () => 0, clear: () => {} };
  const api = { analytics: async (/** @type {any} */ span) => studio.report(span, START) };
  await new Promise((done) => {
    new Baseline(
      /** @type {any} */ (api),
      store,
      timers,
      () => 0,
      () => done(null),
    ).start();
  });
  for (let at = START + 1000; at <= now + 40_000; at += 1000) {
    for (const event of studio.second(at)) store.apply(event, at);
    store.detectSilence(at);
  }
  const to = Math.floor(now / 60_000) * 60;
  const { total, feeds } = studio.report({ from: to - HOUR, to, step: HOUR }, now + 40_000);
  const minute = to / 60;
  assert.ok(total > 0);
  assert.equal(store.ledger.sum(minute - 60, minute - 1), total);
  for (const { room_id: room, platform, earned } of feeds)
    for (const feed of store.feedsOf(room)) {
      assert.equal(feed.platform, platform);
      assert.equal(feed.ledger.sum(minute - 60, minute - 1), earned, room);
    }
  const needs = needsAttention(store, now, () => Infinity).map(({ cause, room }) => [cause, room]);
  assert.deepEqual(needs, [
    ['off_air', 'demo-9'],
    ['no_income', 'demo-6'],
  ]);
});

test('a socket of the sample sends each second, answers a ping and stops when it is closed', () => {
  let now = START;
  /** @type {{run: () => void, atMs: number}[]} */
  const due = [];
  const timers = {
    now: () => now,
    set: (/** @type {() => void} */ run, /** @type {number} */ ms) => {
      const timer = { run, atMs: now + ms };
      due.push(timer);
      return timer;
    },
    clear: (/** @type {any} */ timer) => void (due.includes(timer) && due.splice(due.indexOf(timer), 1)),
  };
  const socket = new DemoSocket(new SampleStudio(START), timers);
  /** @type {string[]} */
  const types = [];
  socket.onmessage = ({ data }) => {
    for (const line of data.split('\n')) types.push(JSON.parse(line).event_type);
  };
  for (let i = 0; i < 4; i++) {
    const timer = due.shift();
    now = timer?.atMs ?? now;
    timer?.run();
  }
  assert.equal(types[0], 'HELLO');
  assert.equal(types.filter((type) => type === 'SYNC').length, 4);
  socket.send(JSON.stringify({ type: 'ping' }));
  assert.equal(types.at(-1), 'PONG');
  socket.send(JSON.stringify({ type: 'auth', token: 'x' }));
  assert.equal(types.at(-1), 'PONG');
  socket.close();
  assert.equal(due.length, 0);
});

test('the sample answers what the live view asks, and nothing else', async () => {
  const studio = new SampleStudio(START);
  const ask = (/** @type {string} */ url) => answerOfSample(studio, url, START);
  assert.equal((await ask('api/studio?').json()).shifts.length, 1);
  const report = await ask(
    `api/tracking/analytics?from=${START / 1000 - 3630}&to=${START / 1000 - 30}&step=60&by=feed`,
  ).json();
  assert.equal(report.earned.length, 60);
  assert.equal(report.feeds[0].steps.length, 60);
  for (const url of [
    'api/tracking/analytics?period=week',
    'api/tracking/telemetry/demo-1/camsoda/history?from=1&to=2&step=1',
  ])
    assert.equal(ask(url).status, 404);
});

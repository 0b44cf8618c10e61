import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsAttention } from '../../broadcast_service/dashboard/state/attention.js';
import { areTwoDesks, noDesks, recordDesk } from '../../broadcast_service/dashboard/state/desks.js';
import { EventLog } from '../../broadcast_service/dashboard/state/event_log.js';
import { paceOf, ranked } from '../../broadcast_service/dashboard/state/leaders.js';
import { feedKey, Store } from '../../broadcast_service/dashboard/state/store.js';

const NOW = 1_764_000_000;
const MINUTE = Math.floor(NOW / 60);

/** A store that has received everything. */
function emptyStudio() {
  const store = new Store();
  store.apply({ event_type: 'SYNC', version: 1, snapshot: true, timestamp: NOW, time_ms: NOW * 1000 }, NOW * 1000);
  return store;
}
let version = 1;
/** @param {Store} store @param {string} room @param {Record<string, unknown>} [numbers] @param {number} [age] seconds */
function read(store, room, numbers = {}, age = 0) {
  const at = NOW - age;
  const data = {
    platform: 'camsoda',
    tokens: 1000,
    tips: null,
    viewers: 10,
    goal: null,
    timestamp: at,
    interval_seconds: 5,
    ...numbers,
  };
  store.apply(
    /** @type {any} */ ({ event_type: 'TELEMETRY_UPDATE', room_id: room, version: ++version, timestamp: at, data }),
    at * 1000,
  );
  return /** @type {import('../../broadcast_service/dashboard/state/store.js').Feed} */ (
    store.feeds.get(feedKey(room, 'camsoda'))
  );
}
/** Earnings by minutes before now. @param {Store} store @param {string} room @param {Record<number, number>} earned */
function settle(store, room, earned) {
  const minutes = new Map(Object.entries(earned).map(([ago, tokens]) => [MINUTE - Number(ago), tokens]));
  store.settle(new Map(), [{ room_id: room, platform: 'camsoda', minutes }], MINUTE - 1000, MINUTE);
}
const never = () => Infinity;
/** @param {Store} store @param {(key: string) => number} [since] */
const causes = (store, since = never) =>
  needsAttention(store, NOW * 1000, since).map(({ room, cause }) => `${room} ${cause}`);

test('a healthy room needs no attention', () => {
  const store = emptyStudio();
  read(store, 'a');
  settle(store, 'a', { 3: 50 });
  assert.deepEqual(causes(store), []);
});

test('a room that went off air is named for ten minutes, and then it is one of those that are off air', () => {
  const store = emptyStudio();
  read(store, 'on');
  read(store, 'stale', {}, 30);
  read(store, 'fell', {}, 200);
  read(store, 'ended', {}, 700);
  assert.deepEqual(causes(store), ['fell off_air']);
});

test('a balance that cannot be read is a broken reading, before everything but a room off air', () => {
  const store = emptyStudio();
  read(store, 'broken', { tokens: null });
  read(store, 'fell', {}, 100);
  assert.deepEqual(causes(store), ['fell off_air', 'broken unread']);
});

test('viewers without income for half an hour are named, where it is known that the room was on air', () => {
  const store = emptyStudio();
  for (const room of ['idle', 'short', 'empty', 'fresh']) read(store, room, room === 'empty' ? { viewers: 0 } : {});
  settle(store, 'idle', { 40: 100 });
  settle(store, 'short', { 20: 100 });
  settle(store, 'empty', { 40: 100 });
  assert.deepEqual(causes(store), ['idle no_income']);
  assert.equal(needsAttention(store, NOW * 1000, never)[0]?.seconds, 40 * 60);
  for (let ago = 0; ago < 31; ago++) store.feeds.get(feedKey('fresh', 'camsoda'))?.coverage.mark(MINUTE - ago);
  const sinceHalfAnHour = (/** @type {string} */ key) => (key.startsWith('fresh') ? (NOW - 1860) * 1000 : Infinity);
  assert.deepEqual(causes(store, sinceHalfAnHour), ['idle no_income', 'fresh no_income']);
});

test('before history answers, a room is not called idle by what this page has not seen', () => {
  const store = emptyStudio();
  const feed = read(store, 'a');
  feed.ledger.add(MINUTE - 40, 10);
  assert.deepEqual(causes(store), []);
});

test('pending tokens may be income', () => {
  const store = emptyStudio();
  read(store, 'a').pending = 40;
  settle(store, 'a', { 40: 100 });
  assert.deepEqual(causes(store), []);
});

test('a wrong clock is named with its error', () => {
  const store = emptyStudio();
  read(store, 'ahead', { timestamp: NOW + 600 });
  const [need] = needsAttention(store, NOW * 1000, never);
  assert.deepEqual([need?.cause, need?.value], ['clock', -600]);
});

/** @param {(n: number) => number} stamp @param {(n: number) => string} [account] @param {number} [interval] */
function desks(stamp, account = () => 'ana', interval = 5) {
  const seen = noDesks();
  for (let n = 0; n < 20; n++) recordDesk(seen, { timestamp: NOW + stamp(n), account: account(n) });
  return areTwoDesks(seen, interval);
}

test('two desks in one room show by twice the readings, or by two accounts in turn', () => {
  assert.equal(
    desks((n) => n * 5),
    false,
  );
  assert.equal(
    desks((n) => Math.floor(n / 2) * 5 + (n % 2) * 2),
    true,
  );
  assert.equal(
    desks(
      (n) => n * 5,
      (n) => (n % 2 ? 'ana' : 'bea'),
    ),
    true,
  );
  assert.equal(
    desks(
      (n) => n * 5,
      (n) => (n < 15 ? 'ana' : 'bea'),
    ),
    false,
  );
  assert.equal(
    desks(
      (n) => n * 5,
      (n) => (n % 2 ? 'ana' : ''),
    ),
    false,
  );
});

test('one desk that hesitates, sends again, catches up or reads each second is not two', () => {
  assert.equal(
    desks((n) => n * 5 + (n % 2)),
    false,
  );
  assert.equal(
    desks((n) => Math.floor(n / 2) * 5),
    false,
  );
  assert.equal(
    desks((n) => (n % 4) * 5),
    false,
  );
  assert.equal(
    desks((n) => n, undefined, 1),
    false,
  );
  assert.equal(
    desks((n) => n * 60, undefined, 60),
    false,
  );
});

test('the log names what changed since the page was opened, and who was read shortly before', () => {
  const store = emptyStudio();
  const log = new EventLog();
  read(store, 'on');
  read(store, 'ended', {}, 600);
  read(store, 'long-ago', {}, 5000);
  const said = () => log.events.map(({ room, kind }) => `${room} ${kind}`);
  log.observe(store, NOW * 1000);
  log.observe(store, NOW * 1000);
  assert.deepEqual(said(), ['ended off_air']);
  assert.equal(log.onAirSinceMs(feedKey('on', 'camsoda')), NOW * 1000);
  read(store, 'new');
  read(store, 'on', { goal: 900 });
  log.observe(store, NOW * 1000);
  assert.deepEqual(said().sort(), ['ended off_air', 'new on_air', 'on goal']);
  log.observe(store, (NOW + 120) * 1000);
  assert.deepEqual(said().slice(0, 2).sort(), ['new off_air', 'on off_air']);
  assert.equal(log.onAirSinceMs(feedKey('on', 'camsoda')), Infinity);
  log.clear();
  assert.deepEqual(log.events, []);
});

test('a room whose whole show was seen ends with the time it was on air; of others that is not known', () => {
  const store = emptyStudio();
  const log = new EventLog();
  read(store, 'before');
  log.observe(store, NOW * 1000);
  read(store, 'seen');
  log.observe(store, NOW * 1000);
  for (const room of ['before', 'seen']) read(store, room, { timestamp: NOW + 50, tokens: 1001 }, -50);
  log.observe(store, (NOW + 50) * 1000);
  log.observe(store, (NOW + 200) * 1000);
  assert.deepEqual(
    Object.fromEntries(log.events.filter(({ kind }) => kind === 'off_air').map(({ room, value }) => [room, value])),
    { before: 0, seen: 50 },
  );
});

test('the log does not grow for ever', () => {
  const store = emptyStudio();
  const log = new EventLog();
  log.observe(store, NOW * 1000);
  for (let n = 0; n < 200; n++) read(store, `room-${n}`);
  log.observe(store, NOW * 1000);
  assert.equal(log.events.length, 60);
});

test('pace is up or down beside the own half hour before, and unknown where that says nothing', () => {
  const store = emptyStudio();
  const halves = (/** @type {number} */ recent, /** @type {number} */ before) =>
    Object.fromEntries(Array.from({ length: 60 }, (_, ago) => [ago, ago < 30 ? recent : before]));
  const cases = /** @type {const} */ ([
    ['up', 20, 10],
    ['down', 5, 10],
    ['even', 11, 10],
    ['poor', 100, 1],
  ]);
  for (const [room, recent, before] of cases) {
    read(store, room);
    settle(store, room, halves(recent, before));
  }
  const paces = () => [...store.feeds.values()].map((feed) => paceOf(feed, store, NOW * 1000));
  assert.deepEqual(paces(), ['up', 'down', null, null]);
  store.past = 'pending';
  assert.deepEqual(paces(), [null, null, null, null]);
});

test('leaders earn most within the hour, and slow is measured by the own hour', () => {
  const store = emptyStudio();
  for (const room of ['best', 'slow', 'steady', 'poor']) read(store, room);
  read(store, 'off', {}, 300);
  const each = (/** @type {number} */ tokens) =>
    Object.fromEntries(Array.from({ length: 60 }, (_, ago) => [ago, tokens]));
  settle(store, 'best', each(20));
  settle(store, 'slow', { ...each(10), ...Object.fromEntries(Array.from({ length: 30 }, (_, ago) => [ago, 2])) });
  settle(store, 'steady', each(5));
  settle(store, 'poor', { 40: 3 });
  settle(store, 'off', each(100));
  const { leaders, slow } = ranked(store, NOW * 1000);
  assert.deepEqual(
    leaders.map(({ feed, earned }) => [feed.room, earned]),
    [
      ['best', 1200],
      ['slow', 360],
      ['steady', 300],
      ['poor', 3],
    ],
  );
  assert.deepEqual(
    slow.map(({ feed, change, perHour }) => [feed.room, Number(change.toFixed(2)), perHour]),
    [['slow', -0.8, 120]],
  );
});

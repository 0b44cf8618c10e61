import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store, feedKey, statusOf } from '../../broadcast_service/dashboard/store.js';
import { totalsOf } from '../../broadcast_service/dashboard/totals.js';

/** @typedef {import('../../broadcast_service/dashboard/messages.js').Numbers} Numbers */
/** @typedef {import('../../broadcast_service/dashboard/messages.js').Hello} Hello */
const NOW = 1_764_000_000;
const LOCAL = NOW * 1000;

/** @param {string} room @param {number} version @param {Partial<Numbers>} [data] */
const update = (room, version, data = {}) => /** @type {const} */ ({
  event_type: 'TELEMETRY_UPDATE', room_id: room, version, timestamp: NOW,
  data: { platform: 'camsoda', tokens: 10, tips: null, viewers: null, goal: null, timestamp: NOW, ...data },
});
/** @param {Partial<Hello>} [terms] @returns {Hello} */
const hello = (terms = {}) => ({
  event_type: 'HELLO', protocol: 'pulse.v1', instance: 'i', heartbeat_seconds: 10, stale_seconds: 15, ttl_seconds: 3600, token_expires_at: NOW + 60,
  rooms: ['*'], platforms: null, resumed: false, timestamp: NOW, time_ms: LOCAL, ...terms,
});
/** @param {boolean} snapshot */
const sync = (snapshot) => /** @type {const} */ ({ event_type: 'SYNC', version: 1, snapshot, timestamp: NOW, time_ms: LOCAL });

/** @param {...import('../../broadcast_service/dashboard/messages.js').ServerEvent} events */
function storeOf(...events) {
  const store = new Store();
  for (const event of events) store.apply(event, LOCAL);
  return store;
}
/** @param {Store} store @param {string} room */
function feedOf(store, room) {
  const feed = store.feeds.get(feedKey(room, 'camsoda'));
  assert.ok(feed);
  return feed;
}

test('an older version never replaces a newer one', () => {
  const store = storeOf(hello(), update('blue', 5, { tokens: 50 }), update('blue', 4, { tokens: 40 }));
  assert.equal(feedOf(store, 'blue').tokens, 50);
});

test('unknown stays null and is never zero', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 5)), 'blue');
  assert.deepEqual([feed.tips, feed.viewers, feed.goal], [null, null, null]);
});

test('a snapshot forgets rooms it did not mention', () => {
  const store = storeOf(hello(), update('blue', 1), update('red', 2), sync(true), hello(), update('red', 2), sync(true));
  assert.deepEqual([...store.feeds.values()].map(({ room }) => room), ['red']);
  assert.ok(store.takeChanges().removed.has(feedKey('blue', 'camsoda')));
});

test('a resumed session forgets nothing', () => {
  const store = storeOf(hello(), update('blue', 1), update('red', 2), sync(true), hello({ resumed: true }), update('red', 3), sync(false));
  assert.equal(store.feeds.size, 2);
});

test('renewing with a narrower scope forgets what it no longer covers', () => {
  const renewed = /** @type {const} */ ({ event_type: 'TOKEN_RENEWED', expires_at: NOW, timestamp: NOW });
  const store = storeOf(hello(), update('blue', 1), update('red', 2), sync(true), renewed, update('red', 2), sync(true));
  assert.deepEqual([...store.feeds.values()].map(({ room }) => room), ['red']);
});

test('an expiry counts unless a newer value is known', () => {
  const expired = (/** @type {number} */ version) => /** @type {const} */ ({ event_type: 'TELEMETRY_EXPIRED', room_id: 'blue', data: { platform: 'camsoda' }, timestamp: NOW, version });
  const store = storeOf(hello(), update('blue', 5), expired(4));
  assert.equal(feedOf(store, 'blue').expired, false);
  store.apply(expired(5), LOCAL);
  assert.equal(feedOf(store, 'blue').expired, true);
  store.apply(update('blue', 6), LOCAL);
  assert.equal(feedOf(store, 'blue').expired, false);
});

test('only a changed number flashes', () => {
  const store = storeOf(hello(), update('blue', 1));
  assert.equal(store.takeChanges().flashed.size, 0);
  store.apply(update('blue', 2), LOCAL);
  assert.equal(store.takeChanges().flashed.size, 0);
  store.apply(update('blue', 3, { viewers: 4 }), LOCAL);
  assert.equal(store.takeChanges().flashed.size, 1);
});

test('status follows the age of the reading', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 1)), 'blue');
  const at = (/** @type {number} */ seconds) => statusOf(feed, LOCAL + seconds * 1000, { staleSeconds: 15, ttlSeconds: 3600 }, true);
  assert.deepEqual([0, 15, 16, 60, 61, 3600, 3601].map(at), ['live', 'live', 'stale', 'stale', 'off_air', 'off_air', 'expired']);
});

test('without a trusted link nothing is live', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 1)), 'blue');
  assert.equal(statusOf(feed, LOCAL, { staleSeconds: 15, ttlSeconds: 3600 }, false), 'unconfirmed');
});

test('a browser clock that is an hour ahead does not make values old', () => {
  const store = new Store();
  store.apply(hello(), LOCAL + 3_600_000);
  store.apply(update('blue', 1), LOCAL + 3_600_000);
  assert.equal(statusOf(feedOf(store, 'blue'), store.clock.now(LOCAL + 3_600_000), store, true), 'live');
});

test('a fall of the balance is a cash-out and earns nothing', () => {
  const store = storeOf(hello(), sync(true), update('blue', 1, { tokens: 100 }), update('blue', 2, { tokens: 150 }), update('blue', 3, { tokens: 20 }), update('blue', 4, { tokens: 45 }));
  assert.equal(totalsOf(store, LOCAL, true, LOCAL - 1e6).today, 75);
});

test('totals count viewers and tips only where a room reports them and is on air', () => {
  const old = NOW - 120;
  const store = storeOf(hello(), update('blue', 1, { viewers: 5, tips: 2 }), update('red', 2), update('gone', 3, { viewers: 100, timestamp: old }), sync(true));
  const totals = totalsOf(store, LOCAL, true, LOCAL - 1e6);
  assert.deepEqual([totals.feeds.live, totals.feeds.off_air, totals.viewers, totals.viewersKnown, totals.tips], [2, 1, 5, 1, 2]);
});

test('another token starts from nothing', () => {
  const store = storeOf(hello(), update('blue', 1), sync(true));
  store.clear();
  assert.deepEqual([store.feeds.size, store.complete, store.upstream], [0, false, 'unknown']);
});

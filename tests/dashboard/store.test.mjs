import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockError } from '../../broadcast_service/dashboard/state/lag.js';
import { feedKey, Store, statusOf } from '../../broadcast_service/dashboard/state/store.js';
import { totalsOf } from '../../broadcast_service/dashboard/state/totals.js';

/** @typedef {import('../../broadcast_service/dashboard/link/messages.js').Numbers} Numbers */
/** @typedef {import('../../broadcast_service/dashboard/link/messages.js').Hello} Hello */
const NOW = 1_764_000_000;
const LOCAL = NOW * 1000;

/** @param {string} room @param {number} version @param {Partial<Numbers>} [data] @param {number} [committedAt] */
const update = (room, version, data = {}, committedAt = NOW) =>
  /** @type {const} */ ({
    event_type: 'TELEMETRY_UPDATE',
    room_id: room,
    version,
    timestamp: committedAt,
    data: { platform: 'camsoda', tokens: 10, tips: null, viewers: null, goal: null, timestamp: NOW, ...data },
  });
/** @param {Partial<Hello>} [terms] @returns {Hello} */
const hello = (terms = {}) => ({
  event_type: 'HELLO',
  protocol: 'pulse.v1',
  instance: 'i',
  heartbeat_seconds: 10,
  stale_seconds: 15,
  ttl_seconds: 3600,
  token_expires_at: NOW + 60,
  rooms: ['*'],
  platforms: null,
  resumed: false,
  timestamp: NOW,
  time_ms: LOCAL,
  ...terms,
});
/** @param {boolean} snapshot */
const sync = (snapshot) =>
  /** @type {const} */ ({ event_type: 'SYNC', version: 1, snapshot, timestamp: NOW, time_ms: LOCAL });

/** @param {...import('../../broadcast_service/dashboard/link/messages.js').ServerEvent} events */
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
  const store = storeOf(
    hello(),
    update('blue', 1),
    update('red', 2),
    sync(true),
    hello(),
    update('red', 2),
    sync(true),
  );
  assert.deepEqual(
    [...store.feeds.values()].map(({ room }) => room),
    ['red'],
  );
  assert.ok(store.takeChanges().removed.has(feedKey('blue', 'camsoda')));
});

test('a resumed session forgets nothing', () => {
  const store = storeOf(
    hello(),
    update('blue', 1),
    update('red', 2),
    sync(true),
    hello({ resumed: true }),
    update('red', 3),
    sync(false),
  );
  assert.equal(store.feeds.size, 2);
});

test('renewing with a narrower scope removes the rooms outside it', () => {
  const renewed = /** @type {const} */ ({ event_type: 'TOKEN_RENEWED', expires_at: NOW, timestamp: NOW });
  const store = storeOf(
    hello(),
    update('blue', 1),
    update('red', 2),
    sync(true),
    renewed,
    update('red', 2),
    sync(true),
  );
  assert.deepEqual(
    [...store.feeds.values()].map(({ room }) => room),
    ['red'],
  );
});

test('an expiry counts unless a newer value is known', () => {
  const expired = (/** @type {number} */ version) =>
    /** @type {const} */ ({
      event_type: 'TELEMETRY_EXPIRED',
      room_id: 'blue',
      data: { platform: 'camsoda' },
      timestamp: NOW,
      version,
    });
  const store = storeOf(hello(), update('blue', 5), expired(4));
  assert.equal(feedOf(store, 'blue').expired, false);
  store.apply(expired(5), LOCAL);
  assert.equal(feedOf(store, 'blue').expired, true);
  store.apply(update('blue', 6), LOCAL);
  assert.equal(feedOf(store, 'blue').expired, false);
});

test('only tokens gained flash: green means money', () => {
  const store = storeOf(hello(), update('blue', 1, { tokens: 10 }));
  const flashes = (/** @type {Record<string, number | null>} */ numbers, /** @type {number} */ version) => {
    store.apply(update('blue', version, numbers), LOCAL);
    return store.takeChanges().flashed.size;
  };
  store.takeChanges();
  assert.equal(flashes({ tokens: 10 }, 2), 0);
  assert.equal(flashes({ tokens: 10, viewers: 4, tips: 9, goal: 50 }, 3), 0);
  assert.equal(flashes({ tokens: 11 }, 4), 1);
  assert.equal(flashes({ tokens: 3 }, 5), 0);
  assert.equal(flashes({ tokens: null }, 6), 0);
  assert.equal(flashes({ tokens: 50 }, 7), 0);
});

test('status follows the age of the reading', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 1)), 'blue');
  const at = (/** @type {number} */ seconds) => statusOf(feed, LOCAL + seconds * 1000, { ttlSeconds: 3600 }, true);
  assert.deepEqual([0, 15, 16, 60, 61, 3600, 3601].map(at), [
    'live',
    'live',
    'stale',
    'stale',
    'off_air',
    'off_air',
    'expired',
  ]);
});

test('without a trusted link live and stale feeds become last known, and nothing else changes', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 1)), 'blue');
  const at = (/** @type {number} */ seconds) => statusOf(feed, LOCAL + seconds * 1000, { ttlSeconds: 3600 }, false);
  assert.deepEqual([0, 15, 16, 60, 61, 3601].map(at), [
    'unconfirmed',
    'unconfirmed',
    'unconfirmed',
    'unconfirmed',
    'off_air',
    'expired',
  ]);
});

test('a browser clock that is an hour ahead does not make values old', () => {
  const store = new Store();
  store.apply(hello(), LOCAL + 3_600_000);
  store.apply(update('blue', 1), LOCAL + 3_600_000);
  assert.equal(statusOf(feedOf(store, 'blue'), store.clock.now(LOCAL + 3_600_000), store, true), 'live');
});

/** Readings of a room, one every five seconds. @param {string} room @param {number[]} balances @param {Partial<Numbers>} [data] @param {number} [from] */
const readings = (room, balances, data = {}, from = 0) =>
  balances.map((tokens, i) =>
    update(room, from + i + 1, { tokens, timestamp: NOW + from + 5 * i, ...data }, NOW + from + 5 * i),
  );

test('a fall of the balance is a cash-out once it is confirmed, and earns nothing', () => {
  const store = storeOf(hello(), sync(true), ...readings('blue', [100, 150, 20, 45]));
  const figures = () => {
    const { today, pending } = totalsOf(store, LOCAL + 60_000, LOCAL - 1e6);
    return [today, pending, feedOf(store, 'blue').pending];
  };
  assert.deepEqual(figures(), [50, 25, 25]);
  store.detectSilence(LOCAL + 40_000);
  assert.deepEqual(figures(), [50, 25, 25]);
  store.detectSilence(LOCAL + 40_001);
  assert.deepEqual(figures(), [75, 0, 0]);
});

test('a large tip is pending until it is confirmed, then counts in its own minute', () => {
  const store = storeOf(hello(), sync(true), ...readings('blue', [500, 500, 500, 500, 500, 500, 500, 500, 500]));
  for (const event of readings('blue', [9000, 9000], {}, 45)) store.apply(event, LOCAL);
  assert.deepEqual([feedOf(store, 'blue').pending, store.ledger.sum(0, Infinity)], [8500, 0]);
  store.detectSilence(LOCAL + 90_000);
  assert.deepEqual(
    [feedOf(store, 'blue').pending, store.ledger.sum(NOW / 60, NOW / 60), store.ledger.sum(0, Infinity)],
    [0, 8500, 8500],
  );
});

test('an account that moves to another room earns there', () => {
  const account = 'ana';
  const store = storeOf(hello(), sync(true), ...readings('a', [1000, 1040], { account }));
  for (const event of readings('b', [1100, 1130], { account }, 100)) store.apply(event, LOCAL);
  for (const event of readings('b', [900, 905], { account, platform: 'other' }, 200)) store.apply(event, LOCAL);
  const earned = (/** @type {string} */ room) => feedOf(store, room).ledger.sum(0, Infinity);
  assert.deepEqual([earned('a'), earned('b'), store.ledger.sum(0, Infinity)], [40, 90, 135]);
});

test('a page that opens while a room shows half a number leaves the rest to history', () => {
  const store = storeOf(hello(), ...readings('blue', [123]), sync(true));
  for (const event of readings('blue', [12_345, 12_400, 12_400], {}, 5)) store.apply(event, LOCAL);
  store.detectSilence(LOCAL + 60_000);
  assert.equal(store.ledger.sum(0, Infinity), 55);
});

test('a page that opens while a room shows 0 leaves the rest to history', () => {
  const store = storeOf(hello(), ...readings('blue', [0]), sync(true));
  for (const event of readings('blue', [12_345, 12_400], {}, 5)) store.apply(event, LOCAL);
  store.detectSilence(LOCAL + 60_000);
  assert.equal(store.ledger.sum(0, Infinity), 55);
});

test('what a new room earns in its first minute is counted at once, and history confirms it', () => {
  const at = (/** @type {number} */ seconds) => ({ timestamp: NOW + seconds });
  const store = storeOf(
    hello(),
    sync(true),
    update('new', 1, { tokens: 1000, ...at(0) }, NOW),
    update('new', 2, { tokens: 1500, ...at(3) }, NOW + 3),
    update('new', 3, { tokens: 2000, ...at(5) }, NOW + 5),
  );
  const today = () => totalsOf(store, LOCAL + 120_000, LOCAL - 1e6).today;
  assert.equal(today(), 1000);
  store.apply(update('new', 4, { tokens: 2040, ...at(65) }, NOW + 65), LOCAL);
  assert.equal(today(), 1040);
  store.settle(
    new Map([
      [NOW / 60, 1000],
      [NOW / 60 + 1, 40],
    ]),
    [],
    NOW / 60 - 600,
    NOW / 60 + 1,
    NOW / 60 + 2,
  );
  assert.equal(today(), 1040);
});

test('accounts that alternate in one room earn each by itself, as history counts them', () => {
  const readings = /** @type {const} */ ([
    ['ana', 100],
    ['eva', 9000],
    ['ana', 110],
    ['eva', 9000],
    ['ana', 130],
    ['eva', 9050],
    [null, 500],
    [null, 501],
  ]);
  const store = storeOf(
    hello(),
    sync(true),
    ...readings.map(([account, tokens], i) => update('blue', i + 1, { tokens, account, timestamp: NOW + i }, NOW + i)),
  );
  assert.equal(totalsOf(store, LOCAL, LOCAL - 1e6).today, 30 + 50 + 1);
});

test('a placeholder of 0 earns nothing, neither live nor in history', () => {
  const store = storeOf(
    hello(),
    sync(true),
    ...[12_345, 0, 0, 12_400].map((tokens, i) =>
      update('blue', i + 1, { tokens, timestamp: NOW + 5 * i }, NOW + 5 * i),
    ),
  );
  assert.deepEqual(
    [totalsOf(store, LOCAL, LOCAL - 1e6).today, feedOf(store, 'blue').ledger.sum(NOW / 60, NOW / 60)],
    [55, 55],
  );
});

test('totals count viewers and tips only where a room reports them and is on air', () => {
  const old = NOW - 120;
  const store = storeOf(
    hello(),
    update('blue', 1, { viewers: 5, tips: 2 }),
    update('red', 2),
    update('gone', 3, { viewers: 100, timestamp: old }),
    sync(true),
  );
  const totals = totalsOf(store, LOCAL, LOCAL - 1e6);
  assert.deepEqual(
    [
      totals.feeds.live,
      totals.feeds.off_air,
      totals.counts.viewers.sum,
      totals.counts.viewers.known,
      totals.counts.tips.sum,
    ],
    [2, 1, 5, 1, 2],
  );
});

test('another token starts from nothing', () => {
  const store = storeOf(hello(), update('blue', 1), sync(true));
  store.clear();
  assert.deepEqual([store.feeds.size, store.complete, store.upstream], [0, false, 'unknown']);
});

test('a reading stamped ahead of its commit ages from its commit', () => {
  const feed = feedOf(storeOf(hello(), update('blue', 1, { timestamp: NOW + 290 })), 'blue');
  const at = (/** @type {number} */ seconds) => statusOf(feed, LOCAL + seconds * 1000, { ttlSeconds: 3600 }, true);
  assert.deepEqual([0, 15, 16, 60, 61, 290, 3601].map(at), [
    'live',
    'live',
    'stale',
    'stale',
    'off_air',
    'off_air',
    'expired',
  ]);
});

for (const [interval, stale, offAir] of /** @type {const} */ ([
  [1, 3, 12],
  [5, 15, 60],
  [60, 180, 720],
])) {
  test(`a producer that reports every ${interval} s is stale after three and off air after twelve of its intervals`, () => {
    const feed = feedOf(storeOf(hello(), update('blue', 1, { interval_seconds: interval })), 'blue');
    const at = (/** @type {number} */ seconds) => statusOf(feed, LOCAL + seconds * 1000, { ttlSeconds: 3600 }, true);
    assert.deepEqual([stale, stale + 1, offAir, offAir + 1].map(at), ['live', 'stale', 'stale', 'off_air']);
  });
}

/** Readings every five seconds, each committed so many seconds after its stamp. @param {number[]} lags */
const lagging = (...lags) =>
  feedOf(
    storeOf(hello(), ...lags.map((lag, i) => update('blue', i + 1, { timestamp: NOW + i * 5 - lag }, NOW + i * 5))),
    'blue',
  );

test('a desk whose clock is 70 s behind and that keeps reporting is stale, not off air, and its clock is named', () => {
  const feed = lagging(70, 70, 71, 70);
  const at = (/** @type {number} */ seconds) =>
    statusOf(feed, LOCAL + (15 + seconds) * 1000, { ttlSeconds: 3600 }, true);
  assert.deepEqual([0, 60, 61].map(at), ['stale', 'stale', 'off_air']);
  assert.equal(clockError(feed.lag), 70);
});

test('one late reading, or an outbox that sends stored readings, is no wrong clock and brings no room on air', () => {
  const flush = [600, 595, 590, 585, 580].map((age, i) => update('blue', i + 1, { timestamp: NOW - age }));
  for (const feed of [lagging(70), feedOf(storeOf(hello(), ...flush), 'blue'), lagging(600, 400, 200)]) {
    assert.equal(clockError(feed.lag), null);
    assert.equal(statusOf(feed, LOCAL, { ttlSeconds: 3600 }, true), 'off_air');
  }
});

test('a clock that is ahead is named with the first reading, a small difference never', () => {
  assert.equal(clockError(lagging(-90).lag), -90);
  assert.equal(clockError(lagging(20, 20, 20, 20).lag), null);
});

test('unknown tokens are no zero: not shown, not counted, and the next balance counts from the last known one', () => {
  const store = storeOf(hello(), sync(true), update('blue', 1, { tokens: 100 }), update('red', 1, { tokens: null }));
  assert.equal(totalsOf(store, LOCAL, LOCAL - 1e6).unread, 1);
  store.apply(update('blue', 2, { tokens: null, timestamp: NOW + 60 }, NOW + 60), LOCAL);
  assert.equal(feedOf(store, 'blue').tokens, null);
  store.apply(update('blue', 3, { tokens: 130, timestamp: NOW + 65 }, NOW + 65), LOCAL);
  assert.deepEqual([feedOf(store, 'blue').tokens, store.ledger.sum(0, Infinity)], [130, 30]);
});

test('an expiry that arrives while the source is lost does not change earlier moments', () => {
  const store = storeOf(hello(), update('blue', 1), sync(true), {
    event_type: 'UPSTREAM',
    status: 'degraded',
    timestamp: NOW,
  });
  store.apply(
    {
      event_type: 'TELEMETRY_EXPIRED',
      room_id: 'blue',
      data: { platform: 'camsoda' },
      timestamp: NOW + 40,
      version: 1,
    },
    LOCAL,
  );
  assert.equal(statusOf(feedOf(store, 'blue'), store.currentAsOfMs ?? 0, store, false), 'unconfirmed');
  assert.equal(statusOf(feedOf(store, 'blue'), LOCAL + 41_000, store, true), 'expired');
});

test('a snapshot without a room forgets it only if the server has its source', () => {
  const degraded = /** @type {const} */ ({ event_type: 'UPSTREAM', status: 'degraded', timestamp: NOW });
  const ok = /** @type {const} */ ({ event_type: 'UPSTREAM', status: 'ok', timestamp: NOW });
  const store = storeOf(
    hello(),
    update('blue', 1),
    update('red', 2),
    sync(true),
    hello(),
    degraded,
    update('red', 2),
    sync(true),
  );
  assert.equal(store.feeds.size, 2);
  for (const event of [hello(), ok, update('red', 2), sync(true)]) store.apply(event, LOCAL);
  assert.equal(store.feeds.size, 1);
});

test('a token that was renewed to a narrower scope hides rooms even while the source is lost', () => {
  const store = storeOf(
    hello(),
    update('blue', 1),
    update('red', 2),
    sync(true),
    { event_type: 'UPSTREAM', status: 'degraded', timestamp: NOW },
    { event_type: 'TOKEN_RENEWED', expires_at: NOW, timestamp: NOW },
    update('red', 2),
    sync(true),
  );
  assert.deepEqual(
    [...store.feeds.values()].map(({ room }) => room),
    ['red'],
  );
});

test('history that answered before the newest readings takes nothing back of a minute that is not over', () => {
  const store = storeOf(hello(), update('blue', 1, { tokens: 0 }), sync(true), update('blue', 2, { tokens: 50 }));
  const minute = NOW / 60;
  store.settle(
    new Map([
      [minute - 5, 7],
      [minute, 20],
    ]),
    [{ room_id: 'blue', platform: 'camsoda', minutes: new Map([[minute, 20]]) }],
    minute - 600,
    minute,
    minute,
  );
  assert.equal(totalsOf(store, LOCAL, LOCAL - 1e6).today, 57);
});

/** History of the room blue: its income by minutes after NOW. @param {Store} store @param {[number, number][]} earned @param {number} openMinute */
function settleBlue(store, earned, openMinute) {
  const minutes = new Map(earned.map(([after, tokens]) => [NOW / 60 + after, tokens]));
  const feeds = [{ room_id: 'blue', platform: 'camsoda', minutes }];
  store.settle(minutes, feeds, NOW / 60 - 600, NOW / 60 + 30, NOW / 60 + openMinute);
}
/** @param {Store} store */
const earnedIn = (store) => [store.ledger.sum(0, Infinity), feedOf(store, 'blue').ledger.sum(0, Infinity)];

const STEADY = readings('blue', [500, 500, 500, 500, 500, 500, 500, 500, 507]);
/** @type {[string, number, number][]} what history has of the minute when it answers, and what the page shows in the end */
const ANSWERS = [
  ['has confirmed it', 8507, 8507],
  ['has not confirmed it', 7, 8507],
];
for (const [answer, inHistory, shown] of ANSWERS) {
  test(`a large tip that is pending when history answers, which ${answer}, counts once`, () => {
    const store = storeOf(hello(), sync(true), ...STEADY, ...readings('blue', [9007, 9007], {}, 45));
    settleBlue(store, [[0, inHistory]], 0);
    store.detectSilence(LOCAL + 90_000);
    assert.deepEqual(earnedIn(store), [shown, shown]);
  });
}

test('what history counted of a pending tip is not taken from a later one', () => {
  const store = storeOf(hello(), sync(true), ...STEADY, ...readings('blue', [9007, 9007], {}, 45));
  settleBlue(store, [[0, 8507]], 0);
  store.detectSilence(LOCAL + 90_000);
  for (const event of readings('blue', [18_007, 18_007], {}, 100)) store.apply(event, LOCAL);
  store.detectSilence(LOCAL + 200_000);
  assert.deepEqual(earnedIn(store), [17_507, 17_507]);
});

test('income while the page was offline counts once, whether history answers or not', () => {
  const store = storeOf(hello(), sync(true), ...readings('blue', [500, 507]));
  store.apply(update('blue', 900, { tokens: 1007, timestamp: NOW + 600 }, NOW + 600), LOCAL + 600_000);
  assert.deepEqual(earnedIn(store), [507, 507]);
  const inTheGap = /** @type {[number, number][]} */ ([
    [0, 7],
    [3, 200],
    [7, 250],
    [10, 50],
  ]);
  settleBlue(store, inTheGap, 9);
  assert.deepEqual(earnedIn(store), [507, 507]);
});

test('before history has answered, earnings are unknown', () => {
  const store = storeOf(hello(), sync(true));
  assert.equal(totalsOf(store, LOCAL, LOCAL - 1e6).past, 'pending');
  store.historyFailed();
  assert.equal(totalsOf(store, LOCAL, LOCAL - 1e6).past, 'failed');
});

test('a heartbeat of a server that has not read everything yet is no empty studio', () => {
  const store = storeOf(hello(), { event_type: 'UPSTREAM', status: 'degraded', timestamp: NOW }, sync(false));
  assert.deepEqual([store.complete, totalsOf(store, LOCAL, 0).known], [false, false]);
  store.apply(sync(true), LOCAL);
  assert.equal(store.complete, true);
});

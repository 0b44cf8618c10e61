import assert from 'node:assert/strict';
import { test } from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import { Api } from '../../broadcast_service/dashboard/link/api.js';
import { arrange, readFilters } from '../../broadcast_service/dashboard/state/filters.js';
import { Store } from '../../broadcast_service/dashboard/state/store.js';
import { knownZone, StudioFacts } from '../../broadcast_service/dashboard/state/studio.js';
import { StudioPoll } from '../../broadcast_service/dashboard/state/studio_poll.js';
import { totalsOf } from '../../broadcast_service/dashboard/state/totals.js';
import { Clock, settle } from './scripted.mjs';

const HOUR = 3600;
const MIDNIGHT = 1_795_669_200; // of Bogotá
const NOW = MIDNIGHT + 9 * HOUR;
const MINUTE = NOW / 60;

/** @param {number} from hours after midnight @param {number} to */
const span = (from, to) => ({ from: MIDNIGHT + from * HOUR, to: MIDNIGHT + to * HOUR });
/** @returns {import('../../broadcast_service/dashboard/state/studio.js').StudioView} */
const view = (more = {}) => ({
  configured: true,
  timezone: 'America/Bogota',
  currency: { code: 'USD', per_token: 0.05 },
  periods: {
    yesterday: span(-24, 0),
    today: span(0, 24),
    week: span(-72, 96),
    half_month: span(-240, 96),
    month: span(-600, 96),
  },
  shifts: [
    { name: 'Night', ...span(-2, 6), rooms: ['*'], target: 900 },
    { name: 'Morning', ...span(6, 14), rooms: ['blue', 'floor-2-*'], target: 1000 },
  ],
  rooms: [
    { room_id: 'blue', name: 'Azul', target: null },
    { room_id: 'floor-2-1', name: null, target: 2000 },
  ],
  accounts: [{ platform: 'camsoda', account: 'ana', name: 'Ana', target: 300 }],
  problems: [],
  ...more,
});

/** @param {Store} store @param {string} room @param {{platform?: string, account?: string, tokens?: number}} [more] */
function read(store, room, { platform = 'camsoda', account = '', tokens = 5000 } = {}) {
  const data = { platform, tokens, tips: null, viewers: null, goal: null, timestamp: NOW - 1, account };
  store.apply(
    { event_type: 'TELEMETRY_UPDATE', room_id: room, data, version: NOW * 1e6, timestamp: NOW - 1 },
    NOW * 1000,
  );
  return /** @type {import('../../broadcast_service/dashboard/state/store.js').Feed} */ (
    store.feeds.get(`${room}\n${platform}`)
  );
}

function storeWith(more = {}) {
  const store = new Store();
  store.studio.set(view(more));
  return store;
}

/** History of the last hour has answered, in which each of these feeds earned `perMinute`. @param {Store} store @param {{room: string, platform: string}[]} feeds */
function settled(store, feeds, perMinute = 1) {
  const minutes = new Map(Array.from({ length: 60 }, (_, i) => [MINUTE - 60 + i, perMinute]));
  const own = feeds.map(({ room, platform }) => ({ room_id: room, platform, minutes }));
  store.settle(minutes, own, MIDNIGHT / 60, MINUTE - 1, MINUTE, MINUTE - 60);
}

/** @param {number} earned of each feed before the last hour @param {string[][]} feeds */
const reportOf = (earned, ...feeds) => ({
  analytics: async () =>
    /** @type {any} */ ({ feeds: feeds.map(([room_id, platform]) => ({ room_id, platform, earned })) }),
});

test('today begins where the studio is, and goes on where the server has not sent the next day yet', () => {
  const facts = new StudioFacts();
  const local = new Date(NOW * 1000).setHours(0, 0, 0, 0);
  assert.equal(facts.midnightMs(NOW * 1000), local);
  facts.set(view({ configured: false }));
  assert.equal(facts.midnightMs(NOW * 1000), local);
  facts.set(view());
  for (const [hours, day] of [
    [0, 0],
    [23.99, 0],
    [-0.01, -24],
    [24, 24],
    [50, 48],
  ])
    assert.equal(facts.midnightMs((MIDNIGHT + Number(hours) * HOUR) * 1000), (MIDNIGHT + Number(day) * HOUR) * 1000);
});

test('a room works the shift that covers it, by id or by the beginning of its id', () => {
  const { studio } = storeWith();
  const at = (/** @type {string} */ room, /** @type {number} */ hours) =>
    studio.shiftOf(room, (MIDNIGHT + hours * HOUR) * 1000)?.name;
  assert.deepEqual(
    [at('blue', 5.99), at('blue', 6), at('blue', 13.99), at('blue', 14)],
    ['Night', 'Morning', 'Morning', undefined],
  );
  assert.deepEqual([at('floor-2-7', 9), at('floor-3-7', 9)], ['Morning', undefined]);
});

test('income of a shift is what history knows of it and what the feed earned since', async () => {
  const store = storeWith();
  const blue = read(store, 'blue');
  const progress = () => store.shifts.of(blue, NOW * 1000);
  assert.equal(progress()?.earned, null); // unknown, and not zero
  settled(store, [blue]);
  assert.equal(progress()?.earned, null); // the two hours before are unknown
  store.shifts.settle(await store.shifts.load(reportOf(200, ['blue', 'camsoda']), NOW * 1000, MINUTE - 60));
  assert.equal(progress()?.earned, 260);
  blue.ledger.add(MINUTE, 40);
  assert.deepEqual(progress(), {
    shift: view().shifts[1],
    earned: 300,
    target: 1000,
    share: 0.3,
    leftSeconds: 5 * HOUR,
  });
  store.resetEarnings();
  assert.equal(progress()?.earned, null);
});

test('a shift that began within the last hour needs no report', async () => {
  const store = storeWith({ shifts: [{ name: 'New', from: NOW - 1200, to: NOW + HOUR, rooms: ['*'], target: null }] });
  const blue = read(store, 'blue');
  settled(store, [blue], 2);
  const bases = await store.shifts.load(
    { analytics: () => assert.fail('nothing is before the ledger') },
    NOW * 1000,
    MINUTE - 60,
  );
  store.shifts.settle(bases);
  const progress = store.shifts.of(blue, NOW * 1000);
  assert.deepEqual([progress?.earned, progress?.target, progress?.share], [40, null, null]);
});

test('the target of a room counts all its platforms, that of an account its own feed', async () => {
  const store = storeWith();
  const feeds = [
    read(store, 'floor-2-1', { account: 'ana' }),
    read(store, 'floor-2-1', { platform: 'chaturbate' }),
    read(store, 'blue'),
  ];
  settled(store, feeds);
  const api = reportOf(40, ['floor-2-1', 'camsoda'], ['floor-2-1', 'chaturbate'], ['blue', 'camsoda']);
  store.shifts.settle(await store.shifts.load(api, NOW * 1000, MINUTE - 60));
  const shown = feeds.map((feed) => store.shifts.of(feed, NOW * 1000));
  assert.deepEqual(
    shown.map((progress) => [progress?.earned, progress?.target, progress?.share]),
    [
      [100, 300, 1 / 3],
      [100, 2000, 0.1],
      [100, 1000, 0.1],
    ],
  );
  const { parts, ...total } = store.shifts.total(NOW * 1000) ?? { parts: [] };
  assert.deepEqual(total, { names: ['Morning'], earned: 300, target: 3300, leftSeconds: 5 * HOUR });
  assert.deepEqual(
    parts.map((part) => [part.names, part.earned, part.target, part.feeds.length]),
    [[['Morning'], 300, 3300, 3]],
  );
});

test('totals have the shift and what today is worth, and neither without a studio file', () => {
  const store = storeWith();
  settled(store, [read(store, 'blue')], 10);
  store.complete = true;
  const totals = totalsOf(store, NOW * 1000, store.studio.midnightMs(NOW * 1000));
  assert.deepEqual([totals.today, totals.worth], [600, { code: 'USD', amount: 30 }]);
  store.studio.set(null);
  const plain = totalsOf(store, NOW * 1000, MIDNIGHT * 1000);
  assert.deepEqual([plain.shift, plain.worth], [null, null]);
});

test('a room that leaves counts for its room no more', () => {
  const store = storeWith();
  read(store, 'blue');
  store.clear();
  assert.deepEqual([...store.feedsOf('blue')], []);
  assert.equal(store.studio.view, null); // another access may know something else
});

test('names are searched and sorted by, beside ids', () => {
  const store = storeWith();
  for (const [room, account] of [
    ['blue', 'ana'],
    ['aurora', ''],
  ])
    read(store, String(room), { account });
  const shown = (/** @type {string} */ search, query = '') =>
    arrange(
      store.feeds.values(),
      { ...readFilters(new URLSearchParams(query)), search },
      () => 'live',
      () => 0,
      () => 0,
      () => 'live',
      {
        names: ({ room, platform, account }) => [
          store.studio.roomName(room),
          store.studio.accountName(platform, account),
        ],
        share: ({ room }) => (room === 'blue' ? 0.5 : null),
      },
    ).flatMap(({ keys }) => keys.map((key) => key.split('\n')[0]));
  assert.deepEqual(shown('', 'sort=goal'), ['blue', 'aurora']); // by the share of the target
  assert.deepEqual(
    [shown('azul'), shown('blue'), shown('ANA'), shown('')],
    [['blue'], ['blue'], ['blue'], ['aurora', 'blue']],
  );
});

test('money and the remaining time of a shift are written in both languages', () => {
  const [es, en] = [new I18n('es', ['es-CO']), new I18n('en', ['en-US'])];
  const plain = (/** @type {string} */ text) => text.replace(/\s/gu, ' ');
  assert.equal(plain(en.money({ code: 'USD', amount: 12.5 })), '$12.50');
  assert.equal(plain(es.money({ code: 'COP', amount: 1_234_567.8 })), '$ 1.234.568');
  assert.deepEqual(
    [60, 59 * 60 + 1, 7200, 0].map((seconds) => plain(es.left(seconds))),
    ['1 min', '1 h', '2 h', '0 min'],
  );
  assert.equal(plain(en.left(3 * HOUR + 12 * 60)), '3 hr 12 min');
});

test('times of day are those of the studio, not of the browser’s zone, and an unknown zone is not used', () => {
  const text = new I18n('en', ['en-GB'], knownZone('America/Bogota')).hour.format((MIDNIGHT + 9 * HOUR) * 1000);
  assert.equal(text, '9:00');
  assert.equal(knownZone('America/Nowhere'), undefined);
  assert.equal(knownZone(undefined), undefined);
});

test('the poll asks by tag, reports changes, and outlives a server that knows nothing of it', async () => {
  const clock = new Clock();
  /** @type {(() => Response)[]} */
  const answers = [
    () => Response.json(view(), { headers: { ETag: '"a"' } }),
    () => new Response(null, { status: 304 }),
    () => new Response(null, { status: 404 }),
    () => Response.json(view({ problems: ['x'] }), { headers: { ETag: '"b"' } }),
  ];
  /** @type {(string | null)[]} */
  const tags = [];
  const ask = async (/** @type {any} */ _url, /** @type {any} */ options) => {
    tags.push(new Headers(options.headers).get('If-None-Match'));
    return /** @type {() => Response} */ (answers.shift())();
  };
  /** @type {string[][]} */
  const seen = [];
  const poll = new StudioPoll(
    new Api(() => '', ask),
    clock,
    () => 0.5,
    ({ problems }) => seen.push(problems),
  );
  poll.start();
  await poll.ready;
  for (const _ of [1, 2, 3]) {
    clock.pass(60_000);
    await settle();
  }
  assert.deepEqual(seen, [[], ['x']]);
  poll.stop();
  clock.pass(600_000);
  assert.deepEqual(tags, [null, '"a"', '"a"', '"a"']);
});

/** From a figure of income to its reasons: which page, and which parts add up to the figure. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hrefOf, MAX_WHY_SECONDS, readFeeds, readRoute, writeFeeds } from '../../broadcast_service/dashboard/router.js';
import { localTime, MACHINE, requestOf, sumOf, textOfSum } from '../../broadcast_service/dashboard/state/sum_parts.js';
import { lastMinutes, minutesSince, whyRoute } from '../../broadcast_service/dashboard/ui/why_link.js';

/** @typedef {import('../../broadcast_service/dashboard/router.js').SumRoute} SumRoute */

const [A, B, C] = [
  { room: 'vip 1', platform: 'camsoda' },
  { room: 'b.2_x-', platform: 'camsoda' },
  { room: 'vip 1', platform: 'strip-chat_2' },
];
const SPAN = { from: 3600, to: 7200 };
/** @param {object} [more] @returns {any} */
const reportOf = (more = {}) => ({
  ...SPAN,
  step: 3600,
  total: 165,
  earned: [165],
  measured_minutes: [60],
  feeds: [
    { room_id: 'vip 1', platform: 'camsoda', earned: 100, on_air_seconds: 1800, between_sessions: 40 },
    { room_id: 'vip 1', platform: 'strip-chat_2', earned: 60, on_air_seconds: 1800, unsettled: 7 },
    { room_id: 'b.2_x-', platform: 'camsoda', earned: 5, on_air_seconds: 600, set_aside: 1 },
    { room_id: 'idle', platform: 'camsoda', earned: 0, on_air_seconds: 60 },
  ],
  rooms: [{ room_id: 'vip 1', earned: 160, on_air_seconds: 2400 }],
  platforms: [],
  accounts: [
    {
      ...{ platform: 'camsoda', account: 'ana', earned: 90, unsettled: 3, on_air_seconds: 1200, between_sessions: 0 },
      ...{
        set_aside: 2,
        rooms: [
          { room_id: 'vip 1', earned: 60 },
          { room_id: 'b.2_x-', earned: 5 },
        ],
        other_rooms: 2,
      },
    },
    { platform: 'camsoda', account: null, earned: 8, rooms: [{ room_id: 'vip 1', earned: 8 }] },
  ],
  ...more,
});
/** @param {any} route @returns {SumRoute} */
const sumRoute = (route) => ({ view: 'sum', ...SPAN, ...route });
/** @param {SumRoute} route @param {object} [more] of the report */
const partsOf = (route, more) => sumOf(reportOf(more), route).parts.map(({ room, earned }) => [room, earned]);

test('feeds of any name are spelled in an address as they are', () => {
  for (const feeds of [[], [A], [A, B], [A, C, B]]) {
    const spelled = writeFeeds(feeds);
    assert.equal(new URLSearchParams({ feeds: spelled }).toString().replaceAll('+', ' '), `feeds=${spelled}`);
    const names = (/** @type {{room: string, platform: string}[]} */ all) =>
      all.map(({ room, platform }) => `${room} on ${platform}`).sort();
    assert.deepEqual(names(readFeeds(spelled)), names(feeds));
  }
  for (const broken of ['', '*', '**', 'camsoda', '*a*', '***']) assert.ok(readFeeds(broken).length <= 1, broken);
});

test('the income of one feed leads to its readings, that of several to their parts, in one address each', () => {
  assert.deepEqual(whyRoute({ ...SPAN, feeds: [A] }), { view: 'why', ...A, ...SPAN });
  assert.deepEqual(whyRoute({ ...SPAN, feeds: [A, B] }), sumRoute({ feeds: writeFeeds([A, B]) }));
  assert.deepEqual(whyRoute(SPAN), sumRoute({}));
  assert.deepEqual(whyRoute({ ...SPAN, platform: 'camsoda' }), sumRoute({ platform: 'camsoda' }));
  assert.equal(whyRoute({ ...SPAN, feeds: [A], account: '' }).account, '');
  for (const reasons of [{ feeds: [A] }, { feeds: [A, C] }, {}, { platform: 'camsoda', account: 'ana' }]) {
    const route = whyRoute({ ...SPAN, ...reasons });
    const url = new URL(hrefOf(route, ''), 'https://studio.example/');
    assert.deepEqual(readRoute(url.searchParams, url.hash), route);
  }
});

test('a link covers exactly the minutes that a sum of the last minutes is of', () => {
  const at = 1000 * 60_000 + 30_000;
  assert.deepEqual(lastMinutes(at, 60), { from: 941 * 60, to: 1001 * 60 });
  assert.deepEqual(lastMinutes(1000 * 60_000, 60), { from: 941 * 60, to: 1001 * 60 });
  assert.deepEqual(minutesSince(900 * 60 + 20, at), { from: 900 * 60, to: 1001 * 60 });
  assert.deepEqual(minutesSince(2000 * 60, at), { from: 1000 * 60, to: 1001 * 60 });
});

test('the parts are those of the feeds asked for, they add up to the total, and feeds without income are counted', () => {
  const all = sumOf(reportOf(), sumRoute({}));
  assert.deepEqual([all.parts.length, all.idle], [3, 1]);
  assert.deepEqual(all.total, { earned: 165, betweenSessions: 40, onAirSeconds: 4260, unsettled: 7, setAside: 1 });
  for (const feeds of [
    [A, B],
    [A, C],
    [B, C],
  ]) {
    const sum = sumOf(reportOf(), sumRoute({ feeds: writeFeeds(feeds) }));
    assert.equal(sum.parts.length, 2);
    assert.equal(
      sum.total.earned,
      sum.parts.reduce((total, { earned }) => total + earned, 0),
    );
  }
});

test('a room on two platforms at once is on air once', () =>
  assert.equal(sumOf(reportOf(), sumRoute({ feeds: writeFeeds([A, C]) })).total.onAirSeconds, 2400));

test('the parts of an account are its rooms, and what the server does not name is counted', () => {
  const ana = sumRoute({ platform: 'camsoda', account: 'ana' });
  assert.deepEqual(partsOf(ana), [
    ['vip 1', 60],
    ['b.2_x-', 5],
  ]);
  assert.deepEqual(sumOf(reportOf(), ana).others, { count: 2, earned: 25 });
  assert.equal(sumOf(reportOf(), ana).total.earned, 90);
  assert.deepEqual(partsOf(sumRoute({ platform: 'camsoda', account: '' })), [['vip 1', 8]]);
  assert.deepEqual(partsOf(sumRoute({ platform: 'camsoda', account: 'absent' })), []);
});

test('a feed in a span that is too long to be explained at once is divided into months, each of which can be', () => {
  const long = { from: 0, to: 90 * 86_400 };
  const route = /** @type {SumRoute} */ (whyRoute({ ...long, feeds: [A] }));
  assert.equal(route.view, 'sum');
  assert.deepEqual(requestOf(route, 'America/Bogota'), {
    ...{ from: 0, to: long.to, step: 'month', tz: 'America/Bogota', rooms: 'vip 1', platforms: 'camsoda' },
  });
  const starts = [0, 31, 59].map((day) => day * 86_400);
  const measured = { measured_minutes: [60, 0, 60] };
  const { parts, total } = sumOf(reportOf({ ...long, ...measured, earned: [5, 0, 7], starts }), route);
  assert.deepEqual(
    parts.map(({ from, to, earned, isKnown }) => [from, to, earned, isKnown]),
    [
      [0, starts[1], 5, true],
      [starts[1], starts[2], 0, false], // nothing was read
      [starts[2], long.to, 7, true],
    ],
  );
  assert.equal(total.earned, 12);
  assert.ok(parts.every(({ from, to }) => to - from <= MAX_WHY_SECONDS));
});

test('a report of few rooms is asked for alone, and one of many with all others', () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ room: `r${i}`, platform: 'x' }));
  assert.deepEqual(requestOf(sumRoute({ feeds: writeFeeds([A, B]) }), ''), {
    ...{ from: 3600, to: 7200, step: 3600, rooms: 'b.2_x-,vip 1', platforms: 'camsoda' },
  });
  assert.equal(requestOf(sumRoute({ feeds: writeFeeds(many) }), '').rooms, undefined);
  assert.deepEqual(requestOf(sumRoute({ platform: 'x', account: 'ana' }), ''), {
    ...{ from: 3600, to: 7200, step: 3600, by: 'account', platforms: 'x' },
  });
});

test('an address names any number of feeds, and what the server reads of it stays short', () => {
  const feeds = Array.from({ length: 500 }, (_, i) => ({ room: `sala ${i}`.padEnd(64, 'x'), platform: 'chaturbate' }));
  const url = new URL(hrefOf(whyRoute({ ...SPAN, feeds }), '?q=vip'), 'https://studio.example/');
  assert.ok(url.search.length < 200);
  const route = /** @type {SumRoute} */ (readRoute(url.searchParams, url.hash));
  assert.equal(readFeeds(route.feeds ?? '').length, 500);
  const few = whyRoute({ ...SPAN, feeds: feeds.slice(0, 20) });
  const query = new URLSearchParams(
    Object.entries(requestOf(/** @type {SumRoute} */ (few), '')).map(([k, v]) => [k, `${v}`]),
  );
  assert.ok(query.toString().length < 2048); // a longer one is refused
});

test('a sum is a file for programs, or one for a spreadsheet with local times', () => {
  const { parts } = sumOf(reportOf(), { view: 'sum', ...SPAN });
  const lines = textOfSum(parts, MACHINE).split('\r\n');
  assert.equal(lines[0], 'room,platform,from,to,earned,unsettled,set_aside');
  assert.equal(lines[1], 'vip 1,camsoda,1970-01-01T01:00:00.000Z,1970-01-01T02:00:00.000Z,100,0,0');
  assert.equal(lines.length, parts.length + 2);
  const sheet = {
    mark: '\uFEFF',
    separator: ';',
    head: ['Sala'],
    moment: (/** @type {number} */ at) => localTime(at, 'America/Bogota'),
  };
  const text = textOfSum(parts, sheet).split('\r\n');
  assert.equal(text[0], '\uFEFFSala');
  assert.equal(text[1], 'vip 1;camsoda;1969-12-31 20:00:00;1969-12-31 21:00:00;100;0;0');
});

test('a name that a spreadsheet would calculate is text in both files', () => {
  const report = reportOf({ feeds: [{ room_id: '=1+1', platform: 'camsoda', earned: 5 }] });
  const { parts } = sumOf(report, { view: 'sum', ...SPAN });
  assert.match(textOfSum(parts, MACHINE), /\n'=1\+1,/u);
});

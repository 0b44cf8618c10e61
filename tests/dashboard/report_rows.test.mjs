/** The analytics view's arithmetic: periods, rows, order, stacks. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import {
  periodsOf,
  readChoice,
  requestOf,
  stepped,
  writeChoice,
} from '../../broadcast_service/dashboard/state/report_periods.js';
import {
  changeOf,
  comparable,
  damagedWords,
  reordered,
  rowsOf,
  secondsOnAir,
  seriesBy,
  sorted,
  stacked,
  startsOf,
  statesOf,
} from '../../broadcast_service/dashboard/state/report_rows.js';

/** @param {object} changes @returns {any} */
const reportOf = (changes = {}) => ({
  from: 0,
  to: 7200,
  step: 3600,
  total: 70,
  earned: [40, 30],
  measured_minutes: [60, 60],
  rooms: [
    { room_id: 'b', earned: 60, on_air_seconds: 7200, between_sessions: 20, steps: [40, 20] },
    {
      room_id: 'a10',
      earned: 10,
      on_air_seconds: 600,
      unsettled: 5,
      steps: [0, 10],
      first_unsettled: { room_id: 'a10', platform: 'x', at: 60 },
    },
    { room_id: 'a9', earned: 0 },
  ],
  platforms: [{ platform: 'x', earned: 70 }],
  feeds: [],
  accounts: [
    { platform: 'x', account: 'ana', earned: 60, unsettled: 0, on_air_seconds: 60, between_sessions: 0, set_aside: 1 },
    { platform: 'x', account: null, earned: 10, unsettled: 0, on_air_seconds: 60, between_sessions: 0, set_aside: 0 },
  ],
  ...changes,
});
const idOf = (/** @type {{id: string}} */ { id }) => id;

test('the address keeps a choice, and one that it cannot hold becomes the last 24 hours', () => {
  for (const text of [
    'period=month',
    'period=shift&back=3',
    'period=shift&shift=Night&back=1',
    'period=range&from=2026-11-01&to=2026-11-15',
  ]) {
    const query = new URLSearchParams('q=vip');
    writeChoice(readChoice(new URLSearchParams(text)), query);
    assert.deepEqual(readChoice(query), readChoice(new URLSearchParams(text)));
  }
  const day = { period: 'day', from: '', to: '', back: 0 };
  for (const text of [
    '',
    'period=decade',
    'period=day',
    'period=range',
    'period=range&from=2026-11-02&to=2026-11-01',
    'back=x',
  ])
    assert.deepEqual(readChoice(new URLSearchParams(text)), day, text);
});

test('a request names the period, and a comparison the one before, cut to the part that is over', () => {
  const choice = readChoice(new URLSearchParams('period=week'));
  assert.deepEqual(requestOf(choice, 'America/Bogota', 0), { period: 'week', tz: 'America/Bogota' });
  assert.deepEqual(requestOf(choice, '', 0, { before: true }), { period: 'week', back: 1, elapsed: 1 });
  assert.deepEqual(requestOf({ ...choice, back: 2 }, '', 0, { before: true }), { period: 'week', back: 3 });
  const range = readChoice(new URLSearchParams('period=range&from=2026-11-01&to=2026-11-15'));
  assert.deepEqual(requestOf(range, '', 0, { before: true }), {
    from: '2026-11-01',
    to: '2026-11-15',
    back: 1,
    elapsed: 1,
  });
});

test('24 hours end with the current hour, and are compared with as much of the 24 before', () => {
  const [choice, now] = [readChoice(new URLSearchParams()), (1_000_000 * 3600 + 120) * 1000];
  const hour = 1_000_000 * 3600;
  assert.deepEqual(requestOf(choice, '', now), { from: hour - 23 * 3600, to: hour + 3600 });
  assert.deepEqual(requestOf(choice, '', now, { before: true }), {
    from: hour - 47 * 3600,
    to: hour + 120 - 24 * 3600,
  });
  assert.deepEqual(requestOf({ ...choice, back: 1 }, '', now), { from: hour - 47 * 3600, to: hour - 23 * 3600 });
});

test('a shift is offered only where there are shifts, and steps end at the present', () => {
  assert.equal(periodsOf(false).includes('shift'), false);
  assert.equal(periodsOf(true)[0], 'shift');
  const choice = readChoice(new URLSearchParams('period=today'));
  assert.equal(stepped(choice, -1), null);
  assert.equal(stepped(choice, 1)?.back, 1);
  assert.equal(stepped({ ...choice, back: 59 }, 1), null);
});

test('rows have a rate by their time on air, without income between sessions, and none for too short a time', () => {
  const rows = rowsOf(reportOf(), null, 'room');
  assert.deepEqual(
    rows.map(({ id, rate, before }) => [id, rate, before]),
    [
      ['b', 20, null],
      ['a10', null, null],
      ['a9', null, null],
    ],
  );
  assert.equal(secondsOnAir(reportOf()), 7800);
});

test('a row is compared with the same one before, with zero where it was absent, and with nothing where nothing was measured', () => {
  const before = reportOf({ rooms: [{ room_id: 'b', earned: 30 }] });
  assert.deepEqual(
    rowsOf(reportOf(), before, 'room').map((row) => [row.before, changeOf(row.earned, row.before)]),
    [
      [30, 1],
      [0, null],
      [0, null],
    ],
  );
  assert.deepEqual(
    rowsOf(reportOf(), reportOf({ measured_minutes: [0, 0] }), 'room').map(({ before: b }) => b),
    [null, null, null],
  );
});

test('accounts of the same name on two platforms are two rows, and one without a name is a row of its platform', () => {
  const rows = rowsOf(reportOf(), null, 'account');
  assert.deepEqual(
    rows.map(({ key, id, platform }) => [key, id, platform]),
    [
      ['x\nana', 'ana', 'x'],
      ['x\n', '', 'x'],
    ],
  );
});

test('unknown values come last in either direction, and names are ordered as people count', () => {
  const rows = rowsOf(reportOf(), null, 'room');
  const order = (/** @type {any} */ column, /** @type {boolean} */ descending) =>
    sorted(rows, { column, descending }, idOf).map(idOf);
  assert.deepEqual(order('name', false), ['a9', 'a10', 'b']);
  assert.deepEqual(order('rate', true), ['b', 'a9', 'a10']);
  assert.deepEqual(order('rate', false), ['b', 'a9', 'a10']);
  assert.deepEqual(order('earned', false), ['a9', 'a10', 'b']);
  assert.deepEqual(order('unsettled', true), ['a10', 'a9', 'b']);
});

test('a heading that is chosen again turns the order round; numbers begin with the largest', () => {
  assert.deepEqual(reordered({ column: 'earned', descending: true }, 'earned'), {
    column: 'earned',
    descending: false,
  });
  assert.deepEqual(reordered({ column: 'earned', descending: true }, 'rate'), { column: 'rate', descending: true });
  assert.deepEqual(reordered({ column: 'earned', descending: true }, 'name'), { column: 'name', descending: false });
});

test('stacks of a step add up to the step, also for rows that the legend leaves out', () => {
  for (const most of [1, 2, 3]) {
    const { values, rest, rows } = stacked(rowsOf(reportOf(), null, 'room'), [40, 30], most);
    const sums = [0, 1].map((i) => [...values, rest ?? []].reduce((sum, one) => sum + (one[i] ?? 0), 0));
    assert.deepEqual(sums, [40, 30]);
    assert.ok(rows.length + (rest ? 1 : 0) <= Math.max(most, 1));
  }
});

test('a step is unknown, open, over or has not begun; steps of a calendar begin where the report says', () => {
  assert.deepEqual(startsOf(reportOf()), [0, 3_600_000, 7_200_000]);
  assert.deepEqual(startsOf(reportOf({ step: 'day', starts: [0, 5000] })), [0, 5_000_000, 7_200_000]);
  assert.deepEqual(statesOf(reportOf(), 3_700_000), ['over', 'open']);
  assert.deepEqual(statesOf(reportOf({ measured_minutes: [1, 0] }), 100_000), ['open', 'future']);
  assert.deepEqual(statesOf(reportOf({ measured_minutes: [0, 5] }), 9_000_000), ['unknown', 'over']);
});

test('a period is compared only with one that was measured about as long', () => {
  const now = reportOf({ measured_minutes: [60, 60] });
  for (const [minutes, isComparable] of /** @type {const} */ ([
    [[60, 60], true],
    [[36, 60], true],
    [[34, 60], false],
    [[0, 3], false],
    [[0, 0], false],
  ])) {
    const before = reportOf({ measured_minutes: minutes });
    assert.equal(comparable(now, before), isComparable ? before : null, String(minutes));
  }
  assert.equal(comparable(now, null), null);
  assert.equal(comparable(reportOf({ measured_minutes: [0, 0] }), reportOf({ measured_minutes: [0, 0] })), null);
});

test('damaged days of the archive are named once for each room, and a report without them is not compared', () => {
  const damaged = ['ana', 'eva'].map((account) => ({ day: '2026-11-02', room_id: 'a', platform: 'x', account }));
  const [name, es] = [(/** @type {string} */ room) => `Sala ${room}`, new I18n('es', ['es-CO'])];
  assert.equal(damagedWords(reportOf(), name, es), '');
  assert.match(damagedWords(reportOf({ damaged }), name, es), /^Sin contar, .*un día .*: Sala a 2 (de )?nov/u);
  const many = [1, 2, 3, 4, 5].map((day) => ({ ...damaged[0], day: `2026-11-0${day}` }));
  assert.match(
    damagedWords(reportOf({ damaged: many }), name, new I18n('en')),
    /5 archived days are damaged: .*Nov 4, …$/u,
  );
  assert.equal(comparable(reportOf(), reportOf({ damaged })), null);
  assert.equal(comparable(reportOf({ damaged }), reportOf()), null);
});

test('a row knows the feeds in which it was earned, which explain it', () => {
  const feeds = [
    ...[9, 8, 7, 6, 5, 4, 3, 2, 1].map((earned) => ({ room_id: `r${earned}`, platform: 'x', earned })),
    { room_id: 'r9', platform: 'y', earned: 1 },
  ];
  const report = reportOf({
    feeds,
    rooms: [
      { room_id: 'r9', earned: 10 },
      { room_id: 'r8', earned: 8 },
    ],
    platforms: [{ platform: 'x', earned: 45 }],
    accounts: [
      { platform: 'x', account: 'ana', earned: 9, rooms: [{ room_id: 'r9', earned: 9 }], other_rooms: 0 },
      { platform: 'x', account: null, earned: 36, rooms: [{ room_id: 'r8', earned: 8 }], other_rooms: 7 },
      { platform: 'x', account: 'of an older server', earned: 1 },
    ],
  });
  const parts = (/** @type {any} */ by) =>
    rowsOf(report, null, by).map(({ parts: shown, otherParts }) => [
      shown.map(({ room, platform, earned }) => `${room} ${platform} ${earned}`).join(),
      otherParts,
    ]);
  assert.deepEqual(parts('room'), [
    ['r9 x 9,r9 y 1', 0],
    ['r8 x 8', 0],
  ]);
  assert.deepEqual(parts('account'), [
    ['r9 x 9', 0],
    ['r8 x 8', 7],
    ['', 0],
  ]);
  const [platform] = parts('platform');
  assert.deepEqual([String(platform?.[0]).split(',').length, platform?.[1]], [8, 1]);
});

test('bars are of platforms where most of each would be of all other rooms, and of the rows otherwise', () => {
  const roomsOf = (/** @type {number[]} */ amounts) =>
    amounts.map((earned, i) => ({ room_id: `room-${i}`, earned, steps: [earned] }));
  const two = [
    { platform: 'x', earned: 60 },
    { platform: 'y', earned: 40 },
  ];
  const even = reportOf({ total: 100, rooms: roomsOf(new Array(20).fill(5)), platforms: two });
  assert.equal(seriesBy(even, 'room', 6), 'platform');
  assert.equal(seriesBy(even, 'platform', 6), 'platform');
  const few = reportOf({ total: 100, rooms: roomsOf([40, 30, 20, 10]), platforms: two });
  assert.equal(seriesBy(few, 'room', 6), 'room');
  const leaders = reportOf({ total: 100, rooms: roomsOf([40, 20, ...new Array(8).fill(5)]), platforms: two });
  assert.equal(seriesBy(leaders, 'room', 6), 'room', 'five rooms earned most of it');
  const alone = reportOf({
    total: 100,
    rooms: roomsOf(new Array(20).fill(5)),
    platforms: [two[0], { platform: 'y', earned: 0 }],
  });
  assert.equal(seriesBy(alone, 'room', 6), 'room', 'one platform says less than five rooms');
});

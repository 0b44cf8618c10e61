import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  marksOf,
  offAirMs,
  offAirOf,
  showsOf,
  stepsOf,
  weekBefore,
  weekLater,
  zoomedTo,
} from '../../broadcast_service/dashboard/state/room_story.js';

const MINUTE = 60_000;

/** @param {number} minute @param {Partial<import('../../broadcast_service/dashboard/link/api.js').Line>} [more] */
const lineAt = (minute, more = {}) => ({
  account: 'ana',
  from_ms: minute * MINUTE,
  at_ms: minute * MINUTE,
  since_ms: null,
  before: null,
  balance: 0,
  verdict: 'income',
  earned: 10,
  ...more,
});

/** @param {number} minute @param {number | null} [viewers] */
const pointAt = (minute, viewers = null) => ({ t: minute * 60, tokens: 1, tips: null, viewers, goal: null });

test('bars are wide enough to point at and lines have at most 1,500 points, for any span', () => {
  assert.deepEqual(stepsOf(86_400), { bar: 900, point: 60 });
  assert.deepEqual(stepsOf(7 * 86_400).bar, 3600);
  for (const seconds of [600, 3600, 7200, 86_400, 90_000, 7 * 86_400, 16 * 86_400, 31 * 86_400, 35 * 86_400]) {
    const { bar, point } = stepsOf(seconds);
    assert.ok(seconds / bar <= 170, `${seconds}`);
    assert.ok(seconds / point <= 1500, `${seconds}`);
    assert.ok(bar % 60 === 0 && point % 60 === 0);
  }
});

test('a longer time without a reading is off air, also before the first one and up to now', () => {
  const span = { fromMs: 0, toMs: 60 * MINUTE };
  const points = [pointAt(5), pointAt(6), pointAt(8), pointAt(20)];
  assert.deepEqual(offAirOf(points, span, 30 * MINUTE, 3 * MINUTE), [
    { fromMs: 0, toMs: 5 * MINUTE },
    { fromMs: 8 * MINUTE, toMs: 20 * MINUTE },
    { fromMs: 20 * MINUTE, toMs: 30 * MINUTE },
  ]);
  assert.deepEqual(offAirOf([], span, 30 * MINUTE, 3 * MINUTE), [{ fromMs: 0, toMs: 30 * MINUTE }]);
  assert.deepEqual(
    offAirOf([pointAt(0), pointAt(10), pointAt(20)], { fromMs: 0, toMs: 20 * MINUTE }, 1e9, 20 * MINUTE),
    [],
  );
});

test('how long a room must be silent to be off air follows how often it reports', () => {
  const every = (/** @type {number} */ minutes) => Array.from({ length: 9 }, (_, i) => pointAt(minutes * i));
  assert.equal(offAirMs(every(1), 60), 3 * MINUTE);
  assert.equal(offAirMs(every(5), 60), 15 * MINUTE);
  assert.equal(offAirMs([...every(1), pointAt(500)], 60), 3 * MINUTE);
  assert.equal(offAirMs([], 60), 3 * MINUTE);
  assert.equal(offAirMs(every(10), 600), 30 * MINUTE);
});

test('cash-outs, numbers that were set aside and doubts are marked, plain rises are not', () => {
  const lines = [
    lineAt(1),
    lineAt(2, { verdict: 'fall' }),
    lineAt(3, { verdict: 'set_aside' }),
    lineAt(4, { unsettled: [{ reason: 'small_fall', tokens: 5 }] }),
    lineAt(5, { verdict: 'pending' }),
    lineAt(6, { verdict: 'unchanged' }),
  ];
  assert.deepEqual(
    marksOf(lines).map(({ kind, atMs }) => [kind, atMs / MINUTE]),
    [
      ['fall', 2],
      ['set_aside', 3],
      ['unsettled', 4],
      ['unsettled', 5],
    ],
  );
});

test('shows are stretches of one account without a long pause, and add up to the income', () => {
  const lines = [
    lineAt(0),
    lineAt(10),
    lineAt(20, { account: 'eva', earned: 7 }),
    lineAt(25),
    lineAt(45, { verdict: 'between_sessions', earned: 30 }),
    lineAt(46, { account: 'eva', earned: 1, at_ms: 50 * MINUTE }),
  ];
  const shows = showsOf(lines, [pointAt(0, 5), pointAt(10, 9), pointAt(50, 3)], 51 * MINUTE);
  assert.deepEqual(
    shows.map(({ account, fromMs, toMs, earned, peak, isOpen }) => [
      account,
      fromMs / MINUTE,
      toMs / MINUTE,
      earned,
      peak,
      isOpen,
    ]),
    [
      ['ana', 0, 25, 30, 9, false],
      ['eva', 20, 20, 7, null, false],
      ['ana', 45, 45, 30, null, false],
      ['eva', 46, 50, 1, 3, true],
    ],
  );
  assert.equal(
    shows.reduce((sum, show) => sum + show.earned, 0),
    lines.reduce((sum, line) => sum + line.earned, 0),
  );
});

test('the week before has the same weekday and length', () => {
  const from = Date.parse('2026-03-10T05:00:00') / 1000;
  const before = weekBefore({ from, to: from + 7200 }, '');
  assert.equal(new Date(before.from * 1000).getDay(), new Date(from * 1000).getDay());
  assert.equal(new Date(before.from * 1000).getHours(), 5);
  assert.equal(before.to - before.from, 7200);
});

test('over a clock change the week before is drawn at the same times of day', () => {
  const [zone, hour] = ['America/New_York', 3600];
  const from = Date.UTC(2026, 10, 2, 5) / 1000; // a day in winter time, the one after the change
  const before = weekBefore({ from, to: from + 24 * hour }, zone);
  assert.deepEqual(before, { from: Date.UTC(2026, 9, 26, 4) / 1000, to: Date.UTC(2026, 9, 27, 4) / 1000 });
  const change = weekBefore({ from: from - 25 * hour, to: from }, zone); // the day of 25 hours itself
  assert.equal(change.to - change.from, 24 * hour);
  const points = [0, 12, 23].map((hours) => ({ t: (before.from + hours * hour) * 1000, value: hours }));
  assert.deepEqual(
    weekLater(points, zone).map(({ t }) => t / 1000 - from),
    [0, 12, 23].map((hours) => hours * hour),
  );
});

test('a part that is marked in either direction is zoomed to in whole steps within the span', () => {
  const span = { fromMs: 0, toMs: 86_400_000 };
  assert.deepEqual(zoomedTo(50 * MINUTE, 21 * MINUTE, span, 15 * MINUTE), { from: 1200, to: 3000 });
  assert.deepEqual(zoomedTo(-5, 3 * MINUTE, span, 15 * MINUTE), { from: 0, to: 600 });
  assert.deepEqual(zoomedTo(86_399_000, 9e9, span, 15 * MINUTE), { from: 85_800, to: 86_400 });
  const tiny = zoomedTo(30_000, 31_000, span, 60_000);
  assert.ok(tiny.to - tiny.from >= 600);
});

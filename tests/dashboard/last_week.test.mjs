import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf, LastWeek, sumsOf, weekBefore } from '../../broadcast_service/dashboard/state/last_week.js';
import { Clock, settle } from './scripted.mjs';

const AT = new Date(2026, 10, 26, 14, 30, 20).getTime();
const MINUTE = 60_000;
/** A report of the day a week before, in which each minute earned 2 tokens. @param {(minute: number) => number} [measured] of each minute since midnight */
function reportOf(measured = () => 1) {
  const from = Math.floor(new Date(2026, 10, 19).getTime() / MINUTE);
  const minutes = Array.from({ length: 1440 }, (_, i) => i);
  return /** @type {any} */ ({
    from: from * 60,
    to: (from + 1440) * 60,
    step: 60,
    earned: minutes.map(() => 2),
    measured_minutes: minutes.map(measured),
  });
}

test('a week before is the same time of day, and its day begins at midnight', () => {
  const { untilMinute, midnightMinute, hourFromMinute } = weekBefore(AT);
  assert.deepEqual(new Date(untilMinute * MINUTE), new Date(2026, 10, 19, 14, 30));
  assert.deepEqual(new Date(midnightMinute * MINUTE), new Date(2026, 10, 19));
  assert.equal(untilMinute - hourFromMinute, 59);
});

test('with the studio’s midnight a week before is seven days, wherever the reader is', () => {
  const midnight = AT - 3 * 3_600_000;
  const { untilMinute, midnightMinute } = weekBefore(AT, midnight);
  assert.deepEqual(
    [untilMinute, midnightMinute],
    [AT, midnight].map((ms) => Math.floor(ms / MINUTE) - 7 * 1440),
  );
});

test('just after midnight the hour begins the evening before', () => {
  const { fromMinute, hourFromMinute, midnightMinute } = weekBefore(new Date(2026, 10, 26, 0, 10).getTime());
  assert.equal(fromMinute, hourFromMinute);
  assert.ok(hourFromMinute < midnightMinute);
});

test('both sums end at the minute that corresponds to now', () =>
  assert.deepEqual(sumsOf(reportOf(), AT), { hour: 120, today: 2 * (14 * 60 + 31) }));

test('an hour that history hardly knows is not compared with, and nor is its day', () => {
  assert.deepEqual(
    sumsOf(
      reportOf(() => 0),
      AT,
    ),
    { hour: null, today: null },
  );
  assert.deepEqual(
    sumsOf(
      reportOf((minute) => (minute > 13 * 60 ? 1 : 0)),
      AT,
    ),
    { hour: 120, today: null },
  );
  assert.deepEqual(sumsOf({ ...reportOf(), measured_minutes: undefined }, AT), { hour: null, today: null });
  assert.deepEqual(sumsOf({ ...reportOf(), earned: [] }, AT), { hour: null, today: null });
});

test('a change is a share, and of nothing there is none', () => {
  assert.equal(changeOf(150, 100), 0.5);
  assert.deepEqual([changeOf(null, 5), changeOf(5, null), changeOf(5, 0)], [null, null, null]);
});

test('it loads while it runs, tries again after a failure, and forgets what another access saw', async () => {
  const clock = new Clock();
  let fails = true;
  const spans = /** @type {any[]} */ ([]);
  let audience = /** @type {any} */ (null);
  const api = /** @type {any} */ ({
    analytics: async (/** @type {any} */ span) => {
      spans.push(span);
      if (fails) throw new Error('down');
      return span.step === 60 ? reportOf() : { on_air_seconds: 7200, measured_minutes: [60] };
    },
    audience: async () => audience ?? Promise.reject(new Error('an older server')),
  });
  const lastWeek = new LastWeek(api, /** @type {any} */ (clock), () => AT);
  lastWeek.start();
  lastWeek.start();
  await settle();
  assert.equal(spans.length, 1);
  const nothing = { hour: null, today: null, onAir: null, viewers: null };
  assert.deepEqual(lastWeek.at(AT), nothing);
  fails = false;
  clock.pass(60_000);
  await settle();
  assert.deepEqual(lastWeek.at(AT), { hour: 120, today: 1742, onAir: 2, viewers: null });
  assert.deepEqual([spans[2].to - spans[2].from, spans[2].from % 600], [3600, 0]);
  for (const [measured, viewers] of [
    [2879, null],
    [2880, 900],
  ]) {
    audience = { viewers: 900, measured_seconds: measured };
    clock.pass(600_000);
    await settle();
    assert.equal(lastWeek.at(AT).viewers, viewers);
  }
  lastWeek.clear();
  assert.deepEqual(lastWeek.at(AT), nothing);
});

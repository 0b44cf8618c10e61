import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf, LastWeek, sumsOf, windowOf } from '../../broadcast_service/dashboard/state/last_week.js';
import { StudioFacts } from '../../broadcast_service/dashboard/state/studio.js';
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

const studio = new StudioFacts();
const THEN = studio.weekBefore(AT);
/** A studio with a time zone, which is not the reader's. @param {string} timezone */
function studioIn(timezone) {
  const facts = new StudioFacts();
  const today = { from: 0, to: 86_400 };
  const periods = { yesterday: today, today, week: today, half_month: today, month: today };
  facts.set({
    ...{ configured: true, timezone, currency: null, periods, shifts: [], rooms: [], accounts: [], problems: [] },
  });
  return facts;
}

test('a week before is the same time of day, and its day begins at midnight', () => {
  const { untilMinute, midnightMinute, hourFromMinute } = windowOf(THEN);
  assert.deepEqual(new Date(untilMinute * MINUTE), new Date(2026, 10, 19, 14, 30));
  assert.deepEqual(new Date(midnightMinute * MINUTE), new Date(2026, 10, 19));
  assert.equal(untilMinute - hourFromMinute, 59);
});

test('with a time zone of the studio a week before is its time of day, wherever the reader is', () => {
  const at = Date.UTC(2026, 10, 26, 3, 30); // the evening before in Bogota
  const then = studioIn('America/Bogota').weekBefore(at);
  assert.deepEqual([then.untilMs, then.midnightMs], [Date.UTC(2026, 10, 19, 3, 30), Date.UTC(2026, 10, 18, 5)]);
});

test('in a week with a clock change the same time of day is compared with, and the day begins at its own midnight', () => {
  const facts = studioIn('America/New_York');
  const at = Date.UTC(2026, 10, 4, 19, 30); // half past two in winter time, which began on 1 November
  assert.deepEqual(facts.weekBefore(at), {
    untilMs: Date.UTC(2026, 9, 28, 18, 30),
    midnightMs: Date.UTC(2026, 9, 28, 4),
  });
  const changed = Date.UTC(2026, 10, 1, 20); // the day of 25 hours itself
  assert.equal(facts.midnightMs(changed), Date.UTC(2026, 10, 1, 4));
  assert.equal(facts.weekBefore(changed).untilMs, Date.UTC(2026, 9, 25, 19));
});

test('just after midnight the hour begins the evening before', () => {
  const then = studio.weekBefore(new Date(2026, 10, 26, 0, 10).getTime());
  const { fromMinute, hourFromMinute, midnightMinute } = windowOf(then);
  assert.equal(fromMinute, hourFromMinute);
  assert.ok(hourFromMinute < midnightMinute);
});

test('both sums end at the minute that corresponds to now', () =>
  assert.deepEqual(sumsOf(reportOf(), THEN), { hour: 120, today: 2 * (14 * 60 + 31) }));

test('an hour that history hardly knows is not compared with, and nor is its day', () => {
  assert.deepEqual(
    sumsOf(
      reportOf(() => 0),
      THEN,
    ),
    { hour: null, today: null },
  );
  assert.deepEqual(
    sumsOf(
      reportOf((minute) => (minute > 13 * 60 ? 1 : 0)),
      THEN,
    ),
    { hour: 120, today: null },
  );
  assert.deepEqual(sumsOf({ ...reportOf(), measured_minutes: undefined }, THEN), { hour: null, today: null });
  assert.deepEqual(sumsOf({ ...reportOf(), earned: [] }, THEN), { hour: null, today: null });
});

test('a change is a share, and of nothing there is none', () => {
  assert.equal(changeOf(150, 100), 0.5);
  assert.deepEqual([changeOf(null, 5), changeOf(5, null), changeOf(5, 0)], [null, null, null]);
});

/** @param {any} api */
function lastWeekOf(api, clock = new Clock()) {
  return new LastWeek(
    api,
    /** @type {any} */ (clock),
    () => AT,
    (nowMs) => studio.weekBefore(nowMs),
  );
}

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
  const lastWeek = lastWeekOf(api, clock);
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

test('when the server answers again, what failed is requested at once, and what did not is not', async () => {
  let [asked, fails] = [0, true];
  const api = /** @type {any} */ ({
    analytics: async () => {
      asked++;
      if (fails) throw new Error('down');
      return reportOf();
    },
    audience: async () => null,
  });
  const lastWeek = lastWeekOf(api);
  lastWeek.recover(); // nothing runs
  lastWeek.start();
  await settle();
  assert.equal(asked, 1);
  fails = false;
  lastWeek.recover();
  await settle();
  assert.equal(asked, 3);
  assert.equal(lastWeek.at(AT).hour, 120);
  lastWeek.recover();
  await settle();
  assert.equal(asked, 3);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOf } from '../../broadcast_service/dashboard/state/periods.js';
import {
  hoursOfWeek,
  meanPerHour,
  measuredPoints,
  placeLabels,
  quantileLevels,
  timeTicks,
  valueTicks,
} from '../../broadcast_service/dashboard/ui/scales.js';

process.env.TZ = 'America/Bogota'; // the reader's clock, five hours behind UTC
const MONDAY = Date.UTC(2026, 0, 5, 5) / 1000; // midnight there

test('value ticks are round whole numbers that cover the data', () => {
  assert.deepEqual(valueTicks(0, 78), [0, 20, 40, 60, 80]);
  assert.deepEqual(valueTicks(0, 3), [0, 1, 2, 3]);
  assert.deepEqual(valueTicks(253_000, 292_000), [250_000, 260_000, 270_000, 280_000, 290_000, 300_000]);
});

test('an empty chart still has an axis', () => {
  assert.deepEqual(valueTicks(0, 0), [0, 1]);
  assert.deepEqual(valueTicks(7, 7), [7, 8]);
});

test('a day is labelled at whole hours of the reader, a week at midnights', () => {
  const hours = timeTicks(MONDAY * 1000, (MONDAY + 86_400) * 1000, 6, '').map((ms) => new Date(ms).getHours());
  assert.deepEqual(hours, [0, 4, 8, 12, 16, 20, 0]);
  const days = timeTicks((MONDAY + 3600) * 1000, (MONDAY + 7 * 86_400) * 1000, 8, '').map((ms) =>
    new Date(ms).getDate(),
  );
  assert.deepEqual(days, [6, 7, 8, 9, 10, 11, 12]);
});

/** @param {import('../../broadcast_service/dashboard/ui/scales.js').Steps} report @param {string} [zone] */
const meansOf = (report, zone = '') => hoursOfWeek(report, zone).map((day) => day.map(({ value }) => value));
/** @param {number[]} earned per hour @param {number[]} [minutes] */
const hourly = (earned, minutes = earned.map(() => 60)) => ({
  from: MONDAY,
  step: 3600,
  earned,
  measured_minutes: minutes,
});

test("hours of the week are means on the reader's own clock, Monday first", () => {
  const hours = meansOf(hourly(Array.from({ length: 169 }, (_, hour) => (hour === 0 ? 10 : hour === 168 ? 30 : 0))));
  assert.equal(hours[0]?.[0], 20);
  assert.equal(hours[6]?.[23], 0);
});

test('an hour without a measurement is unknown, not zero', () => {
  const hours = meansOf(hourly([5, 0, 0], [60, 60, 0]));
  assert.deepEqual(hours[0]?.slice(0, 4), [5, 0, null, null]);
});

test('a part of an hour counts by its measured minutes', () => {
  assert.equal(meansOf(hourly([10], [20]))[0]?.[0], 30);
  assert.deepEqual(meanPerHour(hourly([100, 0, 0, 50], [60, 0, 0, 30])), { perHour: 100, minutes: 90 });
  assert.deepEqual(meanPerHour(hourly([0, 0], [0, 0])), { perHour: null, minutes: 0 });
});

test('a gain in a single measured minute of an hour is no pace of sixty times as much', () => {
  assert.equal(meansOf(hourly([400], [1]))[0]?.[0], 400);
});

test('a week with a day of data has the same mean as the day', () => {
  const day = Array.from({ length: 24 }, () => 100);
  const week = [...Array.from({ length: 144 }, () => 0), ...day];
  assert.equal(
    meanPerHour(
      hourly(
        week,
        week.map((_, i) => (i < 144 ? 0 : 60)),
      ),
    ).perHour,
    meanPerHour(hourly(day)).perHour,
  );
});

test('a step that was not measured is no point of a chart, one that earned nothing is', () => {
  assert.deepEqual(
    measuredPoints(hourly([7, 0, 0], [60, 60, 0])).map(({ value }) => value),
    [7, 0],
  );
});

test('without measured minutes, steps with earnings count as measured', () => {
  assert.deepEqual(meanPerHour({ from: MONDAY, step: 3600, earned: [0, 40] }), { perHour: 40, minutes: 60 });
});

test('colours go by rank: one outlier does not flatten the others, and nothing earned is a level of its own', () => {
  const level = quantileLevels([0, 1, 2, 3, 1_000_000]);
  assert.deepEqual([0, 1, 2, 3, 1_000_000].map(level), [0, 1, 2, 3, 4]);
  assert.equal(quantileLevels([5])(5), 4);
});

test("periods are whole hours, and today begins at the reader's midnight", () => {
  const now = (MONDAY + 10 * 3600 + 61) * 1000;
  assert.deepEqual(spanOf('today', now, 3600, ''), { from: MONDAY, to: MONDAY + 11 * 3600, step: 3600 });
  assert.deepEqual(spanOf('day', now, 3600, ''), { from: MONDAY - 13 * 3600, to: MONDAY + 11 * 3600, step: 3600 });
  assert.equal(spanOf('week', now, 3600, '').to - spanOf('week', now, 3600, '').from, 7 * 86_400);
});

test('with a time zone of the studio, hours, days and labels are its own, wherever the reader is', () => {
  const madrid = Date.UTC(2026, 0, 4, 23) / 1000; // midnight of the same Monday there
  const report = { ...hourly([10]), from: madrid };
  assert.equal(meansOf(report, 'Europe/Madrid')[0]?.[0], 10);
  assert.equal(meansOf(report)[6]?.[18], 10); // the evening before in Bogota
  assert.deepEqual(hoursOfWeek(report, 'Europe/Madrid')[0]?.[0], { value: 10, from: madrid, to: madrid + 3600 });
  assert.equal(spanOf('today', (madrid + 61) * 1000, 3600, 'Europe/Madrid').from, madrid);
  assert.deepEqual(timeTicks(madrid * 1000, (madrid + 86_400) * 1000, 2, 'Europe/Madrid'), [
    madrid * 1000,
    (madrid + 43_200) * 1000,
    (madrid + 86_400) * 1000,
  ]);
});

test('a week with a clock change begins at the same time of day as it ends, so each hour of the week is one', () => {
  const now = Date.UTC(2026, 10, 4, 19, 30);
  const { from, to } = spanOf('week', now, 3600, 'America/New_York');
  assert.equal(to - from, (7 * 24 + 1) * 3600);
  const hours = hoursOfWeek({ ...hourly(Array.from({ length: 169 }, () => 60)), from }, 'America/New_York').flat();
  assert.ok(hours.every(({ value }) => value === 60));
  assert.deepEqual(
    hours.filter((hour) => hour.to - hour.from !== 3600).map((hour) => hour.to - hour.from),
    [7200], // one o'clock comes twice on the day of the change
  );
});

test('labels never touch each other nor leave the line, and the first and last stay where there is room', () => {
  const wide = (/** @type {number[]} */ xs, width = 60) => xs.map((x) => ({ x, width }));
  assert.deepEqual(placeLabels(wide([0, 100, 200, 300]), 0, 300), [30, 100, 200, 270]);
  assert.deepEqual(placeLabels(wide([0, 50, 100, 150]), 0, 300), [30, null, 100, null]);
  assert.deepEqual(placeLabels(wide([10], 400), 0, 300), [null]);
  assert.deepEqual(placeLabels([], 0, 300), []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOf } from '../../broadcast_service/dashboard/periods.js';
import { hoursOfWeek, timeTicks, valueTicks } from '../../broadcast_service/dashboard/scales.js';

process.env['TZ'] = 'America/Bogota'; // the reader's clock, five hours behind UTC
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
  const hours = timeTicks(MONDAY * 1000, (MONDAY + 86_400) * 1000, 6).map((ms) => new Date(ms).getHours());
  assert.deepEqual(hours, [0, 4, 8, 12, 16, 20, 0]);
  const days = timeTicks((MONDAY + 3600) * 1000, (MONDAY + 7 * 86_400) * 1000, 8).map((ms) => new Date(ms).getDate());
  assert.deepEqual(days, [6, 7, 8, 9, 10, 11, 12]);
});

test('hours of the week are means on the reader\'s own clock, Monday first', () => {
  const earned = Array.from({ length: 169 }, (_, hour) => (hour === 0 ? 10 : hour === 168 ? 30 : 0));
  const hours = hoursOfWeek(earned, MONDAY);
  assert.equal(hours[0]?.[0], 20);
  assert.equal(hours[6]?.[23], 0);
});

test('an hour without a measurement is unknown, not zero', () => {
  assert.equal(hoursOfWeek([5], MONDAY)[0]?.[1], null);
});

test('periods are whole hours, and today begins at the reader\'s midnight', () => {
  const now = (MONDAY + 10 * 3600 + 61) * 1000;
  assert.deepEqual(spanOf('today', now, 3600), { from: MONDAY, to: MONDAY + 11 * 3600, step: 3600 });
  assert.deepEqual(spanOf('day', now, 3600), { from: MONDAY - 13 * 3600, to: MONDAY + 11 * 3600, step: 3600 });
  assert.equal(spanOf('week', now, 3600).to - spanOf('week', now, 3600).from, 7 * 86_400);
});

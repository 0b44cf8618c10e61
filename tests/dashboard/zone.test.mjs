import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  daysBefore,
  hourOfWeek,
  localOf,
  midnightOf,
  momentOf,
  nextMidnightOf,
} from '../../broadcast_service/dashboard/state/zone.js';

process.env.TZ = 'Asia/Tokyo'; // the reader's clock, which decides nothing where the studio has a zone
const HOUR = 3_600_000;
const ZONES = ['America/Bogota', 'America/New_York', 'Europe/Madrid', 'Asia/Kolkata', 'Australia/Lord_Howe', ''];

test('a time of day reads back as its moment in every zone, but where the clocks are turned back', () => {
  for (const zone of ZONES)
    for (let ms = Date.UTC(2026, 0, 1); ms < Date.UTC(2027, 0, 1); ms += 7 * HOUR + 1000) {
      const again = momentOf(localOf(ms, zone), zone);
      assert.ok(again === ms || (again < ms && localOf(again, zone) === localOf(ms, zone)), `${zone} ${ms}`);
    }
});

test('a day of a change of the clocks has 23 or 25 hours, and begins at midnight', () => {
  const hours = (/** @type {number} */ ms) =>
    (nextMidnightOf(ms, 'America/New_York') - midnightOf(ms, 'America/New_York')) / HOUR;
  assert.deepEqual(
    [Date.UTC(2026, 2, 8, 18), Date.UTC(2026, 10, 1, 18), Date.UTC(2026, 10, 2, 18)].map(hours),
    [23, 25, 24],
  );
  assert.equal(midnightOf(Date.UTC(2026, 10, 1, 18), 'America/New_York'), Date.UTC(2026, 10, 1, 4));
});

test('a time that the clocks skip is the moment of the change, and one that occurs twice is the first', () => {
  const local = (/** @type {number} */ month, /** @type {number} */ day, /** @type {number} */ hour) =>
    Date.UTC(2026, month, day, hour, 30);
  assert.equal(momentOf(local(2, 8, 2), 'America/New_York'), Date.UTC(2026, 2, 8, 7));
  assert.equal(momentOf(local(10, 1, 1), 'America/New_York'), Date.UTC(2026, 10, 1, 5, 30));
});

test('a week before is the same time of day, on either side of a change of the clocks', () => {
  const after = Date.UTC(2026, 10, 4, 19, 30); // half past two in New York, in winter
  assert.equal(daysBefore(after, 7, 'America/New_York'), Date.UTC(2026, 9, 28, 18, 30));
  assert.equal(daysBefore(Date.UTC(2026, 9, 28, 18, 30), -7, 'America/New_York'), after);
});

test("the hour of the week is the studio's, and the reader's where the studio has none", () => {
  const ms = Date.UTC(2026, 0, 5, 3); // Sunday evening in Bogota, noon of Monday in Tokyo
  assert.deepEqual(hourOfWeek(ms, 'America/Bogota'), { day: 6, hour: 22 });
  assert.deepEqual(hourOfWeek(ms, ''), { day: 0, hour: 12 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import { hoursOf, SHOWN_HOURS, WallHours } from '../../broadcast_service/dashboard/state/wall_hours.js';
import { HourBars } from '../../broadcast_service/dashboard/ui/hour_bars.js';
import { settle } from './scripted.mjs';

const FROM = 1_764_000_000 - (1_764_000_000 % 3600);
/** @param {number[]} earned @param {number[]} measured */
const reportOf = (earned, measured) =>
  /** @type {any} */ ({ from: FROM, to: FROM + 3600 * earned.length, step: 3600, earned, measured_minutes: measured });

test('an hour without a reading is unknown, and the best hour is one that is over', () => {
  const hours = hoursOf(reportOf([0, 40, 0, 90], [0, 60, 30, 12]), (FROM + 3 * 3600 + 700) * 1000);
  assert.deepEqual(
    hours.map(({ tokens, isNow, isBest }) => [tokens, isNow, isBest]),
    [
      [null, false, false],
      [40, false, true],
      [0, false, false],
      [90, true, false],
    ],
  );
});

test('hours that have not begun are left out, and an hour of nothing is no best one', () => {
  const hours = hoursOf(reportOf([0, 0, 0], [60, 60, 0]), (FROM + 3600 + 5) * 1000);
  assert.equal(hours.length, 2);
  assert.ok(hours.every(({ isBest }) => !isBest));
});

test('history is asked once in two minutes for whole hours, and an answer for another access is not shown', async () => {
  /** @type {{span: any, answer: (report: any) => void}[]} */
  const asked = [];
  const api = { analytics: (/** @type {any} */ span) => new Promise((answer) => asked.push({ span, answer })) };
  let loaded = 0;
  const hours = new WallHours(/** @type {any} */ (api), () => loaded++);
  const now = (FROM + 100) * 1000;
  hours.refresh(now);
  hours.refresh(now + 60_000);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0]?.span, { from: FROM + 3600 - SHOWN_HOURS * 3600, to: FROM + 3600, step: 3600 });
  assert.equal(hours.at(now), null);
  hours.clear();
  asked[0]?.answer(reportOf([5], [60]));
  await Promise.resolve();
  assert.deepEqual([hours.at(now), loaded], [null, 0]);
  hours.refresh(now + 1000);
  asked[1]?.answer(reportOf([5], [60]));
  await Promise.resolve();
  assert.deepEqual([hours.at(now)?.length, loaded], [1, 1]);
});

test('after a failure the hours are asked for soon, and at once when the server answers again', async () => {
  let asked = 0;
  const hours = new WallHours(
    /** @type {any} */ ({ analytics: () => Promise.reject(new Error(`${++asked}`)) }),
    () => {},
  );
  const now = (FROM + 100) * 1000;
  for (const [afterMs, expected] of [
    [0, 1],
    [14_000, 1],
    [15_000, 2],
    [20_000, 2],
  ]) {
    hours.refresh(now + Number(afterMs));
    await settle();
    assert.equal(asked, expected);
  }
  hours.recover();
  hours.refresh(now + 20_000);
  assert.equal(asked, 3);
});

test('hours are loading only while they are asked for, and not while the link is lost', () => {
  const empty = /** @type {any} */ ({ hidden: true, textContent: '' });
  const bars = new HourBars(/** @type {any} */ ({ hidden: false }), empty);
  bars.paint(null, new I18n('en'), true);
  assert.deepEqual([empty.hidden, empty.textContent], [false, 'Loading…']);
  bars.paint(null, new I18n('en'), false);
  assert.deepEqual([empty.hidden, empty.textContent], [false, 'This could not be loaded.']);
});

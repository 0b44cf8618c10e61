import assert from 'node:assert/strict';
import { test } from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import { needsAttention } from '../../broadcast_service/dashboard/state/attention.js';
import { Coverage } from '../../broadcast_service/dashboard/state/coverage.js';
import { paceOf, ranked } from '../../broadcast_service/dashboard/state/leaders.js';
import { feedKey, Store } from '../../broadcast_service/dashboard/state/store.js';
import { totalsOf } from '../../broadcast_service/dashboard/state/totals.js';
import { recentText } from '../../broadcast_service/dashboard/ui/recent_text.js';
import { bars } from '../../broadcast_service/dashboard/ui/sparkline.js';

const NOW = 1_764_000_030;
const MINUTE = Math.floor(NOW / 60);
const en = new I18n('en');

/** @param {number} from @param {number} to minutes ago, both inclusive */
const minutesAgo = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => MINUTE - from + i);

/**
 * A room on air that earned so much so many minutes ago, in a studio whose minutes with a reading are these.
 * @param {Record<number, number>} earned @param {number[]} measured @param {number} [onAirSeconds] of the hour
 */
function studio(earned, measured, onAirSeconds = 3600) {
  const store = new Store();
  store.apply({ event_type: 'SYNC', version: 1, snapshot: true, timestamp: NOW, time_ms: NOW * 1000 }, NOW * 1000);
  const data = { platform: 'camsoda', tokens: 1000, tips: null, viewers: 9, goal: null, timestamp: NOW };
  store.apply(
    /** @type {any} */ ({ event_type: 'TELEMETRY_UPDATE', room_id: 'a', version: 2, timestamp: NOW, data }),
    NOW * 1000,
  );
  const minutes = new Map(Object.entries(earned).map(([ago, tokens]) => [MINUTE - Number(ago), tokens]));
  const feed = { room_id: 'a', platform: 'camsoda', minutes, on_air_seconds: onAirSeconds };
  store.settle(minutes, [feed], MINUTE - 600, MINUTE - 1, MINUTE - 1, MINUTE - 60, measured);
  return store;
}
const since = (/** @type {number} */ minutes) => () => (NOW - minutes * 60) * 1000;
const idle = (/** @type {Store} */ store, onAirSince = since(600)) =>
  needsAttention(store, NOW * 1000, onAirSince).map(({ cause, seconds }) => [cause, seconds / 60]);
const feedOf = (/** @type {Store} */ store) => /** @type {any} */ (store.feeds.get(feedKey('a', 'camsoda')));
const text = (/** @type {Store} */ store) => recentText(0, store, NOW * 1000, en);

test('no income is claimed of measured minutes alone', () => {
  assert.deepEqual(idle(studio({ 58: 70 }, minutesAgo(60, 0))), [['no_income', 58]]);
  assert.deepEqual(idle(studio({ 58: 70 }, [...minutesAgo(60, 50), ...minutesAgo(9, 0)])), []);
  assert.deepEqual(idle(studio({ 58: 70 }, [...minutesAgo(60, 50), ...minutesAgo(40, 0)])), [['no_income', 41]]);
  assert.deepEqual(idle(studio({}, [...minutesAgo(60, 50), ...minutesAgo(9, 0)])), []);
  assert.deepEqual(idle(studio({}, minutesAgo(60, 0)), since(35)), [['no_income', 35]]);
});

test('no income is claimed of minutes in which the desk of the room was off, though others reported', () => {
  assert.deepEqual(idle(studio({ 58: 70 }, minutesAgo(60, 0), 1800)), []);
  assert.deepEqual(idle(studio({ 58: 70 }, minutesAgo(60, 0), 3600)), [['no_income', 58]]);
});

test('a minute or two without a reading are no outage', () => {
  assert.deepEqual(idle(studio({ 58: 70 }, [...minutesAgo(60, 22), ...minutesAgo(19, 2)])), [['no_income', 58]]);
});

test('a card says how many of the last minutes are recorded where it has no earnings', () => {
  assert.equal(text(studio({}, minutesAgo(60, 0))), 'no earnings in 30 min');
  assert.equal(text(studio({}, minutesAgo(9, 0))), 'no earnings in 10 recorded min');
  const store = studio({}, []);
  assert.equal(text(store), 'no earnings in 1 recorded min'); // the reading of now
  assert.equal(recentText(0, store, (NOW + 7200) * 1000, en), 'not recorded in 30 min');
  assert.equal(recentText(5, store, NOW * 1000, en), '+5 in 30 min');
});

test('a series has a gap where nothing was read, and a zero where nothing was earned', () => {
  const store = studio({ 3: 8 }, minutesAgo(4, 0));
  assert.deepEqual(store.recent(feedOf(store), NOW * 1000).slice(-6), [null, 0, 8, 0, 0, 0]);
  assert.equal(bars([null, null, 5, 0], 40, 10).match(/M/gu)?.length, 2);
});

test('small charts stay whole while the sums of another scope are being loaded, and the chart of all rooms waits', () => {
  const store = studio({ 3: 8 }, minutesAgo(60, 0));
  store.resetEarnings();
  store.resetEarnings(); // renewed once more before history has answered
  assert.deepEqual(store.recent(feedOf(store), NOW * 1000).slice(-5), [0, 8, 0, 0, 0]);
  assert.equal(text(store), 'no earnings in 30 min');
  assert.equal(totalsOf(store, NOW * 1000, 0).pulse.filter((amount) => amount !== null).length, 0);
  store.settle(new Map(), [], MINUTE - 600, MINUTE - 1, MINUTE - 1, MINUTE - 60, minutesAgo(9, 0));
  assert.deepEqual(store.recent(feedOf(store), (NOW - 240) * 1000).slice(0, 2), [null, null]);
});

test('nothing of another access is known after a sign-out', () => {
  const store = studio({ 3: 8 }, minutesAgo(60, 0));
  store.clear();
  assert.equal(store.coverageOfFeeds.count(MINUTE - 60, MINUTE), 0);
});

test('rooms are called faster or slower only where the whole hour is measured', () => {
  const earned = { 40: 900, 5: 10 };
  const whole = studio(earned, minutesAgo(60, 0));
  assert.equal(paceOf(feedOf(whole), whole, NOW * 1000), 'down');
  assert.equal(ranked(whole, NOW * 1000).slow.length, 1);
  const broken = studio(earned, [...minutesAgo(60, 35), ...minutesAgo(6, 0)]);
  assert.equal(paceOf(feedOf(broken), broken, NOW * 1000), null);
  assert.equal(ranked(broken, NOW * 1000).slow.length, 0);
  assert.equal(ranked(broken, NOW * 1000).leaders[0]?.earned, 910);
});

test('the last hour says how many of its minutes are measured', () => {
  const whole = totalsOf(studio({ 40: 600 }, minutesAgo(60, 0)), NOW * 1000, 0);
  assert.deepEqual([whole.hour, whole.hourMinutes, whole.measuredMinutes], [600, 60, 60]);
  const broken = totalsOf(studio({ 40: 600 }, [...minutesAgo(59, 40), ...minutesAgo(9, 0)]), NOW * 1000, 0);
  assert.deepEqual([broken.hour, broken.hourMinutes, broken.measuredMinutes], [600, 60, 30]);
  assert.equal(broken.pulse.filter((amount) => amount === null).length, 30);
});

test('an older server that does not report measured minutes is believed', () => {
  const store = studio({ 58: 70 }, /** @type {any} */ (undefined));
  assert.deepEqual(idle(store), [['no_income', 58]]);
});

test('old minutes are forgotten', () => {
  const coverage = new Coverage(10);
  for (let minute = 0; minute < 1000; minute++) coverage.mark(minute);
  assert.equal(coverage.count(0, 1000), 10);
  assert.equal(coverage.unbroken(999, 60), 10);
});

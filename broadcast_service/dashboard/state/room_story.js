/** What a room's page draws of a span besides the numbers: time off air, marks, and shows. Pure; moments are Unix milliseconds. */

import { daysBefore } from './zone.js';

/** @typedef {import('../link/api.js').Line} Line */
/** @typedef {import('../link/api.js').Point} Point */
/** @typedef {{fromMs: number, toMs: number}} Stretch */
/** @typedef {{atMs: number, kind: 'fall' | 'set_aside' | 'unsettled'}} Mark */
/** @typedef {{account: string | null, fromMs: number, toMs: number, earned: number, peak: number | null, isOpen: boolean}} Show */

/** After so long without a reading another show begins, as another session does in the rules of income. */
export const SHOW_GAP_MS = 15 * 60_000;
/** A shorter time without a reading is no time off air. */
const OFF_AIR_MS = 3 * 60_000;
const MINUTE = 60;

/**
 * The steps of a chart of a span: bars that are wide enough to be pointed at, and at most 1,500 points of a line.
 * @param {number} seconds length of the span
 */
export function stepsOf(seconds) {
  const bar = [1, 2, 5, 15, 30, 60, 120, 240].map((minutes) => minutes * MINUTE).find((step) => seconds / step <= 170);
  const point = Math.max(MINUTE, Math.ceil(seconds / 1500 / MINUTE) * MINUTE);
  return { bar: bar ?? 86_400, point };
}

/**
 * A longer time between two points is time off air: three times the usual time between readings, since some rooms report rarely.
 * @param {Point[]} points in order @param {number} pointSeconds the step of the points
 */
export function offAirMs(points, pointSeconds) {
  const gaps = points.slice(1).map(({ t }, i) => t - (points[i]?.t ?? t));
  const usual = gaps.sort((one, other) => one - other)[Math.floor(gaps.length / 2)] ?? 0;
  return Math.max(OFF_AIR_MS, 2000 * pointSeconds, 3000 * usual);
}

/**
 * When nothing was read, up to now. @param {Point[]} points in order @param {Stretch} span @param {number} nowMs
 * @param {number} gapMs from `offAirMs`
 * @returns {Stretch[]}
 */
export function offAirOf(points, { fromMs, toMs }, nowMs, gapMs) {
  const moments = [fromMs, ...points.map(({ t }) => t * 1000), Math.min(toMs, nowMs)];
  return moments.flatMap((atMs, i) => {
    const before = moments[i - 1];
    return before !== undefined && atMs - before > gapMs ? [{ fromMs: before, toMs: atMs }] : [];
  });
}

/** Unusual readings and pauses, each at its moment. @param {Line[]} lines @returns {Mark[]} */
export function marksOf(lines) {
  return lines.flatMap(({ verdict, at_ms: atMs, unsettled = [] }) => {
    const isDoubtful = verdict === 'pending' || unsettled.length > 0;
    const kind = verdict === 'fall' || verdict === 'set_aside' ? verdict : isDoubtful ? 'unsettled' : null;
    return kind ? [{ atMs, kind: /** @type {Mark['kind']} */ (kind) }] : [];
  });
}

/**
 * The shows of a span: readings of one account without a longer pause. Income of the pause before a show is part of it, so the shows
 * add up to the span's income.
 * @param {Line[]} lines @param {Point[]} points for the largest audience @param {number} nowMs
 * @returns {Show[]} in order of time
 */
export function showsOf(lines, points, nowMs) {
  /** @type {Map<string | null, Show>} the current show of each account */
  const open = new Map();
  /** @type {Show[]} */
  const shows = [];
  for (const { account, from_ms: fromMs, at_ms: toMs, earned } of lines) {
    const show = open.get(account);
    if (show && fromMs - show.toMs <= SHOW_GAP_MS) {
      show.toMs = toMs;
      show.earned += earned;
      continue;
    }
    const next = { account, fromMs, toMs, earned, peak: null, isOpen: false };
    open.set(account, next);
    shows.push(next);
  }
  for (const show of shows) {
    show.peak = peakOf(points, show);
    show.isOpen = nowMs - show.toMs <= OFF_AIR_MS;
  }
  return shows;
}

/** The largest audience of a stretch; null where it is unknown. @param {Point[]} points @param {Stretch} stretch */
function peakOf(points, { fromMs, toMs }) {
  const known = points.flatMap(({ t, viewers }) =>
    typeof viewers === 'number' && t * 1000 >= fromMs - 60_000 && t * 1000 <= toMs + 60_000 ? [viewers] : [],
  );
  return known.length > 0 ? Math.max(...known) : null;
}

const WEEK_DAYS = 7;

/**
 * The same span a week before: the same weekdays and hours, also where the clocks were changed in between.
 * @param {{from: number, to: number}} span Unix seconds @param {string} zone empty: the reader's
 */
export function weekBefore({ from, to }, zone) {
  const earlier = (/** @type {number} */ seconds) => Math.round(daysBefore(seconds * 1000, WEEK_DAYS, zone) / 1000);
  const [start, end] = [earlier(from), earlier(to)];
  return { from: start, to: end > start ? end : start + (to - from) };
}

/**
 * Points of the week before at the same time of day a week later.
 * @template {{t: number}} T
 * @param {T[]} points in order @param {string} zone
 * @returns {T[]}
 */
export function weekLater(points, zone) {
  return points.map((point) => ({ ...point, t: daysBefore(point.t, -WEEK_DAYS, zone) }));
}

/**
 * A part of a chart that was marked, in whole bars and at least ten minutes of it. @param {number} oneMs @param {number} otherMs
 * @param {Stretch} span @param {number} stepMs
 * @returns {{from: number, to: number}} Unix seconds
 */
export function zoomedTo(oneMs, otherMs, { fromMs, toMs }, stepMs) {
  const step = Math.min(stepMs, 600_000);
  const least = Math.max(fromMs, Math.min(oneMs, otherMs));
  const most = Math.min(toMs, Math.max(oneMs, otherMs));
  const from = fromMs + Math.floor((least - fromMs) / step) * step;
  const to = fromMs + Math.ceil((most - fromMs) / step) * step;
  return { from: from / 1000, to: Math.max(to, from + 600_000) / 1000 };
}

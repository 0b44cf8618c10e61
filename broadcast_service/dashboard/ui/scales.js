/** The arithmetic of charts, pure: round axis ticks, and hours of the week. */

import { hourOfWeek, localOf, midnightOf, momentOf } from '../state/zone.js';

/** Round whole numbers from at most `least` to at least `most`. @param {number} least @param {number} most @param {number} wanted about how many steps */
export function valueTicks(least, most, wanted = 4) {
  const rough = Math.max(most - least, 1) / wanted;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step =
    [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough && Number.isInteger(size)) ?? 1;
  const first = Math.floor(least / step) * step;
  const count = Math.max(1, Math.ceil((most - first) / step));
  return Array.from({ length: count + 1 }, (_, i) => first + i * step);
}

const HOUR_MS = 3_600_000;

/**
 * Moments worth a label: midnights of a week, or every few hours of a day.
 * @param {number} fromMs @param {number} toMs @param {number} wanted at most about this many @param {string} zone empty: the reader's
 */
export function timeTicks(fromMs, toMs, wanted, zone) {
  const sizes = toMs - fromMs > 48 * HOUR_MS ? [24, 48] : [1, 2, 3, 4, 6, 12];
  const hours = sizes.find((size) => (toMs - fromMs) / (size * HOUR_MS) <= wanted) ?? 168;
  /** @type {number[]} */
  const ticks = [];
  const midnight = localOf(midnightOf(fromMs, zone), zone);
  for (let local = midnight, at = fromMs; at <= toMs; local += hours * HOUR_MS) {
    at = momentOf(local, zone);
    if (at >= fromMs && at <= toMs && at > (ticks.at(-1) ?? -Infinity)) ticks.push(at);
  }
  return ticks;
}

/** Fewer measured minutes give no hourly rate: the gain may have been made long before. */
const PACE_MINUTES = 15;

/** @typedef {Pick<import('../link/api.js').Report, 'from' | 'step' | 'earned' | 'measured_minutes' | 'between_sessions'>} Steps */

/** Minutes of a step with a reading; an older server does not report them: its steps with earnings count as measured. @param {Steps} report @param {number} i */
export function measuredMinutes({ measured_minutes: minutes, earned, step }, i) {
  return minutes ? (minutes[i] ?? 0) : earned[i] ? step / 60 : 0;
}

/** The steps in which anything was measured: the others are unknown, not zero. @param {Steps} report @returns {{t: number, value: number}[]} */
export function measuredPoints(report) {
  return report.earned.flatMap((value, i) =>
    measuredMinutes(report, i) ? [{ t: (report.from + i * report.step) * 1000, value }] : [],
  );
}

/**
 * Tokens earned per measured hour; a part of an hour counts as that part.
 * @param {Steps} report
 * @returns {{perHour: number | null, minutes: number}} null where nothing was measured
 */
export function meanPerHour(report) {
  const minutes = report.earned.reduce((sum, _, i) => sum + measuredMinutes(report, i), 0);
  const total = report.earned.reduce((sum, amount) => sum + amount, 0) - (report.between_sessions ?? 0);
  return { perHour: minutes ? (total * 60) / minutes : null, minutes };
}

/** @typedef {{value: number | null, from: number, to: number}} HourOfWeek from and to in Unix seconds: its first and last hour in the report */

/**
 * Mean tokens earned per hour of the week: seven days (0 is Monday) of 24 hours; null where nothing was measured. A part of an hour, as the
 * current one, counts by its measured minutes; too few of them give no rate, and the value is the sum.
 * @param {Steps} report in steps of an hour @param {string} zone empty: the reader's
 * @returns {HourOfWeek[][]}
 */
export function hoursOfWeek(report, zone) {
  const sums = Array.from({ length: 7 }, () =>
    Array.from({ length: 24 }, () => ({ total: 0, minutes: 0, from: Infinity, to: 0 })),
  );
  for (const [i, amount] of report.earned.entries()) {
    const from = report.from + i * report.step;
    const { day, hour } = hourOfWeek(from * 1000, zone);
    const cell = sums[day]?.[hour];
    if (!cell) continue;
    cell.total += amount;
    cell.minutes += measuredMinutes(report, i);
    cell.from = Math.min(cell.from, from);
    cell.to = from + report.step;
  }
  return sums.map((day) =>
    day.map(({ total, minutes, from, to }) => ({
      value: minutes ? (total * 60) / (minutes < PACE_MINUTES ? 60 : minutes) : null,
      from,
      to,
    })),
  );
}

/**
 * Colours by rank, so that one outlier does not make all others look alike: 0 for nothing earned, 1 to `levels` for the quarters of the rest.
 * @param {number[]} values @param {number} [levels]
 * @returns {(value: number) => number}
 */
export function quantileLevels(values, levels = 4) {
  const earning = values.filter((value) => value > 0).sort((a, b) => a - b);
  return (value) => {
    if (value <= 0) return 0;
    const atMost = earning.filter((other) => other <= value).length;
    return Math.max(1, Math.ceil((atMost / Math.max(1, earning.length)) * levels));
  };
}

/**
 * Where labels along a line may be written: each in the middle of its place, moved inside the line's ends, and left out where it would touch
 * the one before.
 * @param {{x: number, width: number}[]} labels in order @param {number} left @param {number} right @param {number} [gap] between two of them
 * @returns {(number | null)[]} the middle of each; null where it is left out
 */
export function placeLabels(labels, left, right, gap = 8) {
  let end = -Infinity;
  return labels.map(({ x, width }) => {
    const middle = Math.min(Math.max(x, left + width / 2), right - width / 2);
    if (width > right - left || middle - width / 2 < end + gap) return null;
    end = middle + width / 2;
    return middle;
  });
}

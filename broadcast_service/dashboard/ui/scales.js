/** The arithmetic of charts, pure: round axis ticks, and hours of the week. */

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
 * Moments worth a label: midnights of a week, or every few hours of a day, where the reader is.
 * @param {number} fromMs @param {number} toMs @param {number} wanted at most about this many
 */
export function timeTicks(fromMs, toMs, wanted) {
  const sizes = toMs - fromMs > 48 * HOUR_MS ? [24, 48] : [1, 2, 3, 4, 6, 12];
  const hours = sizes.find((size) => (toMs - fromMs) / (size * HOUR_MS) <= wanted) ?? 168;
  const ticks = [];
  const at = new Date(fromMs);
  at.setHours(0, 0, 0, 0);
  while (at.getTime() <= toMs) {
    if (at.getTime() >= fromMs) ticks.push(at.getTime());
    if (hours >= 24) at.setDate(at.getDate() + hours / 24);
    else at.setHours(at.getHours() + hours);
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

/**
 * Mean tokens earned per hour of the week where the reader is: seven days (0 is Monday) of 24 hours; null where nothing was measured. A part of
 * an hour, as the current one, counts by its measured minutes; too few of them give no rate, and the cell holds the sum.
 * @param {Steps} report in steps of an hour
 * @returns {(number | null)[][]}
 */
export function hoursOfWeek(report) {
  const sums = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ total: 0, minutes: 0 })));
  for (const [i, amount] of report.earned.entries()) {
    const { day, hour } = hourOfWeek((report.from + i * report.step) * 1000);
    const cell = sums[day]?.[hour];
    if (!cell) continue;
    cell.total += amount;
    cell.minutes += measuredMinutes(report, i);
  }
  return sums.map((day) =>
    day.map(({ total, minutes }) => (minutes ? (total * 60) / (minutes < PACE_MINUTES ? 60 : minutes) : null)),
  );
}

/** Where a moment lies in the reader's week; 0 is Monday. @param {number} ms */
export function hourOfWeek(ms) {
  const at = new Date(ms);
  return { day: (at.getDay() + 6) % 7, hour: at.getHours() };
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

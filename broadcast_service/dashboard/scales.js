/** The arithmetic of charts, pure: round axis ticks, and hours of the week. */

/** Round whole numbers from at most `least` to at least `most`. @param {number} least @param {number} most @param {number} wanted about how many steps */
export function valueTicks(least, most, wanted = 4) {
  const rough = Math.max(most - least, 1) / wanted;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough && Number.isInteger(size)) ?? 1;
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

/**
 * Mean tokens earned per hour of the week where the reader is: seven days (0 is Monday) of 24 hours; null where nothing was measured.
 * @param {number[]} earned per hour @param {number} fromSeconds of the first hour
 * @returns {(number | null)[][]}
 */
export function hoursOfWeek(earned, fromSeconds) {
  const sums = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ total: 0, count: 0 })));
  for (const [i, amount] of earned.entries()) {
    const at = new Date((fromSeconds + i * 3600) * 1000);
    const cell = sums[(at.getDay() + 6) % 7]?.[at.getHours()];
    if (!cell) continue;
    cell.total += amount;
    cell.count++;
  }
  return sums.map((day) => day.map(({ total, count }) => (count ? total / count : null)));
}

/** The spans that pages offer, on the reader's own clock: a day begins at the reader's midnight. */

/** @typedef {import('../link/api.js').Span} Span */
/** @typedef {'today' | 'day' | 'week'} Period */

export const PERIODS = /** @type {Period[]} */ (['today', 'day', 'week']);
const HOUR = 3600;

/** @param {string | null} name @param {Period} fallback @returns {Period} */
export const periodNamed = (name, fallback) => PERIODS.find((period) => period === name) ?? fallback;

/**
 * Whole hours, so that every bar is one, up to the end of the current hour.
 * @param {Period} period @param {number} nowMs @param {number} step seconds
 * @returns {Span}
 */
export function spanOf(period, nowMs, step) {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0) / 1000;
  const hours = Math.floor((nowMs / 1000 - midnight) / HOUR) + 1;
  const to = midnight + hours * HOUR;
  if (period === 'today') return { from: midnight, to, step };
  return { from: to - (period === 'day' ? 24 : 7 * 24) * HOUR, to, step };
}

/** The beginning of the step that is not over: steps lie on whole hours of the reader, as spans begin there. @param {number} stepSeconds @param {number} nowMs */
export function openFrom(stepSeconds, nowMs) {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0);
  return midnight + Math.floor((nowMs - midnight) / (stepSeconds * 1000)) * stepSeconds * 1000;
}

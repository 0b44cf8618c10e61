/** The spans that pages offer, on the studio's clock: a day begins at its midnight. Without a studio file the clock is the reader's. */

import { daysBefore, midnightOf } from './zone.js';

/** @typedef {import('../link/api.js').Span} Span */
/** @typedef {'today' | 'day' | 'week'} Period */

export const PERIODS = /** @type {Period[]} */ (['today', 'day', 'week']);
const HOUR = 3600;

/** @param {string | null} name @param {Period} fallback @returns {Period} */
export const periodNamed = (name, fallback) => PERIODS.find((period) => period === name) ?? fallback;

/**
 * Whole hours, so that every bar is one, up to the end of the current hour. A week begins at the same time of day as it ends.
 * @param {Period} period @param {number} nowMs @param {number} step seconds @param {string} zone empty: the reader's
 * @returns {Span}
 */
export function spanOf(period, nowMs, step, zone) {
  const midnight = midnightOf(nowMs, zone) / 1000;
  const hours = Math.floor((nowMs / 1000 - midnight) / HOUR) + 1;
  const to = midnight + hours * HOUR;
  if (period === 'today') return { from: midnight, to, step };
  return { from: period === 'day' ? to - 24 * HOUR : daysBefore(to * 1000, 7, zone) / 1000, to, step };
}

/** Figures of the last minutes in words: they say how many of the minutes are recorded, and claim no zero of minutes that nothing measured. */

import { SPARK_MINUTES } from '../state/store.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */

/** @param {number} amount @param {Store} store @param {number} asOfMs @param {import('../i18n/i18n.js').I18n} i18n */
export function recentText(amount, store, asOfMs, i18n) {
  if (amount > 0) return i18n.t('earned_recently', { amount });
  const minute = Math.floor(asOfMs / 60_000);
  const from = minute - SPARK_MINUTES + 1;
  if (store.coverageOfFeeds.isWhole(from, minute)) return i18n.t('earned_none');
  const count = store.coverageOfFeeds.count(from, minute);
  return count > 0 ? i18n.t('earned_none_measured', { count }) : i18n.t('earned_unknown');
}

/** @typedef {'leaders_hint' | 'heat_hint' | 'group_sum'} Sentence with one of the same name and `_measured`, for fewer minutes, and `_unknown`, for none */

/**
 * How many of the last minutes were measured; all of them where only readings on their way are missing.
 * @param {Store} store @param {number} asOfMs @param {number} minutes
 */
export function measuredOf({ coverageOfFeeds: coverage }, asOfMs, minutes) {
  const last = Math.floor(asOfMs / 60_000);
  return coverage.isWhole(last - minutes + 1, last) ? minutes : coverage.count(last - minutes + 1, last);
}

/**
 * A sentence about the last minutes that says how many of them are recorded, where some are missing.
 * @param {Sentence} sentence @param {number} minutes @param {Store} store @param {number} asOfMs @param {I18n} i18n @param {Record<string, number>} [values]
 */
export function measuredWords(sentence, minutes, store, asOfMs, i18n, values = {}) {
  const count = measuredOf(store, asOfMs, minutes);
  if (count === 0) return i18n.t(`${sentence}_unknown`, values);
  return count < minutes ? i18n.t(`${sentence}_measured`, { ...values, count }) : i18n.t(sentence, values);
}

/** What a feed earned in the last half hour, in words; a zero of minutes that nothing measured is not claimed. */

import { SPARK_MINUTES } from '../state/store.js';

/** @typedef {import('../state/store.js').Store} Store */

/** @param {number} amount @param {Store} store @param {number} asOfMs @param {import('../i18n/i18n.js').I18n} i18n */
export function recentText(amount, store, asOfMs, i18n) {
  if (amount > 0) return i18n.t('earned_recently', { amount });
  const minute = Math.floor(asOfMs / 60_000);
  const from = minute - SPARK_MINUTES + 1;
  if (store.coverageOfFeeds.isWhole(from, minute)) return i18n.t('earned_none');
  const count = store.coverageOfFeeds.count(from, minute);
  return count > 0 ? i18n.t('earned_none_measured', { count }) : i18n.t('earned_unknown');
}

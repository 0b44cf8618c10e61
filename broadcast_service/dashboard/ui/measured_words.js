/** What a figure of the last minutes says of the minutes in which nothing was read: their income is unknown, and not zero. */

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {'leaders_hint' | 'heat_hint' | 'group_sum'} Sentence with one of the same name and `_measured`, for fewer minutes, and `_unknown`, for none */

/**
 * How many of the last minutes were measured; all of them where only readings on their way are missing.
 * @param {Store} store @param {number} asOfMs @param {number} minutes
 */
export function measuredOf({ coverage }, asOfMs, minutes) {
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

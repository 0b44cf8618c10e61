/** Both ends of a span, for a sentence. */

/** @typedef {import('../i18n/i18n.js').I18n} I18n */

/** @param {number} fromMs @param {number} toMs @param {I18n} i18n */
export function spanWords(fromMs, toMs, i18n) {
  const sameDay = i18n.weekday.format(fromMs) === i18n.weekday.format(toMs - 1) && toMs - fromMs <= 90_000_000;
  return { from: i18n.moment.format(fromMs), to: (sameDay ? i18n.hour : i18n.moment).format(toMs) };
}

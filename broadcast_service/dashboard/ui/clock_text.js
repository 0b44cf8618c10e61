/** The sentence that names a producer's wrong clock. */

/** @param {number} seconds positive: behind @param {import('../i18n/i18n.js').I18n} i18n */
export function clockText(seconds, i18n) {
  return i18n.t(seconds > 0 ? 'clock_behind' : 'clock_ahead', { span: i18n.span(Math.abs(seconds)) });
}

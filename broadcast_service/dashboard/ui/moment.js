/** What every view needs to know to draw: the time, whether numbers may be called live, and the language. */

/**
 * @typedef {object} Moment
 * @property {number} nowMs the server's clock; ages are measured by it
 * @property {number} asOfMs the moment that statuses, totals and windows describe: now, or the last that was known
 * @property {boolean} trusted whether that is now
 * @property {import('../i18n/i18n.js').I18n} i18n
 * @property {boolean} calm the reader prefers reduced motion
 */

export {};

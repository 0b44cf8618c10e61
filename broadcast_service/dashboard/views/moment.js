/** What every view needs to know to draw: the time, whether numbers may be called live, and the language. */

/**
 * @typedef {object} Moment
 * @property {number} nowMs the server's clock
 * @property {boolean} trusted
 * @property {import('../i18n.js').Speech} speech
 * @property {boolean} calm the reader prefers reduced motion
 */

export {};

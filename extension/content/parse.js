'use strict';

/**
 * Text to count. Every rule errs towards "not read": a wrong number is worse than none.
 *
 * - One number in the text, or the reading is ambiguous ("12 / 500" has a total when asked for one).
 * - The text must have a known shape, such as `(N)` or `N tk`. A list of words that make a number larger ("12 mil",
 *   "12 tis.") can never be complete; a list of the shapes that the sites use can.
 * - Groups of three are thousands with any separator: 1,234 = 1.234 = 1 234 = 1'234.
 * - A fraction means something only before k or M: 1.2k. "1.234k" could be either, so it is ambiguous. A balance is
 *   never read from a rounded number.
 *
 * Constants of content scripts are `var`: after an update Chrome may run the files a second time in the same page.
 */

/** Zeros of the decimal digits that locales use: Latin, Arabic, Persian, N'Ko, Devanagari … Chakma, Adlam. */
var SCRIPT_ZEROS = [
  0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
  0x17e0, 0x1c50, 0xabf0, 0xff10, 0x11136, 0x1e950,
];
// biome-ignore lint/suspicious/noMisleadingCharacterClass: each of these marks is removed by itself
var INVISIBLE = /[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202c\u2060-\u2069\ufe0e\ufe0f\ufeff\ue000-\uf8ff]/gu; // with the glyphs of icon fonts
/** Characters after them are drawn in another order than they are stored. */
var DRAWN_IN_ANOTHER_ORDER = /[\u202d\u202e]/u;
/** Spaces that do not break a line hold one number together, also across elements; a plain space does not. */
var HOLDING_SPACES = /[\u00a0\u2007-\u200a\u202f]/gu;
var APOSTROPHES = /[\u2019\u066c\uff07]/gu;
var COMMAS = /[\u2e41\uff0c]/gu;
var NUMERAL = /\d+(?:[.,' \u00a0\u066b]\d+)*/gu;
var PLACEHOLDER = /^[\s\-\u2010-\u2015\u2212\u2026.?*]*$/u;
var MINUS_BEFORE = /[-\u2010-\u2015\u2212]$/u;
/** Only a large M: in Catalan "12m" is twelve thousand. */
var MAGNITUDE = /^[ \u00a0]?([kKM])(?![\p{L}\p{N}])/u;
/** Labels are words; code is not. ">" and "<" also mean "more than" and "less than". */
var NO_LABEL = /[<>={}\\]/u;
var MAX_TEXT_LENGTH = 200;

/** Words for people who watch, in the languages of the sites. None of them makes a number larger. */
var WATCHING = [
  'viewers?',
  'users?',
  '(?:people )?watching(?: now)?',
  'espectador(?:a|es|as)?',
  'usuarios?',
  'spectateurs?',
  'spectatrices?',
  'zuschauer',
  'spettator[ei]',
  'kijkers?',
  'spectatori?',
  'privitori',
  'widz(?:ów|owie)?',
  'divák(?:ů|y|a)?',
  'divákov',
  'nézők?',
  'tittare',
  'seere',
  'seer',
  'katsojaa?',
  'izleyici',
  'θεατές',
  'зрител(?:ь|я|ей|и)',
  'глядач(?:ів|і)?',
  'penonton',
  'người xem',
  'مشاهدا?',
  'مشاهدين',
  'दर्शक',
  'ผู้ชม',
  '人',
  '人が見ています',
  '人観看',
  '人观看',
  '位观众',
  '位觀眾',
  '名の視聴者',
  '명',
  '명 시청 중',
].join('|');

/** A number alone; in brackets after a label; with the unit or the people that it counts. */
var KNOWN_SHAPES = `^N$|^[^N]*[(（]N[)）]$|^N ?(?:tks?|tokens?)$|^N ?(?:${WATCHING})$`;

/**
 * @param {string} text
 * @param {'only' | 'total'} [part]
 * @param {{ shape?: string, compact?: boolean }} [rules] `shape` is a regular expression in which N is the
 *   number; `compact` is whether 1.2k and 3M are read
 * @returns {MetricReading}
 */
function parseCount(text, part = 'only', { shape = KNOWN_SHAPES, compact = false } = { compact: true }) {
  if (text.length > MAX_TEXT_LENGTH || NO_LABEL.test(text) || DRAWN_IN_ANOTHER_ORDER.test(text))
    return { status: 'unparsed' };
  const plain = toAsciiDigits(
    text.replace(INVISIBLE, '').replace(HOLDING_SPACES, '\u00a0').replace(APOSTROPHES, "'").replace(COMMAS, ',').trim(),
  );
  if (plain === null) return { status: 'unparsed' };
  const numerals = [...plain.matchAll(NUMERAL)];
  if (part === 'total') return parseTotal(plain, numerals);
  const [numeral] = numerals;
  if (!numeral) return { status: PLACEHOLDER.test(plain) ? 'missing' : 'unparsed' };
  return numerals.length === 1 ? parseNumeral(plain, numeral, shape, compact) : { status: 'ambiguous' };
}

/**
 * A text that is no "12 / 500" has no total to miss: it is some other cell.
 *
 * @param {string} plain
 * @param {RegExpExecArray[]} numerals
 * @returns {MetricReading}
 */
function parseTotal(plain, numerals) {
  const [sofar, total] = numerals;
  const between = sofar && total && plain.slice(sofar.index + sofar[0].length, total.index);
  if (!total || !between || !/^\s?[kM]?\s?\/\s?$/iu.test(between)) return { status: 'missing' };
  return numerals.length === 2 ? parseCount(plain.slice(total.index)) : { status: 'ambiguous' };
}

/**
 * @param {string} plain
 * @param {RegExpExecArray} numeral
 * @param {string} shape
 * @param {boolean} compact
 * @returns {MetricReading}
 */
function parseNumeral(plain, numeral, shape, compact) {
  const before = plain.slice(0, numeral.index);
  const after = plain.slice(numeral.index + numeral[0].length);
  if (MINUS_BEFORE.test(before)) return { status: 'out_of_range' };
  const magnitude = compact ? MAGNITUDE.exec(after) : null;
  const outline = `${before}\ue000${after.slice(magnitude?.[0].length ?? 0)}`.replace(/\s+/gu, ' ');
  if (!new RegExp(shape.replaceAll('N', '\ue000'), 'iu').test(outline)) return { status: 'unparsed' };
  return toInteger(numeral[0], magnitude ? (magnitude[1] === 'M' ? 6 : 3) : 0);
}

/**
 * @param {string} numeral digits and separators
 * @param {number} exponent of ten that a suffix means
 * @returns {MetricReading}
 */
function toInteger(numeral, exponent) {
  const groups = numeral.split(/\D/u);
  const separators = [...numeral.matchAll(/\D/gu)].map(([separator]) => separator);
  if (isGrouped(groups, separators)) {
    const either = exponent > 0 && separators.length === 1 && '.,'.includes(separators[0] ?? '');
    return either ? { status: 'ambiguous' } : exact(groups.join(''), '', exponent);
  }
  if (separators.includes(' ') || separators.includes('\u00a0')) return { status: 'ambiguous' };
  const fraction = groups.pop() ?? '';
  const mark = separators.pop() ?? '';
  const isFraction = mark !== "'" && !separators.includes(mark) && isGrouped(groups, separators);
  return isFraction && exponent > 0 ? exact(groups.join(''), fraction, exponent) : { status: 'unparsed' };
}

/** Thousands in threes, or as in India (1,23,456). @param {string[]} groups @param {string[]} separators */
function isGrouped(groups, separators) {
  if (separators.length === 0) return true;
  const [first = '', ...rest] = groups;
  const last = rest.pop() ?? '';
  if (new Set(separators).size > 1 || separators[0] === '\u066b' || first.startsWith('0') || last.length !== 3)
    return false;
  const threes = first.length <= 3 && rest.every((group) => group.length === 3);
  const indian =
    separators[0] === ',' && first.length <= 2 && rest.length > 0 && rest.every((group) => group.length === 2);
  return threes || indian;
}

/**
 * Decimal places are moved as text: 4.35k is 4350 and never 4349.99.
 *
 * @param {string} whole
 * @param {string} fraction
 * @param {number} exponent
 * @returns {MetricReading}
 */
function exact(whole, fraction, exponent) {
  if (fraction.length > exponent) return { status: 'unparsed' };
  const value = Number(whole + fraction.padEnd(exponent, '0'));
  return Number.isSafeInteger(value) ? { status: 'ok', value } : { status: 'out_of_range' };
}

/** @param {string} text @returns {string | null} null when digits are of no script or of two */
function toAsciiDigits(text) {
  const scripts = new Set();
  const ascii = text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    const zero = SCRIPT_ZEROS.find((start) => code >= start && code < start + 10);
    scripts.add(zero);
    return zero === undefined ? digit : String(code - zero);
  });
  return scripts.size > 1 || scripts.has(undefined) ? null : ascii;
}

'use strict';

/**
 * Text to count. Every rule errs towards "not read": a wrong number is worse than none.
 *
 * - One number in the text, or the reading is ambiguous ("12 / 500" has a total when asked for one).
 * - Groups of three are thousands, whatever separates them: 1,234 = 1.234 = 1 234 = 1'234.
 * - A fraction means something only before k or M: 1.2k. "1.234k" could be either, so it is ambiguous.
 * - A percentage, an amount of money, "99+", "<5" and magnitude words we do not know are not counts.
 */

/** Zeros of the decimal digits in the scripts that the sites' languages use. */
const SCRIPT_ZEROS = [0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10];
const INVISIBLE = /[\u200b-\u200f\u061c\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const SPACES = /[\u00a0\u2007-\u200a\u202f]/gu;
const APOSTROPHES = /[\u2019\u066c\uff07]/gu;
const DECIMAL_ONLY = '\u066b';
const NUMERAL = /\d+(?:[.,' \u066b]\d+)*/gu;
const PLACEHOLDER = /^[\s\-\u2010-\u2015\u2212\u2026.?*]*$/u;
const MINUS_BEFORE = /[-\u2010-\u2015\u2212]$/u;
const NOT_A_COUNT_BEFORE = /(?:[\p{L}.,:\u066b]|[\p{Sc}#~\u2248\u2264\u2265+]\s*)$/u;
const NOT_A_COUNT_AFTER = /^(?:[.,:]\d|\s*[%\u066a\uff05\u2030+\p{Sc}])/u;
const SUFFIX = /^ ?([km])(?![\p{L}\p{N}])/iu;
/** "12 mil" and "3万" are not 12 and 3. A lone letter is a magnitude too, as far as we know. */
const UNKNOWN_MAGNITUDE =
  /^ ?(?:[\p{Script=Latin}\p{Script=Cyrillic}](?!\p{L})|(?:mil|mill|mln|mio|mrd|tsd|tys|bn|lakh|lac|crore)(?!\p{L})|mil(?:h|li)|thousand|bill|тыс|млн|млрд|хил|[十百千万萬億亿천만억]|ألف|آلاف|مليون|هزار|میلیون|हज़ार|लाख|พัน|หมื่น|แสน|ล้าน)/iu;
/** Labels are words; code is not. ">" and "<" also mean "more than" and "less than". */
const NO_LABEL = /[<>={}\\]/u;
const LONGEST_TEXT = 200;

/**
 * @param {string} text
 * @param {'only' | 'total'} [part]
 * @returns {MetricReading}
 */
function parseCount(text, part = 'only') {
  if (text.length > LONGEST_TEXT || NO_LABEL.test(text)) return { status: 'unparsed' };
  const plain = toAsciiDigits(text.replace(INVISIBLE, '').replace(SPACES, ' ').replace(APOSTROPHES, "'").trim());
  if (plain === null) return { status: 'unparsed' };
  const numerals = [...plain.matchAll(NUMERAL)];
  if (part === 'total') return parseTotal(plain, numerals);
  if (numerals.length === 0) return { status: PLACEHOLDER.test(plain) ? 'missing' : 'unparsed' };
  return numerals.length === 1 ? parseNumeral(plain, numerals[0]) : { status: 'ambiguous' };
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
  if (!total || !between || !/^ ?[km]? ?\/ ?$/iu.test(between)) return { status: 'missing' };
  return numerals.length === 2 ? parseCount(plain.slice(total.index)) : { status: 'ambiguous' };
}

/** @param {string} plain @param {RegExpExecArray | undefined} numeral @returns {MetricReading} */
function parseNumeral(plain, numeral) {
  if (!numeral) return { status: 'unparsed' };
  const before = plain.slice(0, numeral.index);
  const after = plain.slice(numeral.index + numeral[0].length);
  if (MINUS_BEFORE.test(before)) return { status: 'out_of_range' };
  if (NOT_A_COUNT_BEFORE.test(before) || NOT_A_COUNT_AFTER.test(after)) return { status: 'unparsed' };
  const suffix = SUFFIX.exec(after)?.[1]?.toLowerCase();
  if (!suffix && UNKNOWN_MAGNITUDE.test(after)) return { status: 'unparsed' };
  if (suffix && NOT_A_COUNT_AFTER.test(after.replace(SUFFIX, ''))) return { status: 'unparsed' };
  return toInteger(numeral[0], suffix === 'k' ? 3 : suffix === 'm' ? 6 : 0);
}

/**
 * @param {string} numeral digits and separators
 * @param {number} exponent of ten that a suffix stands for
 * @returns {MetricReading}
 */
function toInteger(numeral, exponent) {
  const groups = numeral.split(/\D/u);
  const separators = [...numeral.matchAll(/\D/gu)].map(([mark]) => mark);
  if (isGrouped(groups, separators)) {
    const either = exponent > 0 && separators.length === 1 && '.,'.includes(separators[0] ?? '');
    return either ? { status: 'ambiguous' } : exact(groups.join(''), '', exponent);
  }
  if (separators.includes(' ')) return { status: 'ambiguous' };
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
  if (new Set(separators).size > 1 || separators[0] === DECIMAL_ONLY || first.startsWith('0') || last.length !== 3) return false;
  const threes = first.length <= 3 && rest.every((group) => group.length === 3);
  const indian = separators[0] === ',' && first.length <= 2 && rest.length > 0 && rest.every((group) => group.length === 2);
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

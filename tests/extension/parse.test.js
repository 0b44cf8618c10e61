import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, plain } from './content.js';

const { parseCount, studioPulseAdapters } = loadContent();

/** @type {[string, number | string][]} a number is the count, a word the status */
const CASES = [
  ['0', 0],
  ['7', 7],
  ['1,234', 1234],
  ['1.234', 1234],
  ['1 234', 1234],
  ['1\u00a0234', 1234],
  ['1\u202f234', 1234],
  ['1\u2009234', 1234],
  ["1'234", 1234],
  ['1\u2019234', 1234],
  ['1,234,567', 1_234_567],
  ['1.234.567', 1_234_567],
  ['12 345 678', 12_345_678],
  ['1,23,456', 123_456],
  ['1.2k', 1200],
  ['1,2K', 1200],
  ['1.2 k', 1200],
  ['4.35k', 4350],
  ['3M', 3_000_000],
  ['1,234.5k', 1_234_500],
  ['0.5M', 500_000],
  ['12k viewers', 12_000],
  ['USERS (552)', 552],
  ['USERS (1,552)', 1552],
  ['553 tk', 553],
  ['553tk', 553],
  ['58 viewers', 58],
  ['58 espectadores', 58],
  ['58人', 58],
  ['(12)', 12],
  ['\u200e1,234\u200f', 1234],
  ['\u2066552\u2069', 552],
  ['\u061c٥٥٢', 552],
  ['1\u200f,234', 1234],
  ['1.2\u200ek', 1200],
  ['-\u200e5', 'out_of_range'],
  ['١٢٣٤', 1234],
  ['١٬٢٣٤', 1234],
  ['۱۲۳۴', 1234],
  ['۱٬۲۳۴', 1234],
  ['१,२३४', 1234],
  ['１２３', 123],
  ['٫٥', 'unparsed'],
  ['١٫٢٣٤', 'unparsed'],
  ['1٥', 'unparsed'],
  ['᥇', 'unparsed'],
  ['0.3%', 'unparsed'],
  ['30 %', 'unparsed'],
  ['30٪', 'unparsed'],
  ['-5', 'out_of_range'],
  ['\u22125', 'out_of_range'],
  ['', 'missing'],
  ['  \n ', 'missing'],
  ['—', 'missing'],
  ['–', 'missing'],
  ['...', 'missing'],
  ['loading', 'unparsed'],
  ['12 / 500', 'ambiguous'],
  ['12 34', 'ambiguous'],
  ['12\u00a034', 'ambiguous'],
  ['12\n345', 'ambiguous'],
  ['1 234\u00a0567', 'ambiguous'],
  ['12\n500', 'ambiguous'],
  ['3 of 5', 'ambiguous'],
  ['12:30', 'ambiguous'],
  ['1-5', 'ambiguous'],
  ['1.234k', 'ambiguous'],
  ['1,234M', 'ambiguous'],
  ['12.5', 'unparsed'],
  ['12,34', 'unparsed'],
  ['1,234.50', 'unparsed'],
  ['0,123', 'unparsed'],
  ['1.2.3', 'unparsed'],
  ["1'23", 'unparsed'],
  ['1,2345', 'unparsed'],
  ['1.2345k', 'unparsed'],
  ['.5', 'unparsed'],
  ['$5', 'unparsed'],
  ['5 €', 'unparsed'],
  ['99+', 'unparsed'],
  ['1k+', 'unparsed'],
  ['<5', 'unparsed'],
  ['~ 5', 'unparsed'],
  ['#5', 'unparsed'],
  ['v2', 'unparsed'],
  ['1.2B', 'unparsed'],
  ['5T', 'unparsed'],
  ['12 mil', 'unparsed'],
  ['12 тыс.', 'unparsed'],
  ['3万', 'unparsed'],
  ['2 lakh', 'unparsed'],
  ['4294967295', 4_294_967_295],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740993', 'out_of_range'],
  ['9'.repeat(60), 'out_of_range'],
  ['9'.repeat(500), 'unparsed'],
  ['<b onclick=alert(1)>5</b>', 'unparsed'],
  ['alert(1)>', 'unparsed'],
  ['> 5', 'unparsed'],
  ['12 min', 'unparsed'],
  ['12th', 'unparsed'],
  ['12½', 'unparsed'],
  ['…1', 'unparsed'],
  ['1…', 'unparsed'],
  ['Nº 1,234', 'unparsed'],
  ['№ 1,234', 'unparsed'],
  ['1,234 USD', 'unparsed'],
  ['1,234.', 'unparsed'],
  ['12m', 'unparsed'],
  ['12 M.', 'unparsed'],
  ['12K+', 'unparsed'],
  ['12 dozen', 'unparsed'],
  ['12²', 'unparsed'],
  ['1²', 'unparsed'],
  ['x12', 'unparsed'],
  ['12x', 'unparsed'],
  ['USERS (12 mii)', 'unparsed'],
  ['USERS (12 tis.)', 'unparsed'],
  ['USERS (12%)', 'unparsed'],
  ['USERS (12', 'unparsed'],
  ['USERS 12', 'unparsed'],
  ['USERS (1.2k)', 1200],
  ['USERS (12K)', 12_000],
  ['USERS (-5)', 'out_of_range'],
  ['ユーザー（552）', 552],
  ['USUARIOS (1.552)', 1552],
  ['3万人', 'unparsed'],
  ['58人が見ています', 58],
  ['58 人', 58],
  ['58 Zuschauer', 58],
  ['58 зрителей', 58],
  ['1 token', 1],
  ['1,234 tokens', 1234],
  ['\u202e4321', 'unparsed'],
  ['\u202d4321', 'unparsed'],
  ['12\u00ad345', 12_345],
  ['\ue801 1,234', 1234],
  ['\u{1e951}\u{1e952}', 12],
];

for (const [text, expected] of CASES) {
  test(`${JSON.stringify(text).slice(0, 40)} reads as ${expected}`, () => {
    const reading = typeof expected === 'number' ? { status: 'ok', value: expected } : { status: expected };
    assert.deepEqual(plain(parseCount(text)), reading);
  });
}

/** @type {[string, number | string][]} */
const TOTALS = [
  ['12 / 500', 500],
  ['12/500', 500],
  ['2999 / 2999', 2999],
  ['1,200 / 5,000', 5000],
  ['Goal: 1.2k / 3k tokens', 3000],
  ['12 / 0.5', 'unparsed'],
  ['1 / 2 / 3', 'ambiguous'],
  ['553 tk', 'missing'],
  ['Tip Received / Goal:', 'missing'],
  ['12 of 500', 'missing'],
  ['—', 'missing'],
];

for (const [text, expected] of TOTALS) {
  test(`the total of ${JSON.stringify(text)} reads as ${expected}`, () => {
    const reading = typeof expected === 'number' ? { status: 'ok', value: expected } : { status: expected };
    assert.deepEqual(plain(parseCount(text, 'total')), reading);
  });
}

const BALANCE = studioPulseAdapters.flatMap(({ metrics }) => metrics.tokens);

test('a balance is never read from a rounded number, nor from words that are not its unit', () => {
  assert.ok(BALANCE.length > 3);
  for (const { shape, compact } of BALANCE) {
    for (const text of [
      '12.3k',
      '12k',
      '3M',
      '12 mil',
      '12 viewers',
      '58 espectadores',
      'Balance (12)',
      '12人',
      '12 tokens left',
      '12 / 500',
    ]) {
      assert.equal(parseCount(text, 'only', { shape, compact }).value, undefined, text);
    }
    for (const text of ['12,345', '12345', '12 345'])
      assert.equal(parseCount(text, 'only', { shape, compact }).value, 12_345, text);
  }
});

/** The languages of CLDR's modern coverage, with the regions that write numbers in a way of their own. */
const LOCALES =
  `af am ar ar-EG as az be bg bn bs ca ceb chr cs cv cy da de de-AT de-CH dsb dz el en en-IN en-ZA es es-MX et eu fa ff-Adlm fi fil fo fr fr-CA
  fr-CH ga gd gl gsw gu ha he hi hr hsb hu hy ia id ig is it it-CH ja jv ka kk km kn ko kok ks ky lb lo lt lv mai mi mk ml mn mni mr ms my ne nl nn no or pa
  pcm pl ps pt pt-PT qu rm ro ru sat sc sd si sk sl so sq sr sr-Latn su sv sw ta te tg th ti tk to tr tt ug uk ur uz vi wo xh yo yue zh zh-Hant zu ckb`.split(
    /\s+/u,
  );
const AROUND = [
  (number) => number,
  (number) => `USERS (${number})`,
  (number) => `${number} tk`,
  (number) => `${number} espectadores`,
];

test('the ordinary form of a number reads right in every language', () => {
  const wrong = [];
  for (const locale of LOCALES) {
    const { format } = new Intl.NumberFormat(locale);
    for (const value of [0, 7, 552, 1234, 12_345, 123_456, 1_234_567]) {
      const formatted = format(value);
      for (const around of AROUND) {
        const text = around(formatted);
        if (parseCount(text).value !== value)
          wrong.push(`${locale}: ${text} reads as ${JSON.stringify(parseCount(text))}`);
      }
    }
  }
  assert.ok(LOCALES.length >= 98);
  assert.deepEqual(wrong, []);
});

test('the rounded form of a number reads right, or as unreadable, in every language', () => {
  const wrong = [];
  for (const locale of LOCALES) {
    for (const compactDisplay of ['short', 'long']) {
      const { format } = new Intl.NumberFormat(locale, { notation: 'compact', compactDisplay });
      for (const value of [1000, 1234, 10_000, 12_000, 98_765, 1_000_000, 1_200_000, 12_000_000]) {
        const formatted = format(value);
        for (const around of AROUND) {
          const text = around(formatted);
          const read = parseCount(text).value;
          if (read !== undefined && Math.abs(read - value) > value * 0.05)
            wrong.push(`${locale}: ${text} for ${value} reads as ${read}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('no count is invented: every accepted text is a safe, non-negative integer', () => {
  const alphabet = [..."0123459.,' kKmM%-/()٥۵\u202f\u00a0٫٬x"];
  let seed = 42;
  const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648);
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: next() % 9 }, () => alphabet[next() % alphabet.length]).join('');
    const { status, value } = parseCount(text);
    assert.equal(value !== undefined, status === 'ok', text);
    if (status === 'ok') assert.ok(Number.isSafeInteger(value) && value >= 0 && /\p{Nd}/u.test(text), text);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, plain } from './content.js';

const { parseCount } = loadContent();

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
  ['1,234,567', 1234567],
  ['1.234.567', 1234567],
  ['12 345 678', 12345678],
  ['1,23,456', 123456],
  ['1.2k', 1200],
  ['1,2K', 1200],
  ['1.2 k', 1200],
  ['4.35k', 4350],
  ['3M', 3000000],
  ['1,234.5k', 1234500],
  ['0.5M', 500000],
  ['12k viewers', 12000],
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
  ['4294967295', 4294967295],
  ['9007199254740991', 9007199254740991],
  ['9007199254740993', 'out_of_range'],
  ['9'.repeat(60), 'out_of_range'],
  ['9'.repeat(500), 'unparsed'],
  ['<b onclick=alert(1)>5</b>', 'unparsed'],
  ['alert(1)>', 'unparsed'],
  ['> 5', 'unparsed'],
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

test('no count is ever invented: whatever reads ok is a safe whole number, not negative', () => {
  const alphabet = [..."0123459.,' kKmM%-/()٥۵\u202f\u00a0٫٬x"];
  let seed = 42;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2147483648);
  for (let round = 0; round < 20000; round += 1) {
    const text = Array.from({ length: next() % 9 }, () => alphabet[next() % alphabet.length]).join('');
    const { status, value } = parseCount(text);
    assert.equal(value !== undefined, status === 'ok', text);
    if (status === 'ok') assert.ok(Number.isSafeInteger(value) && value >= 0 && /\p{Nd}/u.test(text), text);
  }
});

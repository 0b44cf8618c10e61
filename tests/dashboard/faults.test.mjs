/** The faults of a studio file, in the reader's language. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { faultText } from '../../broadcast_service/dashboard/i18n/faults.js';
import en from '../../broadcast_service/dashboard/i18n/faults_en.js';
import es from '../../broadcast_service/dashboard/i18n/faults_es.js';

const source = readFileSync(new URL('../../shared/studio/faults.py', import.meta.url), 'utf8');
/** The server's codes with their English words. */
const texts = new Map(
  [...source.matchAll(/^ {4}"(\w+)": (?:"(.*)"|'(.*)'),$/gmu)].map(([, code, one, other]) => [
    code ?? '',
    one ?? other ?? '',
  ]),
);
/** @param {string} text */
const valuesIn = (text) => [...text.matchAll(/\{(\w+)\}/gu)].map(([, name]) => name).sort();

test('every code of the server has words in both languages, with the same values', () => {
  assert.ok(texts.size > 30);
  for (const [code, text] of texts) {
    const [english, spanish] = /** @type {string[]} */ ([en, es].map((words) => /** @type {any} */ (words)[code]));
    assert.equal(english, text, code);
    const left = new Set(valuesIn(text).filter((name) => !['of', 'detail'].includes(name ?? ''))); // English words
    assert.deepEqual(new Set(valuesIn(spanish ?? '')), left, code);
    assert.notEqual(spanish, english, code);
  }
  assert.deepEqual(Object.keys(es).sort(), Object.keys(en).sort());
});

test('a fault keeps its file, line and key, and says the correct value and the one in the file', () => {
  const values = { last: '24:00', example: '14:00' };
  const fault = { file: 'studio.toml', line: 14, key: 'shift.end', code: 'time', values };
  const value = (/** @type {string} */ shown) => ({ ...fault, values: { ...values, value: shown } });
  assert.equal(
    faultText(value('"25:00"'), 'en'),
    'studio.toml:14: shift.end should be a time in quotes from "00:00" to "24:00", such as "14:00"; it is "25:00"',
  );
  assert.equal(
    faultText(value('"25:00"'), 'es'),
    'studio.toml:14: shift.end debe ser una hora entre comillas, de "00:00" a "24:00", como "14:00"; dice "25:00"',
  );
  assert.match(faultText(value(''), 'es') ?? '', /; no está$/u);
  assert.match(faultText(value('a table'), 'es') ?? '', /; dice una tabla$/u);
  const file = { file: 'studio.toml', line: null, key: null, code: 'nested', values: {} };
  assert.match(faultText(file, 'es') ?? '', /^studio\.toml: tiene valores/u);
});

test('words of the server are translated, and words of the file are not', () => {
  const values = { name: '"mon"', day: 'mon', time: '06:00' };
  const overlap = { file: 's.toml', line: 2, key: 'shift.start', code: 'overlap', values };
  assert.match(faultText(overlap, 'es') ?? '', /se cruza con "mon" \(lunes, desde las 06:00\)/u);
  const none = { file: 's.toml', line: 2, key: 'target', code: 'no_shift', values: { known: 'none' } };
  assert.match(faultText(none, 'es') ?? '', /los turnos son: ninguno$/u);
});

test('a code of a newer server has no words here', () =>
  assert.equal(faultText({ file: 'a', line: 1, key: 'b', code: 'newer', values: {} }, 'es'), null));

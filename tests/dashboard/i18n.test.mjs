import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Speech, chooseLanguage } from '../../broadcast_service/dashboard/i18n.js';
import en from '../../broadcast_service/dashboard/locales/en.js';
import es from '../../broadcast_service/dashboard/locales/es.js';

test('both languages say the same things with the same blanks', () => {
  const blanks = (/** @type {any} */ words) => Object.fromEntries(Object.entries(words).map(([name, text]) =>
    [name, [...new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? [])].sort()]));
  assert.deepEqual(blanks(es), blanks(en));
});

test('the first language we speak wins', () => {
  assert.equal(chooseLanguage(['fr', 'es-MX', 'en']), 'es');
  assert.equal(chooseLanguage(['fr']), 'en');
});

test('a regional variant decides how numbers look', () => {
  assert.equal(new Speech('es', ['es-MX']).number(12345), '12,345');
  assert.equal(new Speech('es', ['es-CO']).number(12345), '12.345');
});

test('plurals and unknown numbers are spelled out', () => {
  const speech = new Speech('en');
  assert.equal(speech.say('shown', { count: 1 }), '1 room');
  assert.equal(speech.say('shown', { count: 1200 }), '1,200 rooms');
  assert.equal(speech.number(null), '—');
});

test('a time that ends in a dot needs no second one', () => {
  assert.equal(new Speech('es').say('expiring', { time: '10:52 p. m.' }), 'Tu acceso termina a las 10:52 p. m.');
});

test('ages are told in the unit a person would use', () => {
  const speech = new Speech('en');
  assert.deepEqual([0.4, 3, 90, 7200, 200_000].map((age) => speech.age(age)), ['now', '3 sec ago', '1 min ago', '2 hr ago', '2 days ago']);
});

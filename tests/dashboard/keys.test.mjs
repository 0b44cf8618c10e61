import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matching, plain } from '../../broadcast_service/dashboard/state/commands.js';
import { KeyReader } from '../../broadcast_service/dashboard/state/keys.js';

const press = (/** @type {string} */ key, /** @type {object} */ held = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...held,
});
/** @param {(string | [string, object])[]} keys @param {{typing?: boolean, everyMs?: number}} [how] */
function read(keys, { typing = false, everyMs = 100 } = {}) {
  const reader = new KeyReader();
  return keys.map((key, i) => reader.read(typeof key === 'string' ? press(key) : press(...key), typing, i * everyMs));
}

test('each key has one meaning, and two keys make a pair', () => {
  assert.deepEqual(read(['/', 'j', 'k', 'w', 'c', 'x']), ['search', 'next', 'previous', 'wall', 'copy', null]);
  assert.deepEqual(read(['g', 'l', 'g', 'a', 'l']), [null, 'live', null, 'analytics', null]);
  assert.deepEqual(read(['G', 'L']), [null, 'live']);
});

test('a pair that was not finished is forgotten', () => {
  assert.deepEqual(read(['g', 'l'], { everyMs: 2000 }), [null, null]);
  assert.deepEqual(read(['g', 'x', 'l']), [null, null, null]);
  assert.deepEqual(read(['g', 'Escape', 'l']), [null, null, null]);
  assert.deepEqual(read(['g', 'g', 'l']), [null, null, null]);
});

test('within a field keys are letters, but the palette opens from everywhere', () => {
  assert.deepEqual(read(['/', 'j', ['k', { ctrlKey: true }], ['K', { metaKey: true }]], { typing: true }), [
    null,
    null,
    'palette',
    'palette',
  ]);
});

test('with Ctrl, Cmd or Alt a key belongs to the browser', () => {
  for (const held of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }])
    assert.deepEqual(
      read([
        ['w', held],
        ['/', held],
        ['j', held],
      ]),
      [null, null, null],
    );
});

test('a key that is held down moves on, and switches nothing on and off', () =>
  assert.deepEqual(
    read([
      ['j', { repeat: true }],
      ['w', { repeat: true }],
    ]),
    ['next', null],
  ));

const choices = ['Modo TV', 'Tema oscuro', 'Ir a Análisis', 'Ordenar por tamaño', 'vip-3 (camsoda)'].map((label) => ({
  label,
  value: label,
}));
const found = (/** @type {string} */ query, limit = 9) => matching(choices, query, limit).map(({ label }) => label);

test('a few letters find a command, with or without accents and capitals', () => {
  assert.deepEqual(found('ANALISIS'), ['Ir a Análisis']);
  assert.deepEqual(found('tamano'), ['Ordenar por tamaño']);
  assert.deepEqual(found('mtv'), ['Modo TV']);
  assert.deepEqual(found('mv'), []);
  assert.deepEqual(found('zzz'), []);
  assert.equal(plain('ÁÑü'), 'anu');
});

test('the beginning is a better match than the middle, and equal matches keep their order', () => {
  assert.deepEqual(
    found('t'),
    ['Tema oscuro', 'Modo TV', 'Ordenar por tamaño', 'Ir a Análisis'].filter((label) => found('t').includes(label)),
  );
  assert.equal(found('t')[0], 'Tema oscuro');
  assert.deepEqual(found('', 2), ['Modo TV', 'Tema oscuro']);
});

test('what means something in a pattern is a letter here', () => {
  assert.deepEqual(found('(cam'), ['vip-3 (camsoda)']);
  assert.deepEqual(found('.*'), []);
});

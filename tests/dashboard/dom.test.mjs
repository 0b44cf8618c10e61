import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOfName, setText } from '../../broadcast_service/dashboard/ui/dom.js';

test('a long name keeps its last word in view, and a long last word its last letters', () => {
  assert.deepEqual(partsOfName('Amber Blue 1'), ['Amber Blue', ' 1']);
  assert.deepEqual(partsOfName('Amber Blue 2'), ['Amber Blue', ' 2']);
  assert.deepEqual(partsOfName('sala_norte-12'), ['sala_norte', '-12']);
  assert.deepEqual(partsOfName('Valentina Rossi'), ['Valentina', ' Rossi']);
  assert.deepEqual(partsOfName('Sala Constantinopla'), ['Sala Constantin', 'opla']);
  assert.deepEqual(partsOfName('AmberBlue1'), ['AmberB', 'lue1']);
});

test('a short name has one part, and the parts of every name are the name', () => {
  assert.deepEqual(partsOfName('Ana 12'), ['Ana 12', '']);
  assert.deepEqual(partsOfName(''), ['', '']);
  for (const name of [
    'Amber Blue 1',
    'W'.repeat(64),
    'a-b',
    'ñandú-ñandú',
    '😀😀😀😀😀😀😀😀',
    '- - - - - - -',
    'ends with ',
  ])
    assert.equal(partsOfName(name).join(''), name);
  assert.deepEqual(partsOfName('😀😀😀😀😀😀😀😀'), ['😀😀😀😀', '😀😀😀😀'], 'no letter is cut in two');
});

test('a line may end with the dot between two parts and never begins with it', () => {
  const element = /** @type {Element} */ (/** @type {unknown} */ ({ textContent: '' }));
  setText(element, '3 rooms · 1 off air · 2 stale');
  assert.equal(element.textContent, '3 rooms\u00a0· 1 off air\u00a0· 2 stale');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageOf } from '../../broadcast_service/dashboard/storage.js';
import { findToken, forgetToken, tidy } from '../../broadcast_service/dashboard/token.js';

/** @param {string} hash @param {string | null} [stored] */
function placeOf(hash, stored = null) {
  /** @type {string[]} */
  const urls = [];
  const kept = { value: stored };
  const storage = {
    getItem: () => kept.value,
    setItem: (/** @type {string} */ _, /** @type {string} */ value) => { kept.value = value; },
    removeItem: () => { kept.value = null; },
  };
  return { place: { location: { hash, pathname: '/', search: '?q=a' }, history: { replaceState: (/** @type {any} */ _, /** @type {string} */ __, /** @type {string} */ url) => { urls.push(url); } }, storage }, urls, kept };
}

test('a token in the fragment is kept and leaves the address bar', () => {
  const { place, urls, kept } = placeOf('#token=aa.bb.cc');
  assert.equal(findToken(place), 'aa.bb.cc');
  assert.deepEqual(urls, ['/?q=a']);
  assert.equal(kept.value, 'aa.bb.cc');
});

test('without a fragment the kept token is used', () => {
  assert.equal(findToken(placeOf('', 'aa.bb.cc').place), 'aa.bb.cc');
});

test('signing out forgets the token', () => {
  const { place, kept } = placeOf('', 'aa.bb.cc');
  forgetToken(place);
  assert.equal(kept.value, null);
});

test('what people paste is tidied, and what is no token is refused', () => {
  assert.equal(tidy(' Bearer aa.b\nb.cc '), 'aa.bb.cc');
  assert.equal(tidy('http://localhost:8002/#token=aa.bb.cc'), 'aa.bb.cc');
  assert.equal(tidy('hello'), '');
});

test('a browser that blocks storage still has it for as long as the page', () => {
  const kept = storageOf(() => { throw new DOMException('blocked', 'SecurityError'); });
  kept.setItem('a', '1');
  assert.equal(kept.getItem('a'), '1');
  kept.removeItem('a');
  assert.equal(kept.getItem('a'), null);
});

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
    survives: () => true,
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

test('what first.js took out of the address is kept, and is older than a fragment of now', () => {
  const { place, kept } = placeOf('', 'old.old.old');
  assert.equal(findToken(place, 'aa.bb.cc'), 'aa.bb.cc');
  assert.equal(kept.value, 'aa.bb.cc');
  assert.equal(findToken(placeOf('#token=dd.ee.ff').place, 'aa.bb.cc'), 'dd.ee.ff');
  assert.equal(findToken(placeOf('', 'old.old.old').place, 'no token'), 'old.old.old');
});

test('what is no token leaves the address too, and is not kept', () => {
  const { place, urls, kept } = placeOf('#token=hello');
  assert.equal(findToken(place), null);
  assert.deepEqual(urls, ['/?q=a']);
  assert.equal(kept.value, null);
});

const refuse = () => { throw new DOMException('no', 'QuotaExceededError'); };
/** Storage as odd browsers have it. @type {Record<string, () => any>} */
const ODD = {
  'reading the property throws': refuse,
  'it is null': () => null,
  'it is undefined': () => undefined,
  'everything throws': () => ({ getItem: refuse, setItem: refuse, removeItem: refuse }),
  'getItem throws': () => ({ getItem: refuse, setItem: () => {}, removeItem: () => {} }),
  'setItem throws': () => ({ getItem: () => null, setItem: refuse, removeItem: () => {} }),
  'setItem forgets': () => ({ getItem: () => null, setItem: () => {}, removeItem: () => {} }),
  'getItem gives undefined': () => ({ getItem: () => undefined, setItem: () => {}, removeItem: () => {} }),
  'it has no methods': () => ({}),
};
for (const [name, open] of Object.entries(ODD)) {
  test(`memory takes the place of a storage where ${name}`, () => {
    const kept = storageOf(open);
    assert.equal(kept.getItem('a'), null);
    kept.setItem('a', '1');
    assert.equal(kept.getItem('a'), '1');
    assert.equal(kept.survives('a'), false);
    kept.removeItem('a');
    assert.equal(kept.getItem('a'), null);
  });
}

test('a value that the storage stops taking is the new one from then on, and a removal that it refuses holds', () => {
  let isFull = false;
  const values = new Map();
  const kept = storageOf(() => /** @type {any} */ ({
    getItem: (/** @type {string} */ key) => values.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => { if (isFull) refuse(); values.set(key, value); },
    removeItem: refuse,
  }));
  kept.setItem('a', '1');
  assert.equal(kept.survives('a'), true);
  isFull = true;
  kept.setItem('a', '2');
  assert.deepEqual([kept.getItem('a'), kept.survives('a')], ['2', false]);
  kept.removeItem('a');
  assert.equal(kept.getItem('a'), null);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clearToken,
  initialLink,
  normalizeToken,
  saveToken,
  storedToken,
  takeLink,
} from '../../broadcast_service/dashboard/link/token.js';
import { storageOf } from '../../broadcast_service/dashboard/state/storage.js';

/** @param {string} hash @param {string | null} [stored] */
function placeOf(hash, stored = null) {
  /** @type {string[]} */
  const urls = [];
  const kept = { value: stored };
  const storage = {
    getItem: () => kept.value,
    setItem: (/** @type {string} */ _, /** @type {string} */ value) => {
      kept.value = value;
    },
    removeItem: () => {
      kept.value = null;
    },
    survives: () => true,
  };
  return {
    place: {
      location: { hash, pathname: '/', search: '?q=a' },
      history: {
        replaceState: (/** @type {any} */ _, /** @type {string} */ __, /** @type {string} */ url) => {
          urls.push(url);
        },
      },
      storage,
    },
    urls,
    kept,
  };
}

test('a link in the fragment leaves the address bar, and nothing of it is kept yet', () => {
  for (const [hash, link] of /** @type {const} */ ([
    ['#token=aa.bb.cc', { kind: 'token', value: 'aa.bb.cc' }],
    ['#code=a_b-C9', { kind: 'code', value: 'a_b-C9' }],
    ['#pair=ACDEFG', { kind: 'pair', value: 'ACDEFG' }],
    ['#x=1&token=aa.bb.cc', { kind: 'token', value: 'aa.bb.cc' }],
    ['#token=hello', { kind: 'token', value: '' }],
    ['#code=<b>', { kind: 'code', value: '' }],
    [`#code=${'a'.repeat(65)}`, { kind: 'code', value: '' }],
  ])) {
    const { place, urls, kept } = placeOf(hash);
    assert.deepEqual(takeLink(place), link);
    assert.deepEqual(urls, ['/?q=a']);
    assert.equal(kept.value, null);
  }
});

test('a fragment that brings nothing stays where it is', () => {
  for (const hash of ['', '#', '#rooms', '#tokens=1']) {
    const { place, urls } = placeOf(hash);
    assert.equal(takeLink(place), null);
    assert.deepEqual(urls, []);
  }
});

test('what first.js took out of the address is used once, and is older than a fragment of now', () => {
  const { place, kept } = placeOf('', '#code=from-storage');
  assert.deepEqual(initialLink(place, '#code=from-memory'), { kind: 'code', value: 'from-memory' });
  assert.equal(kept.value, null);
  assert.deepEqual(initialLink(placeOf('', '#code=from-storage').place, ''), { kind: 'code', value: 'from-storage' });
  assert.deepEqual(initialLink(placeOf('#token=dd.ee.ff').place, '#code=older'), { kind: 'token', value: 'dd.ee.ff' });
  assert.equal(initialLink(placeOf('').place, ''), null);
});

test('the stored token is found again, and a signed-in screen has none', () => {
  const { place } = placeOf('', 'aa.bb.cc');
  assert.equal(storedToken(place), 'aa.bb.cc');
  saveToken(place, '');
  assert.equal(storedToken(place), null);
});

test('signing out forgets the token', () => {
  const { place, kept } = placeOf('', 'aa.bb.cc');
  clearToken(place);
  assert.equal(kept.value, null);
});

test('a pasted token is normalized, and other text is refused', () => {
  assert.equal(normalizeToken(' Bearer aa.b\nb.cc '), 'aa.bb.cc');
  assert.equal(normalizeToken('http://localhost:8002/#token=aa.bb.cc'), 'aa.bb.cc');
  assert.equal(normalizeToken('hello'), '');
});

const refuse = () => {
  throw new DOMException('no', 'QuotaExceededError');
};
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
  const kept = storageOf(
    () =>
      /** @type {any} */ ({
        getItem: (/** @type {string} */ key) => values.get(key) ?? null,
        setItem: (/** @type {string} */ key, /** @type {string} */ value) => {
          if (isFull) refuse();
          values.set(key, value);
        },
        removeItem: refuse,
      }),
  );
  kept.setItem('a', '1');
  assert.equal(kept.survives('a'), true);
  isFull = true;
  kept.setItem('a', '2');
  assert.deepEqual([kept.getItem('a'), kept.survives('a')], ['2', false]);
  kept.removeItem('a');
  assert.equal(kept.getItem('a'), null);
});

/**
 * Makes IndexedDB in memory faster, for tests with thousands of readings: records are walked with one stack, where the
 * package nests a generator per level of its tree and hands each record through all of them; a cursor goes down the tree
 * to its next record, where the package walks its range from the beginning for each; and a record is found by its key
 * without a range.
 */
import FDBCursor from '../../node_modules/fake-indexeddb/build/esm/FDBCursor.js';
import BinarySearchTree from '../../node_modules/fake-indexeddb/build/esm/lib/binarySearchTree.js';
import { cmpKeys } from '../../node_modules/fake-indexeddb/build/esm/lib/cmp.js';
import RecordStore from '../../node_modules/fake-indexeddb/build/esm/lib/RecordStore.js';

const EVERYTHING = { lowerOpen: true, upperOpen: true };

/** @typedef {{ lower?: unknown, upper?: unknown, lowerOpen: boolean, upperOpen: boolean }} Range */

/** Whether a key lies before the range (-2), at its open lower bound (-1), within (0), at its open upper bound (1) or after (2). */
function side(key, /** @type {Range} */ { lower, upper, lowerOpen, upperOpen }) {
  const fromLower = lower === undefined ? 1 : cmpKeys(key, lower);
  if (fromLower < 0 || (fromLower === 0 && lowerOpen)) return fromLower === 0 ? -1 : -2;
  const fromUpper = upper === undefined ? -1 : cmpKeys(key, upper);
  return fromUpper > 0 || (fromUpper === 0 && upperOpen) ? (fromUpper === 0 ? 1 : 2) : 0;
}

/** @param {Range} range @param {boolean} [descending] */
BinarySearchTree.prototype.getRecords = function* getRecords(range, descending = false) {
  const [start, end] = descending ? ['right', 'left'] : ['left', 'right'];
  const ahead = descending ? 1 : -1;
  const stack = [];
  for (let node = this._root; node || stack.length > 0; ) {
    while (node) {
      const at = side(node.record.key, range);
      stack.push([node, at]);
      node = at * ahead === 2 ? undefined : node[start];
    }
    const [next, at] = stack.pop();
    if (at === 0 && !next.deleted) yield next.record;
    node = at * ahead === -2 ? undefined : next[end];
  }
};

const get = RecordStore.prototype.get;

/** @param {unknown} key or a range */
RecordStore.prototype.get = function getByKey(key) {
  return this.keysAreUnique && Array.isArray(key) ? present(this.records._root, key) : get.call(this, key);
};

/** The record of a tree of unique keys that has this one. */
function present(root, key) {
  for (let node = root; node; ) {
    const order = cmpKeys(key, node.record.key);
    if (order === 0) return node.deleted ? undefined : node.record;
    node = order < 0 ? node.left : node.right;
  }
}

/** The first record that is at or beyond a place, in a cursor's direction. @param {(record: object) => boolean} isBehind */
function firstBeyond(root, isDescending, isBehind) {
  const [near, far] = isDescending ? ['right', 'left'] : ['left', 'right'];
  const passed = [];
  for (let node = root; node; ) {
    if (isBehind(node.record)) node = node[far];
    else {
      passed.push(node);
      node = node[near];
    }
  }
  // Deleted records stay in the tree for a while.
  while (passed.length > 0) {
    const node = passed.pop();
    if (!node.deleted) return node.record;
    for (let next = node[far]; next; next = next[near]) passed.push(next);
  }
}

const iterate = FDBCursor.prototype._iterate;

/** @param {unknown} [key] the first key to consider, if not the position @param {unknown} [primaryKey] */
FDBCursor.prototype._iterate = function _iterate(key, primaryKey) {
  if (primaryKey !== undefined || !['next', 'prev'].includes(this.direction))
    return iterate.call(this, key, primaryKey);
  const range = this._range ?? EVERYTHING;
  const position = this._position;
  const store = this._source._rawObjectStore;
  const isDescending = this.direction === 'prev';
  const [behind, beyond] = isDescending ? [1, -1] : [-1, 1];
  const isBehind = (/** @type {{ key: unknown, value: unknown }} */ record) => {
    if (side(record.key, range) * behind > 0) return true;
    if (key !== undefined && cmpKeys(record.key, key) === behind) return true;
    if (position === undefined) return false;
    const order = cmpKeys(record.key, position);
    return order === 0 ? !!store || cmpKeys(record.value, this._objectStorePosition) !== beyond : order === behind;
  };
  const nearest = firstBeyond((store ?? this._source._rawIndex).records.records._root, isDescending, isBehind);
  const found = nearest && side(nearest.key, range) === 0 ? nearest : undefined;
  this._key = found?.key;
  if (!store) this._objectStorePosition = found?.value;
  if (found) {
    this._position = found.key;
    this._primaryKey = structuredClone(store ? found.key : found.value);
    this._gotValue = true;
  }
  if (!this._keyOnly && this.toString() === '[object IDBCursorWithValue]') {
    const from = store ?? this._source.objectStore._rawObjectStore;
    this.value = found && from.getValue(store ? found.key : found.value);
  }
  return found ? this : null;
};

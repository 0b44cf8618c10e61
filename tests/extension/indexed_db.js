/**
 * Makes IndexedDB in memory faster, for tests with thousands of readings: records are walked with one stack, where the
 * package nests a generator per level of its tree and hands each record through all of them; and a cursor looks for its
 * next record from its position on, where the package walks its range from the beginning for each record.
 */
import FDBCursor from '../../node_modules/fake-indexeddb/build/esm/FDBCursor.js';
import FDBKeyRange from '../../node_modules/fake-indexeddb/build/esm/FDBKeyRange.js';
import BinarySearchTree from '../../node_modules/fake-indexeddb/build/esm/lib/binarySearchTree.js';
import { cmpKeys } from '../../node_modules/fake-indexeddb/build/esm/lib/cmp.js';

/** @param {{ lower: unknown, upper: unknown, lowerOpen: boolean, upperOpen: boolean }} range @param {boolean} [descending] */
BinarySearchTree.prototype.getRecords = function* getRecords(
  { lower, upper, lowerOpen, upperOpen },
  descending = false,
) {
  /** @param {{ record: { key: unknown } }} node whether it lies before, within or after the range */
  const side = ({ record: { key } }) => {
    const fromLower = lower === undefined ? 1 : cmpKeys(key, lower);
    if (fromLower < 0 || (fromLower === 0 && lowerOpen)) return fromLower === 0 ? -1 : -2;
    const fromUpper = upper === undefined ? -1 : cmpKeys(key, upper);
    return fromUpper > 0 || (fromUpper === 0 && upperOpen) ? (fromUpper === 0 ? 1 : 2) : 0;
  };
  const [start, end] = descending ? ['right', 'left'] : ['left', 'right'];
  const ahead = descending ? 1 : -1;
  const stack = [];
  for (let node = this._root; node || stack.length > 0; ) {
    while (node) {
      const at = side(node);
      stack.push([node, at]);
      node = at * ahead === 2 ? undefined : node[start];
    }
    const [next, at] = stack.pop();
    if (at === 0 && !next.deleted) yield next.record;
    node = at * ahead === -2 ? undefined : next[end];
  }
};

/** A range of a cursor, whose records all have keys that are known to be valid. */
class ValidRange extends FDBKeyRange {
  includes(key) {
    const fromLower = this.lower === undefined ? 1 : cmpKeys(key, this.lower);
    const fromUpper = this.upper === undefined ? -1 : cmpKeys(key, this.upper);
    return (
      (fromLower > 0 || (fromLower === 0 && !this.lowerOpen)) && (fromUpper < 0 || (fromUpper === 0 && !this.upperOpen))
    );
  }
}

const iterate = FDBCursor.prototype._iterate;

/** @param {unknown} [key] the first key to consider, if not the position @param {unknown} [primaryKey] */
FDBCursor.prototype._iterate = function _iterate(key, primaryKey) {
  const range = this._range;
  const from = key ?? this._position;
  const isDescending = this.direction.startsWith('prev');
  const { lower, lowerOpen, upper, upperOpen } = range ?? { lowerOpen: true, upperOpen: true };
  if (from === undefined) this._range = new ValidRange(lower, upper, lowerOpen, upperOpen);
  else if (isDescending) this._range = new ValidRange(lower, from, lowerOpen, false);
  else this._range = new ValidRange(from, upper, false, upperOpen);
  try {
    return iterate.call(this, key, primaryKey);
  } finally {
    this._range = range;
  }
};

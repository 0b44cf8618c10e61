import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrange, readFilters, writeFilters } from '../../broadcast_service/dashboard/state/filters.js';
import { longestIncreasing } from '../../broadcast_service/dashboard/ui/reconcile.js';

const feeds = /** @type {import('../../broadcast_service/dashboard/state/store.js').Feed[]} */ (
  /** @type {unknown} */ ([
    { key: 'a', room: 'vip-10', platform: 'camsoda', tokens: 5, viewers: null },
    { key: 'b', room: 'vip-9', platform: 'stripchat', tokens: 9, viewers: 3 },
    { key: 'c', room: 'Blue', platform: 'camsoda', tokens: 5, viewers: 8 },
  ])
);
/** @param {string} query */
const keysFor = (query) =>
  arrange(
    feeds,
    readFilters(new URLSearchParams(query)),
    () => 'live',
    () => 0,
    () => 0,
  ).map(({ id, keys }) => [id, ...keys]);

test('names sort as people count', () => assert.deepEqual(keysFor(''), [['', 'c', 'b', 'a']]));
test('search ignores case and blanks around it', () => assert.deepEqual(keysFor('q=%20BLU'), [['', 'c']]));
test('a platform filter keeps that platform', () => assert.deepEqual(keysFor('platform=stripchat'), [['', 'b']]));
test('equal values fall back to the name', () => assert.deepEqual(keysFor('sort=tokens'), [['', 'b', 'c', 'a']]));
test('unknown values sort last', () => assert.deepEqual(keysFor('sort=viewers'), [['', 'c', 'b', 'a']]));
test('groups are named by the value that their feeds share', () =>
  assert.deepEqual(keysFor('group=prefix'), [
    ['', 'c'],
    ['vip', 'b', 'a'],
  ]));
test('an order can be turned round', () => {
  assert.deepEqual(keysFor('sort=-viewers'), [['', 'a', 'b', 'c']]);
  assert.deepEqual(keysFor('sort=-name'), [['', 'a', 'b', 'c']]);
  assert.equal(readFilters(new URLSearchParams('sort=-evil')).sort, 'name');
});
test('a sort that does not exist is the default', () =>
  assert.equal(readFilters(new URLSearchParams('sort=evil')).sort, 'name'));

test('filters survive the address bar and leave the rest of the query alone', () => {
  const filters = { search: 'a b', platform: 'camsoda', status: 'stale', group: 'platform', sort: 'tips' };
  const query = new URLSearchParams('wall=1');
  writeFilters(filters, query);
  assert.deepEqual(readFilters(new URLSearchParams(query.toString())), filters);
  assert.equal(query.get('wall'), '1');
});

test('a reorder keeps the longest run in place', () => {
  assert.deepEqual([...longestIncreasing([3, 0, 1, -1, 2])].sort(), [1, 2, 4]);
  assert.equal(longestIncreasing([]).size, 0);
});

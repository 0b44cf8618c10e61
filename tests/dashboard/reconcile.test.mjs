import assert from 'node:assert/strict';
import { test } from 'node:test';
import { successorOf } from '../../broadcast_service/dashboard/ui/reconcile.js';

test('a link that is still there is its own successor, wherever its row has moved', () => {
  assert.equal(successorOf(['a', 'b', 'c'], 0, ['c', 'b', 'a']), 2);
  assert.equal(successorOf(['a', 'b'], 1, ['new', 'a', 'b']), 2);
});

test('of several links with one address each has the one in its own column', () => {
  assert.equal(successorOf(['a', 'a', 'b', 'b'], 3, ['b', 'b', 'a', 'a']), 1);
  assert.equal(successorOf(['a', 'a'], 0, ['a', 'a']), 0);
});

test('a link with another address is found by its place from the end: new rows come first', () => {
  assert.equal(successorOf(['open 1', 'old'], 0, ['open 2', 'old']), 0);
  assert.equal(successorOf(['open 1', 'old'], 0, ['open 2', 'closed', 'old']), 1);
});

test('a link whose row is gone has none before the first', () => {
  assert.equal(['only'][successorOf(['gone', 'only'], 0, ['only'])], undefined);
  assert.equal([][successorOf(['gone'], 0, [])], undefined);
});

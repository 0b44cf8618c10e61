import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from '../../broadcast_service/dashboard/ui/slices.js';

test('a round is done part by part, in order, and then it is over', () => {
  const slices = new Slices(2);
  slices.begin(['a', 'b', 'c']);
  assert.deepEqual(
    [slices.next(), slices.busy, slices.next(), slices.busy, slices.next()],
    [['a', 'b'], true, ['c'], false, []],
  );
});

test('a page that cannot keep up reaches every room all the same, and does none twice', () => {
  const slices = new Slices(2);
  const reached = new Set();
  for (let round = 0; round < 3; round++) {
    slices.begin(['a', 'b', 'c', 'd', 'e']);
    for (const key of slices.next()) reached.add(key);
  }
  assert.deepEqual([...reached].sort(), ['a', 'b', 'c', 'd', 'e']);
  const rest = [];
  while (slices.busy) rest.push(...slices.next());
  assert.equal(new Set(rest).size, rest.length);
});

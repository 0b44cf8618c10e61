import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hrefOf, readRoute } from '../../broadcast_service/dashboard/router.js';

test('a link to a room reads back as that room', () => {
  const route = /** @type {const} */ ({ view: 'room', room: 'vip 1', platform: 'camsoda' });
  assert.deepEqual(readRoute(new URLSearchParams(hrefOf(route, '?q=vip'))), route);
});

test('another view keeps the filters and drops what belongs to the old one', () => {
  assert.equal(hrefOf({ view: 'analytics' }, '?q=vip&view=room&room=a&on=b&period=week'), '?q=vip&view=analytics');
  assert.equal(hrefOf({ view: 'live' }, '?view=analytics&of=camsoda'), './');
});

test('an address that names no room shows the live view', () => {
  assert.deepEqual(readRoute(new URLSearchParams('view=room&room=a')), { view: 'live' });
  assert.deepEqual(readRoute(new URLSearchParams('view=evil')), { view: 'live' });
});

test('a link to the explanation of a figure reads back as the same span', () => {
  const route = /** @type {const} */ ({
    view: 'why',
    room: 'vip 1',
    platform: 'camsoda',
    from: 1_764_000_000,
    to: 1_764_003_600,
  });
  const href = hrefOf(route, '?q=vip&view=analytics&period=week');
  assert.deepEqual(readRoute(new URLSearchParams(href)), route);
  assert.equal(hrefOf({ view: 'analytics' }, href), '?q=vip&view=analytics');
});

test('a span that is none shows the live view', () => {
  for (const span of [
    '',
    'from=5',
    'from=5&to=5',
    'from=9&to=5',
    'from=x&to=9',
    'from=-1&to=9',
    'from=1&to=1e9',
    'from=1&to=999999999999',
  ])
    assert.deepEqual(readRoute(new URLSearchParams(`view=why&room=a&on=b&${span}`)), { view: 'live' }, span);
});

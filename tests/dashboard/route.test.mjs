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

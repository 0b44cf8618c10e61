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

test('a link to a report carries its period, dates and filter, and one to a room its part of the time', () => {
  for (const query of [
    'view=analytics&period=today',
    'view=analytics&period=week&back=2&of=camsoda&by=account',
    'view=analytics&period=range&from=2026-11-01&to=2026-11-15',
    'view=room&room=vip+1&on=camsoda&period=week',
    'view=room&room=vip+1&on=camsoda&period=day&from=1764000000&to=1764003600',
  ])
    assert.equal(hrefOf(readRoute(new URLSearchParams(query)), ''), `?${query}`);
});

test('of one view nothing stays in the address of the next, and the filters of the live view do', () => {
  const pages = [
    { view: 'live' },
    { view: 'analytics', asked: { period: 'month', of: 'x', by: 'account', back: '1' } },
    { view: 'room', room: 'a', platform: 'x', asked: { period: 'day', from: '60', to: '120' } },
    { view: 'why', room: 'a', platform: 'x', from: 60, to: 120, account: 'ana' },
    { view: 'sum', from: 60, to: 120, feeds: 'x*a*b', platform: 'x', account: 'ana' },
  ];
  for (const one of /** @type {import('../../broadcast_service/dashboard/router.js').Route[]} */ (pages))
    for (const next of /** @type {import('../../broadcast_service/dashboard/router.js').Route[]} */ (pages)) {
      const href = hrefOf(next, new URL(hrefOf(one, '?q=vip&sort=earned'), 'https://studio.example/').search);
      const url = new URL(href, 'https://studio.example/');
      assert.deepEqual(readRoute(url.searchParams, url.hash), next);
      assert.match(href, /q=vip&sort=earned/u);
    }
});

test('a link to the reasons of an account keeps it, also the one of readings without an account', () => {
  for (const account of ['ana', '']) {
    const route = /** @type {const} */ ({ view: 'why', room: 'a', platform: 'x', from: 60, to: 120, account });
    assert.deepEqual(readRoute(new URLSearchParams(hrefOf(route, ''))), route);
  }
});

test('a sum without a span shows the live view', () => {
  for (const query of ['view=sum', 'view=sum&from=5&to=5', 'view=sum&from=x&to=9', 'view=why&from=1&to=9'])
    assert.deepEqual(readRoute(new URLSearchParams(query)), { view: 'live' }, query);
});

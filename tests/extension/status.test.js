import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  advanceHealth,
  badgeFor,
  brokenReadings,
  connectionOf,
  endsSoon,
  initialBoard,
  mayReport,
} from '../../extension/worker/status.js';

const NOW = 1_764_000_000_000;
const READY = { ...initialBoard(), configured: true, access: true };

/** @param {string[]} statuses @param {string} metric */
const healthAfter = (statuses, metric = 'viewers') =>
  statuses.reduce((health, status) => advanceHealth(health, { [metric]: { status } }), {})[metric];

/** @param {number} count @param {string} status */
const times = (count, status) => new Array(count).fill(status);

test('five failures in a row are not yet broken, the sixth is', () => {
  assert.equal(healthAfter(times(5, 'missing')).broken, false);
  assert.equal(healthAfter(times(6, 'missing')).broken, true);
});

test('a success in between starts the count anew', () => {
  assert.equal(healthAfter([...times(5, 'unparsed'), 'ok', ...times(5, 'unparsed')]).broken, false);
});

test('one success does not mend, two do', () => {
  const broken = times(6, 'ambiguous');
  assert.equal(healthAfter([...broken, 'ok']).broken, true);
  assert.equal(healthAfter([...broken, 'ok', 'hidden', 'ok']).broken, true);
  assert.equal(healthAfter([...broken, 'ok', 'ok']).broken, false);
});

for (const status of ['missing', 'unparsed', 'hidden', 'ambiguous', 'out_of_range']) {
  test(`${status} is a failure`, () => assert.equal(healthAfter(times(6, status)).broken, true));
}

test('a goal on the page is a suggestion and cannot break', () => {
  assert.equal(healthAfter(times(9, 'missing'), 'goal').broken, false);
});

test('of two tabs the first speaks until it has been silent for three intervals', () => {
  const current = { tabId: 1, readAt: NOW };
  assert.deepEqual(
    [
      mayReport(undefined, 2, NOW),
      mayReport(current, 1, NOW + 1),
      mayReport(current, 2, NOW + 15_000),
      mayReport(current, 2, NOW + 15_001),
    ],
    [true, true, false, true],
  );
});

test('a tab that cannot read its balance gives way to one that can, and does not get the lead back', () => {
  const blind = { tabId: 1, readAt: NOW, metrics: { tokens: { status: 'unparsed' } } };
  const sees = { tokens: { status: 'ok', value: 5 } };
  assert.equal(mayReport(blind, 2, NOW, sees), true);
  assert.equal(mayReport(blind, 2, NOW, { tokens: { status: 'missing' } }), false);
  assert.equal(mayReport({ tabId: 2, readAt: NOW, metrics: sees }, 1, NOW, sees), false);
  assert.equal(mayReport({ ...blind, metrics: { tokens: { status: 'unsettled' } } }, 2, NOW, sees), false);
});

test('a key that ends within a week is named', () => {
  const DAY = 86_400_000;
  assert.deepEqual(
    [8, 7, 1, -1].map((days) => endsSoon({ ...READY, expiresAt: NOW + days * DAY }, NOW)),
    [false, true, true, false],
  );
  assert.equal(endsSoon(READY, NOW), false);
});

test('the words of a badge are the browser’s', () => {
  assert.equal(badgeFor(initialBoard(), NOW, (key) => `es ${key}`).text, 'es badge_setup');
});

const SEEN = { tabId: 1, readAt: NOW, metrics: { tokens: { status: 'ok', value: 5 } }, health: {} };
const BLIND = { ...SEEN, metrics: { tokens: { status: 'missing' } } };
const PAGE = { ...SEEN, health: { viewers: { failures: 6, successes: 0, broken: true } } };

for (const [what, board, connection, text] of [
  ['nothing set', initialBoard(), 'setup', 'SET'],
  ['no permission', { ...READY, access: false }, 'access', '!'],
  ['a refused key', { ...READY, refused: true, buffered: 3, lastOkAt: NOW }, 'refused', 'KEY'],
  ['a 2xx just now', { ...READY, lastOkAt: NOW }, 'connected', 'ON'],
  ['a 2xx three intervals ago', { ...READY, lastOkAt: NOW - 15_000 }, 'connected', 'ON'],
  ['a 2xx longer ago', { ...READY, lastOkAt: NOW - 15_001 }, 'idle', ''],
  ['a failed request', { ...READY, lastOkAt: NOW, failure: 0, buffered: 42 }, 'buffering', '42'],
  ['many waiting', { ...READY, failure: 503, buffered: 17_280 }, 'buffering', '17k'],
  ['a backlog being sent', { ...READY, lastOkAt: NOW, buffered: 300 }, 'connected', 'ON'],
  ['readings held back', { ...READY, buffered: 2 }, 'buffering', '2'],
  ['a broken reading', { ...READY, lastOkAt: NOW, platforms: { chaturbate: PAGE } }, 'connected', '!'],
  [
    'a broken reading and an outage',
    { ...READY, failure: 0, buffered: 7, platforms: { chaturbate: PAGE } },
    'buffering',
    '7',
  ],
  ['a disk that takes nothing', { ...READY, lastOkAt: NOW, storageFailed: true }, 'storage', '!'],
  ['settings that cannot be read', { ...initialBoard(), settingsFailed: true, lastOkAt: NOW }, 'storage', '!'],
  ['a pause', { ...READY, pausedAt: NOW, lastOkAt: NOW, buffered: 3 }, 'paused', '❚❚'],
  ['readings that the server refuses', { ...READY, lastOkAt: NOW, isRejecting: true }, 'rejected', '!'],
  [
    'an answer that is not the server’s',
    { ...READY, lastOkAt: NOW, isForeign: true, failure: 400, buffered: 3 },
    'foreign',
    '3',
  ],
  [
    'a page that sleeps',
    { ...READY, platforms: { chaturbate: { ...SEEN, readAt: NOW - 60_000, asleep: 'discarded' } } },
    'asleep',
    '!',
  ],
  [
    'a page that is not known to be one’s own',
    { ...READY, pages: { chaturbate: { tabId: 1, seenAt: NOW, page: 'unproven' } } },
    'unproven',
    '?',
  ],
  [
    'such a page a while ago',
    { ...READY, pages: { chaturbate: { tabId: 1, seenAt: NOW - 15_001, page: 'unproven' } } },
    'idle',
    '',
  ],
  [
    'a platform that is switched off',
    { ...READY, pages: { camsoda: { tabId: 1, seenAt: NOW, page: 'switched_off' } } },
    'switched_off',
    '',
  ],
  ['sites that Chrome withholds', { ...READY, withheld: ['https://*.chaturbate.com/*'] }, 'site', '!'],
  [
    'sites that Chrome withholds while another is read',
    { ...READY, lastOkAt: NOW, withheld: ['https://*.chaturbate.com/*'] },
    'connected',
    'ON',
  ],
  [
    'a page whose balance cannot be read',
    { ...READY, lastOkAt: NOW - 15_001, platforms: { chaturbate: BLIND } },
    'unreadable',
    '!',
  ],
  [
    'such a page, and readings from before',
    { ...READY, buffered: 2, platforms: { chaturbate: BLIND } },
    'buffering',
    '2',
  ],
  ['a page that is read and nothing sent yet', { ...READY, platforms: { chaturbate: SEEN } }, 'pending', ''],
  [
    'such a page, closed a while ago',
    { ...READY, platforms: { chaturbate: { ...BLIND, readAt: NOW - 15_001 } } },
    'idle',
    '',
  ],
]) {
  test(`with ${what} the state is ${connection} and the badge "${text}"`, () => {
    assert.equal(connectionOf(board, NOW), connection);
    assert.equal(badgeFor(board, NOW).text, text);
  });
}

test('a page that was closed is not called broken', () => {
  const board = { ...READY, platforms: { chaturbate: PAGE } };
  assert.deepEqual(brokenReadings(board, NOW), [{ platform: 'chaturbate', metric: 'viewers' }]);
  assert.deepEqual(brokenReadings(board, NOW + 15_001), []);
});

/** Relative luminance as WCAG defines it. @param {string} colour */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5]
    .map((start) => Number.parseInt(colour.slice(start, start + 2), 16) / 255)
    .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test('white text is legible on every badge', () => {
  const boards = [
    initialBoard(),
    { ...READY, refused: true },
    { ...READY, lastOkAt: NOW },
    { ...READY, failure: 0, buffered: 1 },
  ];
  for (const board of boards) assert.ok(1.05 / (luminance(badgeFor(board, NOW).colour) + 0.05) >= 4.5);
});

test('a number that still changes neither breaks a reading nor mends it', () => {
  const before = { tokens: { failures: 5, successes: 0, broken: false } };
  assert.deepEqual(advanceHealth(before, { tokens: { status: 'unsettled' } }), before);
});

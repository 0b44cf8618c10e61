import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePage, parseReading, parseStart, startAnswer, toTelemetry } from '../../extension/worker/reading.js';

const NOW = 1_764_000_000_123;
const ID = 'a'.repeat(32);
const SENDER = { id: ID, frameId: 0, origin: 'https://www.chaturbate.com', tab: { id: 7 } };
const TOKENS = { status: 'ok', value: 1234, via: 'tokencountlink' };
const MESSAGE = { type: 'reading', platform: 'chaturbate', readAt: NOW, metrics: { tokens: TOKENS } };
const SETTINGS = { roomId: 'blue', endpoint: 'https://pulse.example', token: 't', goal: null };

test('a reading of our own content script is taken, with its tab', () => {
  const reading = parseReading(MESSAGE, SENDER, ID, NOW);
  assert.deepEqual(reading, {
    ...MESSAGE,
    metrics: { tokens: TOKENS, viewers: { status: 'missing' }, goal: { status: 'missing' } },
    tabId: 7,
  });
});

for (const [what, sender] of [
  ['another extension', { id: 'b'.repeat(32) }],
  ['a frame within the page', { frameId: 3 }],
  ['no tab', { tab: undefined }],
  ['another platform’s page', { origin: 'https://stripchat.com' }],
  ['a look-alike', { origin: 'https://evilchaturbate.com' }],
  ['a page without TLS', { origin: 'http://chaturbate.com' }],
  ['no origin', { origin: undefined }],
  ['an opaque origin', { origin: 'null' }],
]) {
  test(`a message from ${what} is refused`, () => {
    assert.equal(parseReading(MESSAGE, { ...SENDER, ...sender }, ID, NOW), null);
  });
}

for (const [what, message] of [
  ['no object', null],
  ['an unknown platform', { ...MESSAGE, platform: 'example' }],
  ['no moment', { ...MESSAGE, readAt: 'now' }],
  ['a moment of an hour ago', { ...MESSAGE, readAt: NOW - 3_600_000 }],
  ['a moment to come', { ...MESSAGE, readAt: NOW + 120_000 }],
]) {
  test(`a message with ${what} is refused`, () => assert.equal(parseReading(message, SENDER, ID, NOW), null));
}

test('unknown keys do not get through', () => {
  const reading = parseReading(
    { ...MESSAGE, token: 'x', metrics: { tokens: { ...TOKENS, html: '<b>' }, secret: TOKENS } },
    SENDER,
    ID,
    NOW,
  );
  assert.deepEqual(reading, parseReading(MESSAGE, SENDER, ID, NOW));
});

for (const [what, tokens] of [
  ['beyond the bounds', { ...TOKENS, value: 2 ** 32 }],
  ['negative', { ...TOKENS, value: -1 }],
  ['a fraction', { ...TOKENS, value: 1.5 }],
  ['a text', { ...TOKENS, value: '12' }],
  ['of an unknown hypothesis', { ...TOKENS, via: 'x' }],
]) {
  test(`a value that is ${what} does not become a number`, () => {
    const { metrics } = parseReading({ ...MESSAGE, metrics: { tokens } }, SENDER, ID, NOW);
    assert.equal(metrics.tokens.status, 'out_of_range');
    assert.equal(metrics.tokens.value, undefined);
  });
}

test('a status that is none of ours counts as missing', () => {
  assert.deepEqual(
    parseReading({ ...MESSAGE, metrics: { tokens: { status: 'fine', value: 3 } } }, SENDER, ID, NOW).metrics.tokens,
    { status: 'missing' },
  );
});

test('a missing number is absent from the body, never zero or null', () => {
  const body = toTelemetry({ ...MESSAGE, metrics: { tokens: TOKENS, viewers: { status: 'hidden' } } }, SETTINGS);
  assert.deepEqual(body, {
    room_id: 'blue',
    platform: 'chaturbate',
    tokens_count: 1234,
    timestamp: 1_764_000_000,
    sequence: NOW,
  });
});

test('the second of a reading is the one it began in', () => {
  const { timestamp, sequence } = toTelemetry({ ...MESSAGE, readAt: NOW + 800, metrics: { tokens: TOKENS } }, SETTINGS);
  assert.deepEqual([timestamp, sequence], [1_764_000_000, NOW + 800]);
});

test('a balance of zero is sent as zero', () => {
  const metrics = { tokens: { status: 'ok', value: 0 }, viewers: { status: 'ok', value: 0 } };
  const { tokens_count, viewers_count } = toTelemetry({ ...MESSAGE, metrics }, SETTINGS);
  assert.deepEqual([tokens_count, viewers_count], [0, 0]);
});

test('a balance that was not read is sent as null beside the viewers, and nothing is sent where neither was read', () => {
  const body = toTelemetry(
    { ...MESSAGE, metrics: { tokens: { status: 'unparsed' }, viewers: { status: 'ok', value: 5 } } },
    SETTINGS,
  );
  assert.deepEqual([body.tokens_count, body.viewers_count], [null, 5]);
  assert.equal(
    toTelemetry({ ...MESSAGE, metrics: { tokens: { status: 'missing' }, viewers: { status: 'hidden' } } }, SETTINGS),
    null,
  );
});

test('the account mark is sent where it is known', () => {
  assert.equal(toTelemetry({ ...MESSAGE, account: '3fa9c2e1d07b55aa' }, SETTINGS).account, '3fa9c2e1d07b55aa');
  assert.ok(!('account' in toTelemetry(MESSAGE, SETTINGS)));
});

test('the goal is the one that was set; the tip goal on the page is another thing', () => {
  const metrics = { tokens: TOKENS, goal: { status: 'ok', value: 500 } };
  assert.equal(toTelemetry({ ...MESSAGE, metrics }, { ...SETTINGS, goal: 900 }).goal_tokens, 900);
  assert.ok(!('goal_tokens' in toTelemetry({ ...MESSAGE, metrics }, SETTINGS)));
});

test('the account mark gets through, and nothing that has not its form', () => {
  const accountOf = (account) => parseReading({ ...MESSAGE, account }, SENDER, ID, NOW).account;
  assert.equal(accountOf('3fa9c2e1d07b55aa'), '3fa9c2e1d07b55aa');
  for (const account of ['alice', '3FA9C2E1D07B55AA', '3fa9c2e1d07b55aa\n', '', null, 5, {}, ['3fa9c2e1d07b55aa0']])
    assert.equal(accountOf(account), undefined);
});

test('a page that is not read is taken with its state, and is no reading', () => {
  const message = { type: 'page', platform: 'chaturbate', seenAt: NOW, page: 'unproven', name: 'alice' };
  assert.deepEqual(parsePage(message, SENDER, ID, NOW), {
    type: 'page',
    platform: 'chaturbate',
    seenAt: NOW,
    page: 'unproven',
    tabId: 7,
  });
  assert.equal(parseReading({ ...MESSAGE, ...message }, SENDER, ID, NOW), null);
  for (const change of [{ page: 'own' }, { seenAt: NOW - 120_000 }, { platform: 'example' }, { type: 'reading' }]) {
    assert.equal(parsePage({ ...message, ...change }, SENDER, ID, NOW), null);
  }
  assert.equal(parsePage(message, { ...SENDER, frameId: 1 }, ID, NOW), null);
});

test('only a content script on a page of its platform is answered when it starts', () => {
  assert.equal(parseStart({ type: 'start', platform: 'chaturbate' }, SENDER, ID), 'chaturbate');
  assert.equal(parseStart({ type: 'start', platform: 'stripchat' }, SENDER, ID), null);
  assert.equal(parseStart({ type: 'start', platform: 'chaturbate' }, { ...SENDER, id: 'b'.repeat(32) }, ID), null);
  assert.equal(parseStart(MESSAGE, SENDER, ID), null);
});

test('a page learns the account key, the switch and its last balance, and neither token nor address', () => {
  const newest = { tabId: 7, readAt: NOW, account: 'ab', metrics: { tokens: TOKENS }, health: {} };
  assert.deepEqual(startAnswer({ ...SETTINGS, accountKey: 'k', camsodaEnabled: true }, 'own', newest), {
    accountKey: 'k',
    camsodaEnabled: true,
    last: { account: 'ab', tokens: 1234, readAt: NOW },
  });
  assert.deepEqual(startAnswer(SETTINGS, 'own', undefined), { accountKey: 'own', camsodaEnabled: false, last: null });
  assert.equal(startAnswer(SETTINGS, 'own', { ...newest, metrics: { tokens: { status: 'missing' } } }).last, null);
});

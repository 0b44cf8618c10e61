import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEndpoint, checkGoal, checkRoomId, checkSettings, checkToken, loadSettings, permissionFor, platformFor } from '../../extension/worker/config.js';

const NOW = 1_764_000_000_000;

/** @param {object} claims */
const tokenWith = (claims) => ['{"alg":"HS256"}', JSON.stringify(claims), 'sig'].map((part) => Buffer.from(part).toString('base64url')).join('.');
const CLAIMS = { aud: 'ingest', exp: NOW / 1000 + 60, rooms: ['blue', 'vip-*'] };

for (const [input, expected] of [
  ['blue', 'blue'], [' blue ', 'blue'], ['Room 1_a-b.c', 'Room 1_a-b.c'], ['x'.repeat(64), 'x'.repeat(64)],
]) test(`the room ${JSON.stringify(input).slice(0, 20)} is fine`, () => assert.deepEqual(checkRoomId(input), { value: expected }));

for (const input of ['x'.repeat(65), 'a\nb', 'a/b', '*', '{x}', 'sala ñ', 'a:b']) {
  test(`the room ${JSON.stringify(input).slice(0, 20)} is refused`, () => assert.deepEqual(checkRoomId(input), { problem: 'problemRoomId' }));
}

for (const [input, expected] of [
  ['https://pulse.example', 'https://pulse.example'], [' https://Pulse.Example/ ', 'https://pulse.example'],
  ['pulse.example', 'https://pulse.example'], ['https://a.example:8443/studio/', 'https://a.example:8443/studio'],
  ['https://a.example/api/tracking/telemetry', 'https://a.example'], ['https://a.example/x/api/tracking/telemetry/batch', 'https://a.example/x'],
  ['http://localhost:3000', 'http://localhost:3000'], ['http://127.0.0.1:8001', 'http://127.0.0.1:8001'],
]) test(`the address ${input} means ${expected}`, () => assert.deepEqual(checkEndpoint(input), { value: expected }));

for (const [input, problem] of [
  ['', 'problemEndpointMissing'], ['https://', 'problemEndpoint'], ['not an address', 'problemEndpoint'],
  ['https://user:pass@a.example', 'problemEndpoint'], ['https://a.example/?token=x', 'problemEndpoint'], ['https://a.example/#x', 'problemEndpoint'],
  ['http://pulse.example', 'problemEndpointScheme'], ['ftp://a.example', 'problemEndpointScheme'], ['http://127.0.0.1.evil.example', 'problemEndpointScheme'],
]) test(`the address ${JSON.stringify(input)} is refused`, () => assert.deepEqual(checkEndpoint(input), { problem }));

for (const [what, token, problem] of [
  ['nothing', '', 'problemTokenMissing'], ['half a token', 'abc.def', 'problemToken'], ['no JSON inside', 'a.b.c', 'problemToken'],
  ['a line break', `${tokenWith(CLAIMS)}\nx`, 'problemToken'],
  ['a dashboard’s token', tokenWith({ ...CLAIMS, aud: 'dashboard' }), 'problemTokenAudience'],
  ['an expired token', tokenWith({ ...CLAIMS, exp: NOW / 1000 }), 'problemTokenExpired'],
  ['another room’s token', tokenWith({ ...CLAIMS, rooms: ['red'] }), 'problemTokenRoom'],
]) test(`${what} is named as what it is`, () => assert.deepEqual(checkToken(token, 'blue', NOW), { problem }));

for (const room of ['blue', 'vip-7']) {
  test(`a token that covers ${room} is fine`, () => assert.ok('value' in checkToken(tokenWith(CLAIMS), room, NOW)));
}

test('the platform to try a token with is one that it covers', () => {
  assert.equal(platformFor(tokenWith({ ...CLAIMS, platforms: ['camsoda'] })), 'camsoda');
  assert.equal(platformFor(tokenWith(CLAIMS)), 'chaturbate');
});

for (const [input, expected] of [['', { value: null }], ['500', { value: 500 }], [500, { value: 500 }], ['0', { problem: 'problemGoal' }],
  ['1,000', { problem: 'problemGoal' }], ['-5', { problem: 'problemGoal' }], ['4294967295', { problem: 'problemGoal' }]]) {
  test(`the goal ${JSON.stringify(input)} is ${'value' in expected ? 'fine' : 'refused'}`, () => assert.deepEqual(checkGoal(input), expected));
}

test('all problems are reported together', () => {
  const { problems } = checkSettings({ goal: 'x' }, NOW);
  assert.deepEqual(Object.keys(problems), ['roomId', 'endpoint', 'token', 'goal']);
});

test('the permission asked for is the exact origin', () => {
  assert.deepEqual(permissionFor('https://a.example:8443/studio'), { origins: ['https://a.example:8443/*'] });
});

test('policy wins over the user, field by field, and locks what it sets', async () => {
  const stored = { settings: { roomId: 'mine', endpoint: 'https://mine.example', token: 't', goal: 5 } };
  globalThis.chrome = { storage: { local: { get: async () => stored }, managed: { get: async () => ({ endpoint: 'https://studio.example/' }) } } };
  const { settings, locked, isComplete } = await loadSettings();
  assert.deepEqual(settings, { roomId: 'mine', endpoint: 'https://studio.example', token: 't', goal: 5 });
  assert.deepEqual([locked, isComplete], [['endpoint'], true]);
});

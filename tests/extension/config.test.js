import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkEndpoint,
  checkGoal,
  checkRoomId,
  checkSettings,
  checkToken,
  configurationFrom,
  loadSettings,
  permissionFor,
  platformFor,
  readPasted,
  tokenIn,
} from '../../extension/worker/config.js';

const NOW = 1_764_000_000_000;

/** @param {object} claims */
const tokenWith = (claims) =>
  ['{"alg":"HS256"}', JSON.stringify(claims), 'sig'].map((part) => Buffer.from(part).toString('base64url')).join('.');
const CLAIMS = { aud: 'ingest', exp: NOW / 1000 + 60, rooms: ['blue', 'vip-*'] };

for (const [input, expected] of [
  ['blue', 'blue'],
  [' blue ', 'blue'],
  ['Room 1_a-b.c', 'Room 1_a-b.c'],
  ['x'.repeat(64), 'x'.repeat(64)],
])
  test(`the room ${JSON.stringify(input).slice(0, 20)} is fine`, () =>
    assert.deepEqual(checkRoomId(input), { value: expected }));

for (const [input, id] of [
  ['Habitación 12', 'Habitacion 12'],
  ['Niña', 'Nina'],
  ['Sala\u00a03', 'Sala 3'],
  [' Room 12\n', 'Room 12'],
  ['Ni\u006e\u0303a', 'Nina'],
])
  test(`the room ${JSON.stringify(input)} has the id ${id}`, () => assert.deepEqual(checkRoomId(input), { value: id }));

for (const input of ['x'.repeat(65), 'a\nb', 'a/b', '*', '{x}', 'sala/ñ', 'a:b', '.', '..', '...']) {
  test(`the room ${JSON.stringify(input).slice(0, 20)} is refused`, () =>
    assert.deepEqual(checkRoomId(input), { problem: 'problemRoomId' }));
}

for (const [input, expected] of [
  ['https://pulse.example', 'https://pulse.example'],
  [' https://Pulse.Example/ ', 'https://pulse.example'],
  ['pulse.example', 'https://pulse.example'],
  ['https://a.example:8443/studio/', 'https://a.example:8443/studio'],
  ['https://a.example/api/tracking/telemetry', 'https://a.example'],
  ['https://a.example/x/api/tracking/telemetry/batch', 'https://a.example/x'],
  ['127.0.0.1:8001', 'http://127.0.0.1:8001'],
  ['localhost', 'http://localhost'],
  ['localhost.example', 'https://localhost.example'],
  ['http://localhost:3000', 'http://localhost:3000'],
  ['http://127.0.0.1:8001', 'http://127.0.0.1:8001'],
])
  test(`the address ${input} means ${expected}`, () => assert.deepEqual(checkEndpoint(input), { value: expected }));

for (const [input, problem] of [
  ['', 'problemEndpointMissing'],
  ['https://', 'problemEndpoint'],
  ['not an address', 'problemEndpoint'],
  ['https://user:pass@a.example', 'problemEndpoint'],
  ['https://a.example/?token=x', 'problemEndpoint'],
  ['https://a.example/#x', 'problemEndpoint'],
  ['http://pulse.example', 'problemEndpointScheme'],
  ['ftp://a.example', 'problemEndpointScheme'],
  ['http://127.0.0.1.evil.example', 'problemEndpointScheme'],
])
  test(`the address ${JSON.stringify(input)} is refused`, () => assert.deepEqual(checkEndpoint(input), { problem }));

for (const [what, token, problem] of [
  ['nothing', '', 'problemTokenMissing'],
  ['half a token', 'abc.def', 'problemToken'],
  ['no JSON inside', 'a.b.c', 'problemToken'],
  ['a dashboard’s token', tokenWith({ ...CLAIMS, aud: 'dashboard' }), 'problemTokenAudience'],
  ['an expired token', tokenWith({ ...CLAIMS, exp: NOW / 1000 }), 'problemTokenExpired'],
  ['another room’s token', tokenWith({ ...CLAIMS, rooms: ['red'] }), 'problemTokenRoom'],
])
  test(`${what} has a message of its own`, () => assert.deepEqual(checkToken(token, 'blue', NOW), { problem }));

for (const room of ['blue', 'vip-7']) {
  test(`a token that covers ${room} is fine`, () => assert.ok('value' in checkToken(tokenWith(CLAIMS), room, NOW)));
}

test('the platform to try a token with is one that it covers', () => {
  assert.equal(platformFor(tokenWith({ ...CLAIMS, platforms: ['camsoda'] })), 'camsoda');
  assert.equal(platformFor(tokenWith(CLAIMS)), 'chaturbate');
});

for (const [input, expected] of [
  ['', { value: null }],
  ['500', { value: 500 }],
  [500, { value: 500 }],
  ['0', { problem: 'problemGoal' }],
  ['20.000', { value: 20_000 }],
  ['1,000', { value: 1000 }],
  ['1 234 567', { value: 1_234_567 }],
  ['1.00', { problem: 'problemGoal' }],
  ['1,000.000', { problem: 'problemGoal' }],
  ['12 34', { problem: 'problemGoal' }],
  ['-5', { problem: 'problemGoal' }],
  ['4294967295', { problem: 'problemGoal' }],
]) {
  test(`the goal ${JSON.stringify(input)} is ${'value' in expected ? 'fine' : 'refused'}`, () =>
    assert.deepEqual(checkGoal(input), expected));
}

test('all problems are reported together', () => {
  const { problems } = checkSettings({ goal: 'x' }, NOW);
  assert.deepEqual(Object.keys(problems), ['roomId', 'endpoint', 'token', 'goal']);
});

test('the permission asked for is the exact origin', () => {
  assert.deepEqual(permissionFor('https://a.example:8443/studio'), { origins: ['https://a.example:8443/*'] });
});

test('policy wins over the user, field by field, and locks the fields it sets', async () => {
  const stored = { settings: { roomId: 'mine', endpoint: 'https://mine.example', token: 't', goal: 5 } };
  globalThis.chrome = {
    storage: {
      local: { get: async () => stored },
      managed: { get: async () => ({ endpoint: 'https://studio.example/' }) },
    },
  };
  const { settings, locked, isComplete } = await loadSettings();
  assert.deepEqual(settings, { roomId: 'mine', endpoint: 'https://studio.example', token: 't', goal: 5 });
  assert.deepEqual([locked, isComplete], [['endpoint'], true]);
});

test('a room that policy sets with blanks around it is sent without them', () => {
  for (const roomId of ['Room 12 ', ' Room 12', 'Room 12\n', '\u00a0Room 12\u00a0']) {
    assert.equal(
      configurationFrom({}, { roomId, endpoint: 'https://a.example', token: 'x' }).settings.roomId,
      'Room 12',
    );
  }
});

test('the key that policy sets is never sent to an address that a person typed', () => {
  const own = { endpoint: 'https://elsewhere.example', roomId: 'blue', token: 'mine', goal: null };
  const { settings, locked, isComplete } = configurationFrom(own, { token: 'studio' });
  assert.deepEqual([settings.endpoint, isComplete, locked.toSorted()], ['', false, ['endpoint', 'token']]);
  assert.equal(
    configurationFrom(own, { token: 'studio', endpoint: 'https://studio.example' }).settings.endpoint,
    'https://studio.example',
  );
});

test("policy may set everything by the studio's code, and single values win over it", () => {
  const { settings, locked } = configurationFrom({}, { studioCode: CODE, roomId: 'Sala 4' });
  assert.deepEqual(
    [settings.roomId, settings.endpoint, settings.token, settings.roomName],
    ['Sala 4', 'https://a.example', TOKEN, 'Habitación 12'],
  );
  assert.deepEqual(locked, ['roomId', 'endpoint', 'token']);
});

const TOKEN = tokenWith({ ...CLAIMS, rooms: ['Habitacion 12'] });
const CODE = `pulse1_${Buffer.from(JSON.stringify({ a: 'https://a.example', r: 'Habitacion 12', n: 'Habitación 12', k: TOKEN })).toString('base64url')}`;
const WHOLE = { endpoint: 'https://a.example', roomId: 'Habitacion 12', roomName: 'Habitación 12', token: TOKEN };

for (const [what, pasted] of [
  ['alone', CODE],
  ['within blanks', `  ${CODE}\n`],
  ['in a line of the terminal', `$ make room ROOM='Habitación 12'\n${CODE}\n2026-11-26 [info] token.issued`],
  ['broken over lines by a mail program', CODE.replaceAll(/.{70}/gu, '$&\r\n  ')],
  ['broken over lines, with more after it', `${CODE.replaceAll(/.{70}/gu, '$&\n')}\nBest regards`],
  ['in quotation marks', `“${CODE}”`],
])
  test(`the studio's code ${what} is read whole`, () => assert.deepEqual(readPasted(pasted), WHOLE));

test('half a code is no code', () => {
  for (const length of [0, 12, 60, CODE.length - 1]) assert.equal(readPasted(CODE.slice(0, length)), null);
});

for (const [what, pasted, expected] of [
  ['a key', TOKEN, { token: TOKEN, roomId: 'Habitacion 12' }],
  ['Bearer and a key', `Authorization: Bearer ${TOKEN}`, { token: TOKEN, roomId: 'Habitacion 12' }],
  [
    'a link with a key',
    `https://a.example/#token=${TOKEN}`,
    { token: TOKEN, roomId: 'Habitacion 12', endpoint: 'https://a.example' },
  ],
  [
    'what make run prints',
    `  Extension   endpoint http://127.0.0.1:8001\n              token    ${TOKEN}\n`,
    { token: TOKEN, roomId: 'Habitacion 12', endpoint: 'http://127.0.0.1:8001' },
  ],
  ['an address in a sentence', 'Use https://a.example, please', { endpoint: 'https://a.example' }],
  ['a word', 'hello', null],
  ['nothing', '', null],
])
  test(`the settings in ${what} are read`, () => assert.deepEqual(readPasted(pasted), expected));

test('a key for several rooms names none', () =>
  assert.deepEqual(readPasted(tokenWith(CLAIMS)), { token: tokenWith(CLAIMS) }));

test('a key of the usual kind that was broken over lines is joined again', () => {
  const key = [...tokenWith(CLAIMS).split('.').slice(0, 2), 'x'.repeat(43)].join('.');
  assert.equal(tokenIn(`${key.slice(0, 50)}\n${key.slice(50, -5)}\n  ${key.slice(-5)}\nand more`), key);
});

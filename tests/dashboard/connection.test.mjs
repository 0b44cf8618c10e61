import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../broadcast_service/dashboard/link/backoff.js';
import { parseFrame } from '../../broadcast_service/dashboard/link/socket_session.js';
import { connect, settle } from './scripted.mjs';

test('the token travels as a subprotocol and never in the URL', () => {
  const { latest } = connect();
  assert.deepEqual(latest().protocols, ['pulse.v1', 'bearer.aaa.bbb.ccc']);
  assert.equal(latest().url, 'ws://studio/ws/dashboard');
});

test('the link is live only after SYNC, not when the socket opens', () => {
  const { latest, connection } = connect();
  latest().onopen?.({});
  latest().receive({ event_type: 'HELLO', heartbeat_seconds: 10 });
  assert.equal(connection.link.phase, 'connecting');
  latest().receive({ event_type: 'SYNC', version: 7 });
  assert.equal(connection.link.phase, 'live');
});

test('a lost socket is reported at once and reopened with since', () => {
  const { latest, connection, clock, sockets } = connect();
  latest().greet(42);
  latest().end(1006);
  assert.equal(connection.link.phase, 'waiting');
  assert.equal(connection.link.lostAtMs, clock.now());
  clock.pass(250);
  assert.equal(sockets.length, 2);
  assert.equal(latest().url, 'ws://studio/ws/dashboard?since=42');
});

test('pauses double with full jitter up to ten seconds', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((attempt) => backoffMs(attempt, () => 1)),
    [500, 1000, 2000, 4000],
  );
  assert.equal(
    backoffMs(30, () => 1),
    10_000,
  );
  assert.equal(
    backoffMs(30, () => 0),
    0,
  );
});

test('a link that proved itself starts again from the shortest pause', () => {
  const { latest, connection, clock } = connect({ random: 1 });
  for (const wait of [500, 1000]) {
    latest().greet();
    latest().end(1006);
    assert.equal(connection.link.retryAtMs, clock.now() + wait);
    clock.pass(wait);
  }
  latest().greet();
  clock.pass(11_000);
  latest().end(1006);
  assert.equal(connection.link.retryAtMs, clock.now() + 500);
});

for (const [code, reason] of /** @type {[number, string][]} */ ([
  [1003, 'protocol'],
  [1009, 'protocol'],
  [4400, 'protocol'],
  [4401, 'token'],
  [4403, 'forbidden'],
])) {
  test(`close code ${code} ends the link for good, reason ${reason}`, () => {
    const { latest, connection, clock, sockets } = connect();
    latest().greet();
    latest().end(code);
    clock.pass(120_000);
    assert.equal(connection.link.phase, 'stopped');
    assert.equal(connection.link.reason, reason);
    assert.equal(sockets.length, 1);
  });
}

for (const code of [1000, 1001, 1006, 1011, 1012, 1013, 4408, 4429]) {
  test(`close code ${code} is followed by another attempt`, () => {
    const { latest, clock, sockets } = connect();
    latest().greet();
    latest().end(code);
    clock.pass(500);
    assert.equal(sockets.length, 2);
  });
}

test('a refused handshake asks over HTTP, and a bad token is not tried again', async () => {
  const { latest, connection, clock, sockets } = connect({ probe: { verdict: 'token' } });
  latest().end(1006);
  await settle();
  clock.pass(60_000);
  assert.deepEqual([connection.link.phase, connection.link.reason, sockets.length], ['stopped', 'token', 1]);
});

test('a busy server is given the time it asked for', async () => {
  const { latest, clock, sockets } = connect({ probe: { verdict: 'busy', retryAfterMs: 5000 } });
  latest().end(1006);
  await settle();
  clock.pass(4999);
  assert.equal(sockets.length, 1);
  clock.pass(500);
  assert.equal(sockets.length, 2);
});

test('an unreachable server is tried again', async () => {
  const { latest, connection, clock, sockets } = connect();
  latest().end(1006);
  await settle();
  assert.equal(connection.link.reason, 'refused');
  clock.pass(500);
  assert.equal(sockets.length, 2);
});

test('a draining server is left only when the next one has delivered everything', () => {
  const { sockets, latest, clock, phases } = connect();
  latest().greet(1);
  latest().receive({ event_type: 'RECONNECT', retry_after_ms: 300 });
  clock.pass(300);
  const [old, next] = sockets;
  next?.onopen?.({});
  next?.receive({ event_type: 'HELLO', heartbeat_seconds: 10 });
  assert.equal(old?.closed, false);
  next?.receive({ event_type: 'SYNC', version: 2 });
  assert.equal(old?.closed, true);
  assert.ok(!phases.some((phase) => phase.startsWith('waiting')));
});

test('events of the old socket still count while the next one opens', () => {
  const { sockets, latest, clock, events } = connect();
  latest().greet(1);
  latest().receive({ event_type: 'RECONNECT', retry_after_ms: 300 });
  clock.pass(300);
  sockets[0]?.receive({ event_type: 'TELEMETRY_UPDATE', version: 9 });
  assert.equal(events.at(-1)?.event_type, 'TELEMETRY_UPDATE');
});

test('a draining server that closes early is followed at the time it named', () => {
  const { sockets, latest, clock, connection } = connect();
  latest().greet(1);
  latest().receive({ event_type: 'RECONNECT', retry_after_ms: 300 });
  latest().end(1012);
  assert.deepEqual([connection.link.phase, connection.link.reason], ['connecting', 'moving']);
  clock.pass(299);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  latest().greet(2);
  assert.equal(connection.link.phase, 'live');
});

test('a failed move is tried again while the old server still talks', () => {
  const { sockets, latest, clock, connection } = connect();
  latest().greet(1);
  latest().receive({ event_type: 'RECONNECT', retry_after_ms: 300 });
  clock.pass(300);
  latest().end(1006);
  assert.equal(connection.link.phase, 'live');
  clock.pass(1000);
  assert.equal(sockets.length, 3);
});

test('a server that misses one heartbeat is asked, and dropped if it does not answer', () => {
  const { latest, clock, connection } = connect();
  latest().greet();
  clock.pass(11_999);
  assert.deepEqual(latest().sent, []);
  clock.pass(1);
  assert.deepEqual(latest().sent, [{ type: 'ping' }]);
  clock.pass(2999);
  assert.equal(connection.link.phase, 'live');
  clock.pass(1);
  assert.equal(connection.link.reason, 'silent');
});

test('a server that answers after a missed heartbeat keeps its socket', () => {
  const { latest, clock, connection, sockets } = connect();
  latest().greet();
  for (let i = 0; i < 4; i++) {
    clock.pass(12_000);
    latest().receive({ event_type: 'PONG' });
  }
  assert.deepEqual([connection.link.phase, sockets.length, latest().sent.length], ['live', 1, 4]);
});

test('asking again and again neither repeats the ping nor puts off the end', () => {
  const { latest, clock, connection } = connect();
  latest().greet();
  for (let i = 0; i < 3; i++) {
    connection.ping();
    clock.pass(1000);
  }
  assert.deepEqual([latest().sent.length, connection.link.reason], [1, 'silent']);
});

test('a handshake that never finishes is given up', () => {
  const { clock, connection } = connect();
  clock.pass(10_000);
  assert.equal(connection.link.reason, 'silent');
});

test('waking up does not wait out a pause', () => {
  const { latest, connection, sockets } = connect();
  latest().greet();
  latest().end(1006);
  connection.wake();
  assert.equal(sockets.length, 2);
});

test('waking up demands an answer from an old socket, soon', () => {
  const { latest, connection, clock } = connect();
  latest().greet();
  connection.wake();
  assert.deepEqual(latest().sent, [{ type: 'ping' }]);
  clock.pass(3000);
  assert.equal(connection.link.reason, 'silent');
});

test('an answer after waking keeps the socket', () => {
  const { latest, connection, clock } = connect();
  latest().greet();
  connection.wake();
  latest().receive({ event_type: 'PONG' });
  clock.pass(4000);
  assert.equal(connection.link.phase, 'live');
});

test('renewal happens on the open socket and the new token is used from then on', () => {
  const { latest, connection, renewals, clock } = connect();
  latest().greet();
  connection.renew('ddd.eee.fff');
  assert.deepEqual(latest().sent, [{ type: 'auth', token: 'ddd.eee.fff' }]);
  latest().receive({ event_type: 'TOKEN_RENEWED', expires_at: 1 });
  assert.deepEqual(renewals, [['ddd.eee.fff', true]]);
  latest().end(1006);
  clock.pass(500);
  assert.equal(latest().protocols[1], 'bearer.ddd.eee.fff');
});

test('a refused renewal keeps the old token', () => {
  const { latest, connection, renewals } = connect();
  latest().greet();
  connection.renew('ddd.eee.fff');
  latest().receive({ event_type: 'ERROR', code: 'token', detail: 'no' });
  assert.deepEqual(renewals, [['ddd.eee.fff', false]]);
  assert.equal(connection.token, 'aaa.bbb.ccc');
});

test('an error that answers something else is no answer to a renewal', () => {
  const { latest, renewals } = connect();
  latest().greet();
  latest().receive({ event_type: 'ERROR', code: 'bad_filter', detail: 'no' });
  assert.deepEqual(renewals, []);
});

test('a token cannot be renewed without a socket', () => {
  const { latest, connection } = connect();
  assert.equal(connection.renew('ddd.eee.fff'), false);
  latest().greet();
  assert.equal(connection.renew('ddd.eee.fff'), true);
});

for (const code of [1006, 4401]) {
  test(`a token on its way when the socket closes with ${code} is handed back to be tried again`, () => {
    const { latest, connection, renewals } = connect();
    latest().greet();
    connection.renew('ddd.eee.fff');
    latest().end(code);
    assert.deepEqual(renewals, [['ddd.eee.fff', false]]);
    assert.equal(connection.link.phase, code === 4401 ? 'stopped' : 'waiting');
  });
}

test('a token on its way when the server goes silent is handed back too', () => {
  const { latest, connection, renewals, clock } = connect();
  latest().greet();
  connection.renew('ddd.eee.fff');
  clock.pass(15_000);
  assert.deepEqual(renewals, [['ddd.eee.fff', false]]);
});

test('a frame that is not JSON drops the socket and comes back', () => {
  const { latest, connection, clock, sockets } = connect();
  latest().greet();
  latest().onmessage?.({ data: '{' });
  assert.equal(connection.link.phase, 'waiting');
  clock.pass(500);
  assert.equal(sockets.length, 2);
});

test('a frame holds one event per line', () => {
  assert.deepEqual(parseFrame('{"a":1}\n{"b":2}\n'), [{ a: 1 }, { b: 2 }]);
});

test('after stop nothing is opened again', () => {
  const { latest, connection, clock, sockets } = connect();
  latest().greet();
  connection.stop();
  connection.wake();
  clock.pass(60_000);
  assert.equal(sockets.length, 1);
  assert.equal(latest().closed, true);
});

const POLLABLE_REASONS = () =>
  /** @type {import('../../broadcast_service/dashboard/link/poll.js').Polled} */ ({
    events: [/** @type {any} */ ({ event_type: 'SYNC', version: 1 })],
  });

/** Lets sockets fail without ever opening, so many times. @param {ReturnType<typeof connect>} scene @param {number} times */
async function fail({ latest, clock, sockets, connection }, times) {
  for (let i = 0; i < times; i++) {
    const before = sockets.length;
    latest().end(1006);
    await settle();
    if (i < times - 1) {
      clock.pass((connection.link.retryAtMs ?? 0) - clock.now());
      assert.equal(sockets.length, before + 1);
    }
  }
}

test('one socket that fails while HTTP answers is an accident, two are something in between: then polling feeds the page', async () => {
  const scene = connect({ probe: { verdict: 'ok' }, poll: POLLABLE_REASONS });
  await fail(scene, 1);
  assert.deepEqual(
    [scene.connection.link.phase, scene.connection.link.reason, scene.polls.length],
    ['waiting', 'lost', 0],
  );
  scene.clock.pass(10_000);
  await fail(scene, 1);
  const { phase, reason, via } = scene.connection.link;
  assert.deepEqual([phase, reason, via], ['live', 'blocked', 'polling']);
  assert.equal(scene.events.at(-1)?.event_type, 'SYNC');
});

test('polling asks every five seconds', async () => {
  const scene = connect({ probe: { verdict: 'origin', setting: 'ALLOWED_ORIGINS' }, poll: POLLABLE_REASONS });
  await fail(scene, 1);
  for (let i = 0; i < 2; i++) {
    scene.clock.pass(5000);
    await settle();
  }
  const [first = 0, ...later] = scene.polls;
  assert.deepEqual(
    later.map((at) => at - first),
    [5000, 10_000],
  );
  assert.equal(scene.connection.link.setting, 'ALLOWED_ORIGINS');
});

test('a socket that gets through ends polling', async () => {
  const scene = connect({ probe: { verdict: 'path' }, poll: POLLABLE_REASONS });
  await fail(scene, 1);
  scene.clock.pass(16_000);
  await settle();
  scene.latest().greet();
  assert.deepEqual([scene.connection.link.phase, scene.connection.link.via], ['live', 'socket']);
  const requests = scene.polls.length;
  for (let i = 0; i < 3; i++) {
    scene.clock.pass(5000);
    await settle();
  }
  assert.equal(scene.polls.length, requests);
});

for (const verdict of /** @type {const} */ (['origin', 'path', 'gateway', 'redirect', 'odd'])) {
  test(`the link names the obstacle and polls: ${verdict}`, async () => {
    const scene = connect({ probe: { verdict, status: 418 } });
    await fail(scene, 1);
    const { phase, reason, status, via } = scene.connection.link;
    assert.deepEqual([phase, reason, status, via], ['waiting', verdict, 418, 'socket']);
  });
}

test('a reached cap is named, waited for and not polled around', async () => {
  const scene = connect({
    probe: { verdict: 'full', setting: 'MAX_CONNECTIONS', retryAfterMs: 5000 },
    poll: POLLABLE_REASONS,
  });
  await fail(scene, 3);
  assert.deepEqual(
    [scene.connection.link.reason, scene.connection.link.setting, scene.polls.length],
    ['full', 'MAX_CONNECTIONS', 0],
  );
});

test('sockets that open and bring nothing are found out too', async () => {
  const scene = connect({ poll: POLLABLE_REASONS });
  for (let i = 0; i < 2; i++) {
    scene.latest().onopen?.({});
    scene.clock.pass(10_000);
    await settle();
    if (i === 0) scene.clock.pass(500);
  }
  assert.deepEqual([scene.connection.link.via, scene.connection.link.reason], ['polling', 'blocked']);
});

test('polls that fail are no news: the page is not live', async () => {
  let isUp = true;
  const scene = connect({
    probe: { verdict: 'origin' },
    poll: () => (isUp ? POLLABLE_REASONS() : { verdict: 'unreachable' }),
  });
  await fail(scene, 1);
  assert.equal(scene.connection.link.phase, 'live');
  isUp = false;
  scene.clock.pass(5000);
  await settle();
  assert.deepEqual([scene.connection.link.phase, scene.connection.link.via], ['waiting', 'socket']);
  assert.equal(scene.connection.link.lostAtMs, scene.clock.now());
  isUp = true;
  scene.clock.pass(5000);
  await settle();
  assert.equal(scene.connection.link.phase, 'live');
});

test('a token that ends while polling ends the link', async () => {
  let verdict = '';
  const scene = connect({
    probe: { verdict: 'origin' },
    poll: () => (verdict ? { verdict: 'token' } : POLLABLE_REASONS()),
  });
  await fail(scene, 1);
  verdict = 'token';
  scene.clock.pass(5000);
  await settle();
  assert.deepEqual([scene.connection.link.phase, scene.connection.link.reason], ['stopped', 'token']);
  scene.clock.pass(120_000);
  assert.equal(scene.sockets.length, 1);
});

test('waking up tries a socket beside polling', async () => {
  const scene = connect({ probe: { verdict: 'origin' }, poll: POLLABLE_REASONS });
  await fail(scene, 1);
  scene.connection.wake();
  assert.equal(scene.sockets.length, 2);
  assert.equal(scene.connection.link.phase, 'live');
});

for (const asks of [2 ** 31, 3_600_000, 1e12, Infinity, -5, NaN]) {
  test(`no timer is longer than a minute when a server asks for ${asks} ms`, async () => {
    const scene = connect({ probe: { verdict: 'busy', retryAfterMs: asks } });
    /** @type {number[]} */
    const delays = [];
    const { set } = scene.clock;
    scene.clock.set = (run, delayMs) => {
      delays.push(delayMs);
      return set(run, delayMs);
    };
    await fail(scene, 2);
    scene.connection.wake();
    scene.latest().greet();
    scene.latest().receive({ event_type: 'RECONNECT', retry_after_ms: asks });
    assert.ok(
      delays.every((delay) => delay >= 0 && delay <= 60_000),
      String(delays),
    );
  });
}

test('a heartbeat beyond what a timer can hold does not drop the socket', () => {
  const { latest, connection, clock } = connect();
  latest().onopen?.({});
  latest().receive({ event_type: 'HELLO', heartbeat_seconds: 3e6 }, { event_type: 'SYNC', version: 1 });
  clock.pass(60_000);
  assert.equal(connection.link.phase, 'live');
});

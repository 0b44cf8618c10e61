import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, parseFrame } from '../../broadcast_service/dashboard/connection.js';
import { connect, settle } from './scripted.mjs';

test('the token travels as a subprotocol and never in the URL', () => {
  const { latest } = connect();
  assert.deepEqual(latest().protocols, ['pulse.v1', 'bearer.aaa.bbb.ccc']);
  assert.equal(latest().url, 'ws://studio/ws/dashboard');
});

test('the link is live only after SYNC, not when the socket opens', () => {
  const { latest, connection } = connect();
  latest().onopen?.({});
  latest().say({ event_type: 'HELLO', heartbeat_seconds: 10 });
  assert.equal(connection.link.phase, 'connecting');
  latest().say({ event_type: 'SYNC', version: 7 });
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
  assert.deepEqual([0, 1, 2, 3].map((attempt) => backoffMs(attempt, () => 1)), [500, 1000, 2000, 4000]);
  assert.equal(backoffMs(30, () => 1), 10_000);
  assert.equal(backoffMs(30, () => 0), 0);
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

for (const [code, reason] of /** @type {[number, string][]} */ ([[1003, 'protocol'], [1009, 'protocol'], [4400, 'protocol'], [4401, 'token'], [4403, 'forbidden']])) {
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
  const { latest, clock, sockets } = connect({ probe: { verdict: 'ok', retryAfterMs: 5000 } });
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

test('a draining server is left only when the next one has told everything', () => {
  const { sockets, latest, clock, phases } = connect();
  latest().greet(1);
  latest().say({ event_type: 'RECONNECT', retry_after_ms: 300 });
  clock.pass(300);
  const [old, next] = sockets;
  next?.onopen?.({});
  next?.say({ event_type: 'HELLO', heartbeat_seconds: 10 });
  assert.equal(old?.closed, false);
  next?.say({ event_type: 'SYNC', version: 2 });
  assert.equal(old?.closed, true);
  assert.ok(!phases.some((phase) => phase.startsWith('waiting')));
});

test('events of the old socket still count while the next one opens', () => {
  const { sockets, latest, clock, events } = connect();
  latest().greet(1);
  latest().say({ event_type: 'RECONNECT', retry_after_ms: 300 });
  clock.pass(300);
  sockets[0]?.say({ event_type: 'TELEMETRY_UPDATE', version: 9 });
  assert.equal(events.at(-1)?.event_type, 'TELEMETRY_UPDATE');
});

test('a draining server that closes early is followed at the time it named', () => {
  const { sockets, latest, clock, connection } = connect();
  latest().greet(1);
  latest().say({ event_type: 'RECONNECT', retry_after_ms: 300 });
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
  latest().say({ event_type: 'RECONNECT', retry_after_ms: 300 });
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
  clock.pass(2_999);
  assert.equal(connection.link.phase, 'live');
  clock.pass(1);
  assert.equal(connection.link.reason, 'silent');
});

test('a server that answers after a missed heartbeat keeps its socket', () => {
  const { latest, clock, connection, sockets } = connect();
  latest().greet();
  for (let i = 0; i < 4; i++) {
    clock.pass(12_000);
    latest().say({ event_type: 'PONG' });
  }
  assert.deepEqual([connection.link.phase, sockets.length, latest().sent.length], ['live', 1, 4]);
});

test('asking again and again neither repeats the ping nor puts off the end', () => {
  const { latest, clock, connection } = connect();
  latest().greet();
  for (let i = 0; i < 3; i++) {
    connection.ask();
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
  latest().say({ event_type: 'PONG' });
  clock.pass(4000);
  assert.equal(connection.link.phase, 'live');
});

test('renewal happens on the open socket and the new token is used from then on', () => {
  const { latest, connection, renewals, clock } = connect();
  latest().greet();
  connection.renew('ddd.eee.fff');
  assert.deepEqual(latest().sent, [{ type: 'auth', token: 'ddd.eee.fff' }]);
  latest().say({ event_type: 'TOKEN_RENEWED', expires_at: 1 });
  assert.deepEqual(renewals, [['ddd.eee.fff', true]]);
  latest().end(1006);
  clock.pass(500);
  assert.equal(latest().protocols[1], 'bearer.ddd.eee.fff');
});

test('a refused renewal keeps the old token', () => {
  const { latest, connection, renewals } = connect();
  latest().greet();
  connection.renew('ddd.eee.fff');
  latest().say({ event_type: 'ERROR', code: 'token', detail: 'no' });
  assert.deepEqual(renewals, [['ddd.eee.fff', false]]);
  assert.equal(connection.token, 'aaa.bbb.ccc');
});

test('an error that answers something else is no answer to a renewal', () => {
  const { latest, renewals } = connect();
  latest().greet();
  latest().say({ event_type: 'ERROR', code: 'bad_filter', detail: 'no' });
  assert.deepEqual(renewals, []);
});

test('without a socket nobody can renew', () => {
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

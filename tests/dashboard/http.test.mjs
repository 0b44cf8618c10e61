import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, RequestFailed } from '../../broadcast_service/dashboard/api.js';
import { Baseline } from '../../broadcast_service/dashboard/baseline.js';
import { probe } from '../../broadcast_service/dashboard/probe.js';
import { Store } from '../../broadcast_service/dashboard/store.js';
import { Clock, settle } from './scripted.mjs';

/** A fetch that answers by script and remembers what it was asked. @param {(url: string) => Response | Promise<never>} answer */
function scripted(answer) {
  /** @type {{url: string, options: RequestInit}[]} */
  const asked = [];
  const ask = /** @type {typeof fetch} */ (async (url, options) => {
    asked.push({ url: String(url), options: options ?? {} });
    return answer(String(url));
  });
  return { ask, asked };
}

test('the token is in a header and in no address', async () => {
  const { ask, asked } = scripted(() => Response.json({ points: [] }));
  await new Api(() => 'aa.bb.cc', ask).history('vip 1', 'camsoda', { from: 1, to: 2, step: 60 });
  assert.equal(asked[0]?.url, 'api/tracking/telemetry/vip%201/camsoda/history?from=1&to=2&step=60');
  assert.deepEqual(asked[0]?.options.headers, { Authorization: 'Bearer aa.bb.cc' });
});

test('a refusal keeps its status, and silence is status 0', async () => {
  const refusing = new Api(() => '', scripted(() => new Response('', { status: 403 })).ask);
  await assert.rejects(refusing.analytics({ from: 1, to: 2, step: 60 }), (error) => error instanceof RequestFailed && error.status === 403);
  const silent = new Api(() => '', scripted(() => Promise.reject(new TypeError())).ask);
  await assert.rejects(silent.analytics({ from: 1, to: 2, step: 60 }), (error) => error instanceof RequestFailed && error.status === 0);
});

for (const [status, verdict] of /** @type {const} */ ([[200, 'ok'], [401, 'token'], [403, 'forbidden'], [503, 'ok']])) {
  test(`a handshake refused with ${status} means ${verdict}`, async () => {
    assert.equal((await probe('/', 't', scripted(() => new Response(null, { status })).ask)).verdict, verdict);
  });
}

test('a busy server says when to come back', async () => {
  const { ask } = scripted(() => new Response(null, { status: 503, headers: { 'Retry-After': '7' } }));
  assert.deepEqual(await probe('/', 't', ask), { verdict: 'ok', retryAfterMs: 7000 });
  assert.equal((await probe('/', 't', scripted(() => new Response(null, { status: 503 })).ask)).retryAfterMs, undefined);
});

/** @param {(url: string) => Response | Promise<never>} answer */
function baselineOf(answer) {
  const { ask, asked } = scripted(answer);
  const [store, clock] = [new Store(), new Clock()];
  const baseline = new Baseline(new Api(() => '', ask), store, clock, () => 0.5, () => {});
  return { baseline, store, clock, asked };
}
/** Each minute of a span earned 2. @param {string} url */
function twoPerMinute(url) {
  const query = new URL(url, 'http://studio').searchParams;
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
  return Response.json({ from, to, step: 60, earned: Array.from({ length: (to - from) / 60 }, () => 2), feeds: [] });
}

test('history settles the past and the minute of now, and the socket counts on', async () => {
  const { baseline, store, clock } = baselineOf(twoPerMinute);
  const minute = Math.floor(clock.now() / 60_000);
  store.ledger.add(minute - 5, 999);
  baseline.start();
  await settle();
  store.ledger.add(minute, 7);
  assert.deepEqual(store.ledger.series(minute, 6), [2, 2, 2, 2, 2, 9]);
});

test('afterwards only minutes that are over are settled', async () => {
  const { baseline, store, clock } = baselineOf(twoPerMinute);
  baseline.start();
  await settle();
  clock.pass(75_000);
  const minute = Math.floor(clock.now() / 60_000);
  store.ledger.add(minute, 7);
  await settle();
  assert.deepEqual(store.ledger.series(minute, 2), [2, 7]);
});

test('history is asked again, soon at first, and no more after stop', async () => {
  const { baseline, clock, asked } = baselineOf(twoPerMinute);
  baseline.start();
  await settle();
  clock.pass(75_000);
  await settle();
  assert.equal(asked.length, 4);
  baseline.stop();
  clock.pass(600_000);
  assert.equal(asked.length, 4);
});

test('a failed request leaves what is known and is tried again', async () => {
  const { baseline, store, clock, asked } = baselineOf(() => Promise.reject(new TypeError()));
  store.ledger.add(Math.floor(clock.now() / 60_000), 7);
  baseline.start();
  await settle();
  clock.pass(75_000);
  await settle();
  assert.equal(store.ledger.sum(0, Infinity), 7);
  assert.equal(asked.length, 2);
});

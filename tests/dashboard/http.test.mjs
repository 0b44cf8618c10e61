import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, RequestFailed } from '../../broadcast_service/dashboard/link/api.js';
import { poll } from '../../broadcast_service/dashboard/link/poll.js';
import { probe, retryAfter } from '../../broadcast_service/dashboard/link/probe.js';
import { Baseline } from '../../broadcast_service/dashboard/state/baseline.js';
import { Store } from '../../broadcast_service/dashboard/state/store.js';
import { Clock, settle } from './scripted.mjs';

/** A fetch that answers by script and records its requests. @param {(url: string) => Response | Promise<never>} answer */
function scripted(answer) {
  /** @type {{url: string, options: RequestInit}[]} */
  const requests = [];
  const ask = /** @type {typeof fetch} */ (
    async (url, options) => {
      requests.push({ url: String(url), options: options ?? {} });
      return answer(String(url));
    }
  );
  return { ask, requests };
}

test('the token is in a header and in no address', async () => {
  const { ask, requests } = scripted(() => Response.json({ points: [] }));
  await new Api(() => 'aa.bb.cc', ask).history('vip 1', 'camsoda', { from: 1, to: 2, step: 60 });
  assert.equal(requests[0]?.url, 'api/tracking/telemetry/vip%201/camsoda/history?from=1&to=2&step=60');
  assert.deepEqual(requests[0]?.options.headers, { Authorization: 'Bearer aa.bb.cc' });
});

test('no refusal leaves its request open', async () => {
  const span = { from: 1, to: 2, step: 60 };
  for (const status of [200, 301, 401, 403, 404, 426, 429, 503]) {
    for (const type of ['application/problem+json', 'text/html']) {
      /** @type {Response[]} */
      const answers = [];
      const { ask } = scripted(() => {
        answers.push(new Response('{}', { status, headers: { 'Content-Type': type } }));
        return /** @type {Response} */ (answers.at(-1));
      });
      const api = new Api(() => '', ask);
      const calls = [
        api.history('a', 'b', span),
        api.analytics(span),
        api.report({ period: 'today' }),
        api.reportFile({ format: 'csv' }),
        api.historyCsv('a', 'b', span),
        poll('', '', ask),
        probe('', '', { ask }),
      ];
      await Promise.allSettled(calls);
      assert.equal(answers.length, calls.length);
      assert.deepEqual(
        answers.filter(({ bodyUsed }) => !bodyUsed),
        [],
        `${status} ${type}`,
      );
    }
  }
});

test('a refusal keeps its status, and silence is status 0', async () => {
  const refusing = new Api(() => '', scripted(() => new Response('', { status: 403 })).ask);
  await assert.rejects(
    refusing.analytics({ from: 1, to: 2, step: 60 }),
    (error) => error instanceof RequestFailed && error.status === 403,
  );
  const silent = new Api(() => '', scripted(() => Promise.reject(new TypeError())).ask);
  await assert.rejects(
    silent.analytics({ from: 1, to: 2, step: 60 }),
    (error) => error instanceof RequestFailed && error.status === 0,
  );
});

/** The server's own refusal. @param {number} status @param {Record<string, unknown>} [members] @param {Record<string, string>} [headers] */
const problem = (status, members = {}, headers = {}) =>
  new Response(JSON.stringify({ status, ...members }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
const verdictFor = (/** @type {Response} */ response) =>
  probe('ws/dashboard', 't', { ask: scripted(() => response).ask, now: () => 0 });

/** @type {[string, Response, import('../../broadcast_service/dashboard/link/types.js').Probe][]} */
const ANSWERS = [
  ['nothing stands against a socket', problem(426, { code: 'upgrade_required' }), { verdict: 'ok' }],
  ['the token', problem(401), { verdict: 'token' }],
  ['the scope', problem(403), { verdict: 'forbidden' }],
  [
    'the origin',
    problem(403, { code: 'origin_refused', setting: 'ALLOWED_ORIGINS' }),
    { verdict: 'origin', setting: 'ALLOWED_ORIGINS' },
  ],
  [
    'a setting that is none',
    problem(403, { code: 'origin_refused', setting: '<b>x</b>' }),
    { verdict: 'origin', setting: undefined },
  ],
  [
    'a cap',
    problem(429, { setting: 'MAX_CONNECTIONS_PER_ADDRESS' }, { 'Retry-After': '5' }),
    { verdict: 'full', retryAfterMs: 5000, setting: 'MAX_CONNECTIONS_PER_ADDRESS' },
  ],
  [
    'the cap of the process',
    problem(503, { setting: 'MAX_CONNECTIONS' }, { 'Retry-After': '5' }),
    { verdict: 'full', retryAfterMs: 5000, setting: 'MAX_CONNECTIONS' },
  ],
  ['a server that drains', problem(503, {}, { 'Retry-After': '1' }), { verdict: 'busy', retryAfterMs: 1000 }],
  [
    'a proxy without its server',
    new Response('<html>', { status: 502 }),
    { verdict: 'gateway', status: 502, retryAfterMs: undefined },
  ],
  [
    'a proxy in maintenance',
    new Response('', { status: 503, headers: { 'Retry-After': '20' } }),
    { verdict: 'gateway', status: 503, retryAfterMs: 20_000 },
  ],
  ['a path that leads elsewhere', new Response('', { status: 404 }), { verdict: 'path', status: 404 }],
  ['a page of another server', new Response('<html>', { status: 200 }), { verdict: 'path', status: 200 }],
  [
    'a proxy that wants a password',
    new Response('', { status: 401 }),
    { verdict: 'odd', status: 401, retryAfterMs: undefined },
  ],
  ['a firewall', new Response('', { status: 403 }), { verdict: 'odd', status: 403, retryAfterMs: undefined }],
  [
    'a sign-in page',
    new Response('', { status: 302, headers: { Location: 'https://login.example' } }),
    { verdict: 'redirect' },
  ],
];
for (const [what, response, expected] of ANSWERS) {
  test(`a refused handshake: ${what} means ${expected.verdict}`, async () => {
    assert.deepEqual(await verdictFor(response), expected);
  });
}

test('the question names the page, shows the token in a header, and follows no redirect', async () => {
  const { ask, requests: seen } = scripted(() => problem(426));
  await probe('ws/dashboard', 'aa.bb.cc', { ask, origin: 'https://wall.example' });
  assert.equal(seen[0]?.url, 'ws/dashboard');
  assert.deepEqual(seen[0]?.options.headers, {
    Authorization: 'Bearer aa.bb.cc',
    'Pulse-Origin': 'https://wall.example',
  });
  assert.equal(seen[0]?.options.redirect, 'manual');
});

test('no server answers', async () => {
  assert.deepEqual(await probe('x', 't', { ask: scripted(() => Promise.reject(new TypeError())).ask }), {
    verdict: 'unreachable',
  });
});

const NOW = Date.parse('Thu, 26 Nov 2026 12:00:00 GMT');
/** @type {[string | null, number | undefined][]} */
const WAITS = [
  ['0', 0],
  ['7', 7000],
  [' 7 ', 7000],
  ['60', 60_000],
  ['61', 60_000],
  ['3600', 60_000],
  ['2147483', 60_000],
  ['2147484', 60_000],
  ['9999999999', 60_000],
  ['9'.repeat(400), 60_000],
  ['Thu, 26 Nov 2026 12:00:20 GMT', 20_000],
  ['Fri, 31 Dec 2100 23:59:59 GMT', 60_000],
  ['Thursday, 26-Nov-26 12:00:20 GMT', 20_000],
  [null, undefined],
  ['', undefined],
  ['-5', undefined],
  ['+5', undefined],
  ['1.5', undefined],
  ['1e9', undefined],
  ['0x10', undefined],
  ['0b1', undefined],
  ['5 s', undefined],
  ['5, 6', undefined],
  ['Infinity', undefined],
  ['NaN', undefined],
  ['soon', undefined],
  ['2026', 60_000],
  ['2026-11-26', undefined],
  ['26 Nov 2026', undefined],
  ['Thu, 26 Nov 2020 12:00:00 GMT', undefined],
  ['٥', undefined],
];
for (const [text, expected] of WAITS) {
  test(`Retry-After ${text === null ? 'absent' : JSON.stringify(text.slice(0, 40))} asks for ${expected === undefined ? 'nothing' : `${expected} ms`}`, () => {
    assert.equal(retryAfter(text, NOW), expected);
  });
}

test('a date in Retry-After is measured by the clock of its sender', async () => {
  const headers = { 'Retry-After': 'Thu, 26 Nov 2026 12:00:20 GMT', Date: 'Thu, 26 Nov 2026 12:00:00 GMT' };
  assert.equal((await verdictFor(problem(503, {}, headers))).retryAfterMs, 20_000);
});

const SESSION = {
  stale_seconds: 15,
  ttl_seconds: 3600,
  token_expires_at: 9,
  rooms: ['*'],
  platforms: null,
  build: 'b',
  time_ms: 5000,
};

test('polled values become the events that a socket would have sent', async () => {
  const update = { event_type: 'TELEMETRY_UPDATE', room_id: 'blue', version: 3 };
  const { ask, requests: seen } = scripted(() =>
    Response.json({ upstream: 'ok', version: 4, events: [update], session: SESSION }),
  );
  const answer = await poll('api/tracking/telemetry', 'aa.bb.cc', ask);
  assert.ok('events' in answer);
  assert.deepEqual(
    answer.events.map(({ event_type }) => event_type),
    ['HELLO', 'UPSTREAM', 'TELEMETRY_UPDATE', 'SYNC'],
  );
  assert.deepEqual(seen[0]?.options.headers, { Authorization: 'Bearer aa.bb.cc' });
  const store = new Store();
  for (const event of answer.events) if (event.event_type !== 'TELEMETRY_UPDATE') store.apply(event, 0);
  assert.deepEqual(
    [store.tokenExpiresAt, store.ttlSeconds, store.complete, store.upstream, store.clock.now(0)],
    [9, 3600, true, 'ok', 5000],
  );
});

for (const [status, verdict] of /** @type {const} */ ([
  [401, 'token'],
  [403, 'forbidden'],
  [500, 'unreachable'],
  [204, 'unreachable'],
])) {
  test(`a poll answered with ${status} means ${verdict}`, async () => {
    assert.deepEqual(await poll('x', 't', scripted(() => new Response(null, { status })).ask), { verdict });
  });
}

/** @param {(url: string) => Response | Promise<never>} answer */
function baselineOf(answer) {
  const { ask, requests } = scripted(answer);
  const [store, clock] = [new Store(), new Clock()];
  const baseline = new Baseline(
    new Api(() => '', ask),
    store,
    clock,
    () => 0.5,
    () => {},
  );
  return { baseline, store, clock, requests };
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

test('the current minute keeps the greater of both sums, and history decides once it is over', async () => {
  const { baseline, store, clock } = baselineOf(twoPerMinute);
  const minute = Math.floor(clock.now() / 60_000);
  store.ledger.add(minute, 7);
  baseline.start();
  await settle();
  assert.deepEqual(store.ledger.series(minute, 2), [2, 7]);
  clock.pass(110_000);
  store.ledger.add(minute + 1, 9);
  await settle();
  assert.deepEqual(store.ledger.series(minute + 1, 3), [2, 2, 11]);
});

test('history is asked again, soon at first, and no more after stop', async () => {
  const { baseline, clock, requests } = baselineOf(twoPerMinute);
  baseline.start();
  await settle();
  clock.pass(110_000);
  await settle();
  assert.equal(requests.length, 4);
  baseline.stop();
  clock.pass(600_000);
  assert.equal(requests.length, 4);
});

test('a failed request changes nothing and is retried', async () => {
  const { baseline, store, clock, requests } = baselineOf(() => Promise.reject(new TypeError()));
  store.ledger.add(Math.floor(clock.now() / 60_000), 7);
  baseline.start();
  await settle();
  clock.pass(110_000);
  await settle();
  assert.equal(store.ledger.sum(0, Infinity), 7);
  assert.equal(requests.length, 2);
});

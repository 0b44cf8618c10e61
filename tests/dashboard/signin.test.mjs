import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentials, subprotocols } from '../../broadcast_service/dashboard/link/credentials.js';
import { browserName, normalizeLetters, SignIn, SignInFailed } from '../../broadcast_service/dashboard/link/signin.js';

/** @param {number} status @param {unknown} [body] @param {string} [token] */
function answering(status, body = {}, token = '') {
  /** @type {{url: string, options: RequestInit}[]} */
  const requests = [];
  const signIn = new SignIn(
    () => token,
    (url, options) => {
      requests.push({ url, options });
      return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
    },
  );
  return { signIn, requests };
}

test('a request says who asks with a token or with the cookie, never with both', () => {
  assert.deepEqual(credentials('aa.bb.cc'), { headers: { Authorization: 'Bearer aa.bb.cc' }, credentials: 'omit' });
  assert.deepEqual(credentials(''), { headers: {}, credentials: 'same-origin' });
  assert.deepEqual(subprotocols('aa.bb.cc'), ['pulse.v1', 'bearer.aa.bb.cc']);
  assert.deepEqual(subprotocols(''), ['pulse.v1']);
});

test('a 401 means that no one is signed in, a missing answer does not', async () => {
  assert.equal(await answering(401).signIn.current(), null);
  await assert.rejects(
    answering(503).signIn.current(),
    (/** @type {any} */ error) => error instanceof SignInFailed && error.status === 503,
  );
  const away = new SignIn(
    () => '',
    () => Promise.reject(new TypeError('away')),
  );
  await assert.rejects(away.current(), (/** @type {any} */ error) => error.status === 0);
});

test('a code and a token are never part of an address', async () => {
  const { signIn, requests } = answering(200);
  await signIn.withCode('secret-code', true);
  await signIn.withToken('aa.bb.cc', true);
  assert.equal(
    requests.some(({ url }) => url.includes('secret-code') || url.includes('aa.bb.cc')),
    false,
  );
  assert.deepEqual(
    requests.map(({ options }) => options.method),
    ['POST', 'POST'],
  );
  assert.equal(new Headers(requests[1]?.options.headers).get('Authorization'), 'Bearer aa.bb.cc');
});

test('a pairing waits, is approved, is refused or expires', async () => {
  const pairing = { letters: 'ACDEFG', claim: 'x', expires_at: 0, poll_seconds: 3 };
  assert.equal(await answering(202).signIn.claim(pairing), false);
  assert.equal(await answering(200).signIn.claim(pairing), true);
  for (const status of [403, 410])
    await assert.rejects(
      answering(status).signIn.claim(pairing),
      (/** @type {any} */ error) => error.status === status,
    );
});

test('no answer leaves its request open, for every status and every caller', async () => {
  const pairing = { letters: 'ACDEFG', claim: 'x', expires_at: 0, poll_seconds: 3 };
  for (const status of [200, 202, 401, 403, 410, 429, 503]) {
    /** @type {Response[]} */
    const answers = [];
    const signIn = new SignIn(
      () => '',
      () => {
        answers.push(new Response('{"screens": []}', { status }));
        return Promise.resolve(/** @type {Response} */ (answers.at(-1)));
      },
    );
    const calls = [
      signIn.current(),
      signIn.withCode('code', true),
      signIn.withToken('aa.bb.cc', true),
      signIn.signOut(),
      signIn.startPairing(),
      signIn.claim(pairing),
      signIn.waiting('ACDEFG'),
      signIn.decide('ACDEFG', { approve: false }),
      signIn.screens(),
      signIn.end('screen'),
    ];
    await Promise.allSettled(calls);
    assert.equal(answers.length, calls.length);
    assert.deepEqual(
      answers.filter(({ bodyUsed }) => !bodyUsed),
      [],
      String(status),
    );
  }
});

test('letters are taken as people type and scan them', () => {
  for (const typed of ['acdefg', 'ACD EFG', ' acd-efg ', 'https://wall.example/#pair=ACDEFG'])
    assert.equal(normalizeLetters(typed), 'ACDEFG');
  for (const typed of ['', 'ACDEF', 'ACDEFGH', 'ACDEF1', '<b>abc']) assert.equal(normalizeLetters(typed), '');
});

test('a browser is named for people', () => {
  assert.equal(
    browserName(
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
    ),
    'Chrome · Windows',
  );
  assert.equal(
    browserName(
      'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
    ),
    'Safari · iPhone',
  );
  assert.equal(
    browserName(
      'Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/108.0 TV Safari/537.36',
    ),
    'Samsung Internet · Tizen',
  );
  assert.equal(browserName(''), '—');
  assert.equal(browserName('curl/8.0'), 'curl/8.0');
});

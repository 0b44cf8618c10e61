/** Why was a WebSocket handshake refused? A browser does not say, but the same token over HTTP gets a real status. */

import { timeLimit } from './timelimit.js';

/** @param {string} url @param {string} token @param {typeof fetch} [ask] @returns {Promise<import('./connection.js').Probe>} */
export async function probe(url, token, ask = fetch) {
  try {
    const { status, headers } = await ask(url, {
      method: 'HEAD', headers: { Authorization: `Bearer ${token}` }, credentials: 'omit', cache: 'no-store', redirect: 'error', signal: timeLimit(5000),
    });
    if (status === 401) return { verdict: 'token' };
    if (status === 403) return { verdict: 'forbidden' };
    const seconds = Number(headers.get('Retry-After') ?? NaN);
    return { verdict: 'ok', retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined };
  } catch {
    return { verdict: 'unreachable' };
  }
}

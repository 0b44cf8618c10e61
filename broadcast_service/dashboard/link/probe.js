/**
 * Finds out why no socket opened. A browser does not report it, but a GET of the socket's path gets the answer that the handshake would get
 * (docs/protocol.md, "Refused handshakes"). What answers in the server's place (a proxy, a captive portal) is recognised too.
 */

import { credentials } from './credentials.js';
import { discard, timeoutSignal } from './timeout.js';

/** @typedef {import('./types.js').Probe} Probe */

const MAX_WAIT_MS = 60_000;

/**
 * @param {string} url of the socket's path, over HTTP @param {string} token
 * @param {{ask?: typeof fetch, origin?: string, now?: () => number}} [world]
 * @returns {Promise<Probe>}
 */
export async function probe(url, token, { ask = fetch, origin = '', now = Date.now } = {}) {
  try {
    const { headers, credentials: cookies } = credentials(token);
    const response = await ask(url, {
      headers: { ...headers, ...(origin && { 'Pulse-Origin': origin }) },
      credentials: cookies,
      cache: 'no-store',
      redirect: 'manual',
      signal: timeoutSignal(5000),
    });
    return verdictOf(response, await problemOf(response), now());
  } catch {
    return { verdict: 'unreachable' };
  }
}

/** @param {Response} response @param {Record<string, unknown> | null} problem null where the answer is not the server's own @param {number} nowMs @returns {Probe} */
function verdictOf({ status, type, headers }, problem, nowMs) {
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) return { verdict: 'redirect' };
  const retryAfterMs = retryAfter(headers.get('Retry-After'), Date.parse(headers.get('Date') ?? '') || nowMs);
  const setting = settingOf(problem);
  if (problem && status === 401) return { verdict: 'token' };
  if (problem && status === 403)
    return problem.code === 'origin_refused' ? { verdict: 'origin', setting } : { verdict: 'forbidden' };
  if (problem && status === 426) return { verdict: 'ok' };
  if (problem && setting && (status === 429 || status === 503)) return { verdict: 'full', retryAfterMs, setting };
  if (problem && (status === 429 || (status === 503 && retryAfterMs !== undefined)))
    return { verdict: 'busy', retryAfterMs };
  if (status === 404 || (status >= 200 && status < 300)) return { verdict: 'path', status };
  if (status >= 500) return { verdict: 'gateway', status, retryAfterMs };
  return { verdict: 'odd', status, retryAfterMs };
}

/** The server's own refusals are problem documents. @param {Response} response @returns {Promise<Record<string, unknown> | null>} */
async function problemOf(response) {
  if (!/^application\/problem\+json\b/iu.test(response.headers.get('Content-Type') ?? '')) {
    discard(response);
    return null;
  }
  const problem = await response.json().catch(() => ({}));
  return typeof problem === 'object' && problem !== null ? problem : {};
}

/** The setting that a refusal names: only what looks like the name of one. @param {Record<string, unknown> | null} problem */
function settingOf(problem) {
  const setting = problem?.setting;
  return typeof setting === 'string' && /^[A-Z][A-Z_]{1,60}$/u.test(setting) ? setting : undefined;
}

/**
 * `Retry-After` in milliseconds: digits or an HTTP date (RFC 9110 section 10.2.3), at most a minute. Anything else asks for nothing.
 * @param {string | null} text @param {number} nowMs the moment of the answer
 */
export function retryAfter(text, nowMs) {
  const value = text?.trim() ?? '';
  const waitMs = /^\d+$/u.test(value) ? Number(value) * 1000 : isHttpDate(value) ? Date.parse(value) - nowMs : NaN;
  return Number.isNaN(waitMs) || waitMs < 0 ? undefined : Math.min(waitMs, MAX_WAIT_MS);
}

/** The form that is sent, and the two obsolete ones. @param {string} text */
const isHttpDate = (text) =>
  /^(\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT|\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/u.test(
    text,
  );

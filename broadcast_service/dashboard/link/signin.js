/** Signing this browser in and out, and other screens, over HTTP. No DOM. The session cookie is never visible here: no script can read it. */

import { credentials } from './credentials.js';
import { discard, timeoutSignal } from './timeout.js';

/** @typedef {{subject: string, rooms: string[], platforms: string[] | null, expires_at: number, screen_id: string | null, name: string, manages: boolean}} Access */
/** @typedef {{letters: string, claim: string, expires_at: number, poll_seconds: number}} Pairing */
/** @typedef {{browser: string, address: string, requested_at: number, expires_at: number, rooms: string[], until: number}} WaitingScreen */
/** @typedef {{screen_id: string, subject: string, name: string, rooms: string[], platforms: string[] | null, created_at: number, expires_at: number, browser: string, address: string, this: boolean}} Screen */
/** @typedef {{approve: boolean, name?: string, days?: number}} Decision */

const TIMEOUT_MS = 10_000;

export class SignInFailed extends Error {
  /** @param {number} status 0 when nothing answered */
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

export class SignIn {
  /** @param {() => string} token of this tab, empty for a signed-in screen @param {(url: string, options: RequestInit) => Promise<Response>} [request] */
  constructor(token, request = (url, options) => fetch(url, options)) {
    this.token = token;
    this.request = request;
  }

  /** The access of this screen, null when it is not signed in. @returns {Promise<Access | null>} */
  async current() {
    try {
      return await (await this.#send('GET', '')).json();
    } catch (error) {
      if (error instanceof SignInFailed && error.status === 401) return null;
      throw error;
    }
  }

  /** Exchanges the single-use code of a link. @param {string} code @param {boolean} keep */
  async withCode(code, keep) {
    discard(await this.#send('POST', '/code', { code, keep }, ''));
  }

  /** Keeps this screen signed in for as long as the token is valid. @param {string} token @param {boolean} keep */
  async withToken(token, keep) {
    discard(await this.#send('POST', '/token', { keep }, token));
  }

  async signOut() {
    discard(await this.#send('POST', '/out', {}));
  }

  /** @returns {Promise<Pairing>} */
  async startPairing() {
    return (await this.#send('POST', '/pairings', {})).json();
  }

  /** Whether this screen has been approved; throws SignInFailed 403 when refused, 410 when the letters have expired. @param {Pairing} pairing */
  async claim({ letters, claim }) {
    const response = await this.#send('POST', '/pairings/claim', { letters, claim });
    discard(response);
    return response.status === 200;
  }

  /** The screen that waits with these letters. @param {string} letters @returns {Promise<WaitingScreen>} */
  async waiting(letters) {
    return (await this.#send('GET', `/pairings/${encodeURIComponent(letters)}`)).json();
  }

  /** @param {string} letters @param {Decision} decision */
  async decide(letters, decision) {
    discard(await this.#send('POST', `/pairings/${encodeURIComponent(letters)}`, decision));
  }

  /** @returns {Promise<Screen[]>} */
  async screens() {
    return (await (await this.#send('GET', '/screens')).json()).screens;
  }

  /** @param {string} screenId */
  async end(screenId) {
    discard(await this.#send('DELETE', `/screens/${encodeURIComponent(screenId)}`));
  }

  /** @param {string} method @param {string} path @param {object} [body] @param {string} [token] */
  async #send(method, path, body, token = this.token()) {
    const { headers } = credentials(token);
    const response = await this.request(`api/signin${path}`, {
      // the cookie always goes along: it is also what an answer sets
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: timeoutSignal(TIMEOUT_MS),
      headers: body ? { ...headers, 'Content-Type': 'application/json' } : headers,
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch(() => {
      throw new SignInFailed(0);
    });
    if (!response.ok) {
      discard(response);
      throw new SignInFailed(response.status);
    }
    return response;
  }
}

/** Normalizes typed or scanned letters: blanks, dashes and lower case are accepted, the rest must be letters. @param {string} typed */
export function normalizeLetters(typed) {
  const letters = typed
    .replace(/^.*#pair=/u, '')
    .replace(/[\s-]/gu, '')
    .toUpperCase();
  return /^[A-Z]{6}$/u.test(letters) ? letters : '';
}

/** A browser's name for people: `Chrome · Windows`. It decides nothing. @param {string} agent */
export function browserName(agent) {
  const browser = [
    ['Edg/', 'Edge'],
    ['OPR/', 'Opera'],
    ['SamsungBrowser', 'Samsung Internet'],
    ['Firefox/', 'Firefox'],
    ['Chrome/', 'Chrome'],
    ['Safari/', 'Safari'],
  ].find(([pattern]) => agent.includes(String(pattern)))?.[1];
  const system = [
    ['Android', 'Android'],
    ['iPhone', 'iPhone'],
    ['iPad', 'iPad'],
    ['Windows', 'Windows'],
    ['Mac OS', 'macOS'],
    ['CrOS', 'ChromeOS'],
    ['Tizen', 'Tizen'],
    ['Web0S', 'webOS'],
    ['Linux', 'Linux'],
  ].find(([pattern]) => agent.includes(String(pattern)))?.[1];
  return [browser, system].filter(Boolean).join(' · ') || agent.slice(0, 40) || '—';
}

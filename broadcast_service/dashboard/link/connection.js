/**
 * One dashboard's link to the broadcast service, without a DOM: it decides when to open, trust, drop and reopen a socket.
 *
 * Invariants: the token is never part of a URL; at most two sockets exist, and two only while a draining server is being left;
 * `phase` is `live` only between a SYNC and the loss of the socket that sent it. It never interprets telemetry.
 */

import { subprotocols } from './credentials.js';
import { POLL_EVERY_MS } from './poll.js';

/** @typedef {import('./messages.js').ServerEvent} ServerEvent */
/** @typedef {'connecting' | 'live' | 'waiting' | 'stopped'} Phase */
/** @typedef {'origin' | 'path' | 'gateway' | 'redirect' | 'odd'} Obstacle what refuses a socket although something answers over HTTP */
/** @typedef {'start' | 'lost' | 'silent' | 'refused' | 'busy' | 'full' | 'blocked' | Obstacle | 'moving' | 'restart' | 'token' | 'forbidden' | 'protocol'} Reason */
/**
 * @typedef {object} Link
 * @property {Phase} phase
 * @property {Reason} reason while `via` is `polling`, why there is no socket
 * @property {number | null} retryAtMs
 * @property {number | null} lostAtMs
 * @property {'socket' | 'polling'} [via] how a live page gets its numbers
 * @property {string | undefined} [setting] the server's setting that refuses the socket, where it named one
 * @property {number | undefined} [status] the HTTP status that something on the way answered with
 */
/** @typedef {{verdict: 'ok' | 'token' | 'forbidden' | 'unreachable' | 'busy' | 'full' | Obstacle, retryAfterMs?: number | undefined, setting?: string | undefined, status?: number | undefined}} Probe */
/**
 * @typedef {object} Socket what is used of a WebSocket
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 */
/**
 * @typedef {object} Timers
 * @property {() => number} now
 * @property {(run: () => void, delayMs: number) => any} set
 * @property {(timer: any) => void} clear
 */
/**
 * @typedef {object} Environment
 * @property {string} url of the socket, without a query
 * @property {(url: string, protocols: string[]) => Socket} openSocket
 * @property {(token: string) => Promise<Probe>} probe asks over HTTP why a handshake failed; browsers do not say
 * @property {(token: string) => Promise<import('./poll.js').Polled>} poll reads the latest values over HTTP
 * @property {Timers} timers
 * @property {() => number} random
 * @property {(events: ServerEvent[]) => void} onEvents
 * @property {(link: Link) => void} onLink
 * @property {(token: string, accepted: boolean) => void} onRenewal what became of a token given to `renew`
 */

const BACKOFF_MIN_MS = 500;
/** Right again within seconds is the promise: a wall never waits longer than this for a server that is back. */
const BACKOFF_MAX_MS = 10_000;
/** Nobody is waited for longer than this, whatever a server or a proxy asks: an open page is right again within a minute. */
const MAX_WAIT_MS = 60_000;
/** While polling feeds the page, a socket is tried this often. */
const RETRY_BESIDE_POLLING_MS = 15_000;
/** So many sockets in a row that never brought a SYNC, although HTTP answers, are no accident. */
const FAILURES_BEFORE_POLLING = 2;
const OPEN_TIMEOUT_MS = 10_000;
const PONG_TIMEOUT_MS = 3000;
/** A heartbeat may be this late before the server is asked whether it is still there. */
export const HEARTBEAT_GRACE_MS = 2000;
/** No heartbeat is expected to take longer, whatever HELLO says: timers beyond 2^31 ms run out at once. */
const MAX_HEARTBEAT_MS = 600_000;
/** A link that lived this long was a good one: the next failure starts again from the shortest pause. */
const STABLE_AFTER_MS = 10_000;

/** @type {Record<number, Reason>} closes after which the same token and page can only fail again */
const FINAL_CLOSES = { 1003: 'protocol', 1009: 'protocol', 4400: 'protocol', 4401: 'token', 4403: 'forbidden' };

/** Closes that say clearly what they mean: the server restarts, or wants to be asked later. */
const RETRYABLE_CLOSES = new Set([1012, 1013, 4408, 4429]);
/** @type {Set<Reason>} reasons that concern sockets alone, or may */
const POLLABLE_REASONS = new Set(/** @type {Reason[]} */ (['blocked', 'origin', 'path', 'gateway', 'redirect', 'odd']));

/**
 * Full jitter: anywhere between nothing and a ceiling that doubles, so that a thousand walls do not return in step.
 * @param {number} attempt from 0
 * @param {() => number} random
 */
export function backoffMs(attempt, random) {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt);
}

/** @param {unknown} data @returns {ServerEvent[]} */
export function parseFrame(data) {
  return String(data)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** One socket and the timers that watch it. */
class Session {
  heartbeatMs = 0;
  opened = false;
  synced = false;
  /** Whether a ping is under way. */
  pinging = false;
  /** @type {any} */
  watchdog = null;

  /** @param {Socket} socket */
  constructor(socket) {
    this.socket = socket;
  }
}

export class Connection {
  /** @type {Environment} */
  #world;
  #token = '';
  /** @type {string | null} */
  #renewing = null;
  /** @type {Session | null} the socket that feeds the page */
  #current = null;
  /** @type {Session | null} the one being opened to take over */
  #next = null;
  /** @type {any} */
  #retryTimer = null;
  /** @type {number | null} */
  #retryAtMs = null;
  #attempt = 0;
  #liveSinceMs = 0;
  #version = 0;
  #stopped = true;
  /** Sockets in a row that never brought a SYNC. */
  #failures = 0;
  /** @type {{reason: Reason, setting?: string | undefined, status?: number | undefined}} what was found to refuse a socket */
  #refusal = { reason: 'refused' };
  #polling = false;
  /** Whether the last poll was answered. */
  #polled = false;
  /** @type {any} */
  #pollTimer = null;
  /** @type {Link} */
  #link = {
    phase: 'connecting',
    reason: 'start',
    retryAtMs: null,
    lostAtMs: null,
    via: 'socket',
    setting: undefined,
    status: undefined,
  };

  /** @param {Environment} world */
  constructor(world) {
    this.#world = world;
  }

  /** @returns {Link} */
  get link() {
    return this.#link;
  }

  get token() {
    return this.#token;
  }

  /** @param {string} token */
  start(token) {
    this.stop();
    this.#token = token;
    this.#version = this.#attempt = this.#failures = 0;
    this.#refusal = { reason: 'refused' };
    this.#stopped = false;
    this.#report('connecting', 'start');
    this.#open();
  }

  /** Ends the link for good, or until the next `start`. */
  stop() {
    this.#stopped = true;
    this.#renewing = null;
    this.#cancelRetry();
    this.#stopPolling();
    for (const session of [this.#current, this.#next]) if (session) this.#discard(session);
    this.#current = this.#next = null;
  }

  /** Offers a token over the open socket, without a gap. @param {string} token @returns {boolean} false while no socket is there to take it */
  renew(token) {
    if (!this.#current?.synced) return false;
    this.#renewing = token;
    this.#current.socket.send(JSON.stringify({ type: 'auth', token }));
    return true;
  }

  /** The page came back (visible, online): do not wait out a pause, and do not trust a socket that may have died in sleep. */
  wake() {
    if (this.#stopped) return;
    if (this.#link.phase === 'waiting' || this.#link.via === 'polling') return this.#open();
    this.ask();
  }

  /** Sends a ping if no ping is under way; a server that does not answer within seconds is left. */
  ask() {
    if (this.#current?.synced && !this.#current.pinging) this.#ping(this.#current);
  }

  #open() {
    this.#cancelRetry();
    if (this.#next) return;
    const url = this.#version ? `${this.#world.url}?since=${this.#version}` : this.#world.url;
    const session = new Session(this.#world.openSocket(url, subprotocols(this.#token)));
    this.#next = session;
    if (!this.#current) this.#report('connecting', this.#link.reason);
    this.#watch(session, OPEN_TIMEOUT_MS);
    session.socket.onopen = () => {
      session.opened = true;
    };
    session.socket.onmessage = ({ data }) => this.#handleFrame(session, data);
    session.socket.onclose = ({ code }) => this.#handleClose(session, code);
  }

  /** @param {Session} session @param {unknown} data */
  #handleFrame(session, data) {
    let events;
    try {
      events = parseFrame(data);
    } catch {
      return this.#drop(session, 'protocol');
    }
    for (const event of events) this.#handleEvent(session, event);
    session.pinging = false;
    if (session.heartbeatMs) this.#expectHeartbeat(session);
    this.#world.onEvents(events);
  }

  /** @param {Session} session @param {ServerEvent} event */
  #handleEvent(session, event) {
    switch (event.event_type) {
      case 'HELLO':
        session.heartbeatMs = Math.min(event.heartbeat_seconds * 1000, MAX_HEARTBEAT_MS);
        break;
      case 'SYNC':
        this.#version = event.version;
        if (!session.synced) this.#promote(session);
        break;
      case 'RECONNECT':
        this.#retryIn(event.retry_after_ms, 'moving');
        break;
      case 'TOKEN_RENEWED':
        this.#token = this.#renewing ?? this.#token;
        this.#version = 0; // its scope may be another: should the socket be lost before the next SYNC, only a snapshot will do
        this.#answerRenewal(true);
        break;
      case 'ERROR':
        this.#answerRenewal(false);
    }
  }

  /** @param {boolean} accepted */
  #answerRenewal(accepted) {
    const token = this.#renewing;
    this.#renewing = null;
    if (token !== null) this.#world.onRenewal(token, accepted);
  }

  /** The new socket has told everything: only now is the old one let go. @param {Session} session */
  #promote(session) {
    session.synced = true;
    if (this.#current && this.#current !== session) this.#discard(this.#current);
    this.#current = session;
    if (this.#next === session) this.#next = null;
    this.#cancelRetry();
    this.#stopPolling();
    this.#failures = 0;
    this.#refusal = { reason: 'refused' };
    this.#liveSinceMs = this.#world.timers.now();
    this.#report('live', 'start');
  }

  /** @param {Session} session @param {number} code */
  #handleClose(session, code) {
    const wasCurrent = session === this.#current;
    this.#discard(session);
    if (wasCurrent) this.#current = null;
    else this.#next = null;
    this.#resume(session, code);
    if (wasCurrent) this.#answerRenewal(false);
  }

  /** @param {Session} session that is gone @param {number} code */
  #resume(session, code) {
    const final = FINAL_CLOSES[code];
    if (final && !this.#current) return this.#halt(final);
    if (!session.opened && !this.#current) return void this.#probeServer();
    if (!session.synced && !RETRYABLE_CLOSES.has(code)) this.#countFailure();
    this.#scheduleReconnect(code === 1012 ? 'restart' : code === 1013 || code === 4429 ? 'busy' : 'lost');
  }

  /** @param {Session} session @param {Reason} reason */
  #drop(session, reason) {
    const wasCurrent = session === this.#current;
    this.#discard(session);
    if (wasCurrent) this.#current = null;
    if (session === this.#next) this.#next = null;
    if (!session.synced && !this.#current) this.#countFailure();
    this.#scheduleReconnect(reason);
    if (wasCurrent) this.#answerRenewal(false);
  }

  /** @param {Session} session */
  #discard(session) {
    this.#world.timers.clear(session.watchdog);
    const { socket } = session;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  /** A handshake failed, and the browser hides why. The answer decides between a new token, patience and polling. */
  async #probeServer() {
    if (!this.#current) this.#report('connecting', this.#link.reason);
    const token = this.#token;
    const { verdict, retryAfterMs, setting, status } = await this.#world.probe(token);
    if (this.#stopped || token !== this.#token || this.#next || this.#current) return;
    if (verdict === 'token' || verdict === 'forbidden') return this.#halt(verdict);
    this.#failures++;
    const reason = this.#reasonFor(verdict, retryAfterMs);
    this.#refusal = { reason, setting, status };
    if (POLLABLE_REASONS.has(reason)) this.#startPolling();
    else if (reason !== 'lost') this.#stopPolling();
    this.#scheduleReconnect(reason, retryAfterMs);
  }

  /** Nothing stands against a socket, and none opens: once is a server that was restarting, twice something in between. @param {Probe['verdict']} verdict @param {number | undefined} retryAfterMs @returns {Reason} */
  #reasonFor(verdict, retryAfterMs) {
    if (verdict === 'token' || verdict === 'forbidden') return verdict;
    if (verdict === 'unreachable') return 'refused';
    if (verdict !== 'ok') return verdict;
    if (retryAfterMs !== undefined) return 'busy';
    return this.#failures >= FAILURES_BEFORE_POLLING ? 'blocked' : 'lost';
  }

  /** A socket opened and brought nothing. */
  #countFailure() {
    if (this.#current || this.#stopped || ++this.#failures < FAILURES_BEFORE_POLLING) return;
    this.#refusal = { reason: 'blocked' };
    this.#startPolling();
  }

  #startPolling() {
    if (this.#polling) return;
    this.#polling = true;
    void this.#poll();
  }

  #stopPolling() {
    this.#polling = this.#polled = false;
    this.#world.timers.clear(this.#pollTimer);
  }

  async #poll() {
    const token = this.#token;
    const answer = await this.#world.poll(token);
    if (!this.#polling || token !== this.#token) return;
    if ('verdict' in answer && answer.verdict !== 'unreachable') return this.#halt(answer.verdict);
    const was = this.#polled;
    this.#polled = 'events' in answer;
    if (was !== this.#polled) this.#report('waiting', this.#refusal.reason, this.#retryAtMs);
    if ('events' in answer) this.#world.onEvents(answer.events);
    this.#pollTimer = this.#world.timers.set(
      () => void this.#poll(),
      POLL_EVERY_MS * (0.9 + 0.2 * this.#world.random()),
    );
  }

  /** @param {Reason} reason @param {number} [atLeastMs] */
  #scheduleReconnect(reason, atLeastMs = 0) {
    if (this.#stopped) return;
    if (this.#next || this.#retryTimer !== null) {
      if (!this.#current) this.#report('connecting', this.#link.reason === 'start' ? 'moving' : this.#link.reason);
      return;
    }
    const { now } = this.#world.timers;
    if (this.#liveSinceMs && now() - this.#liveSinceMs > STABLE_AFTER_MS) this.#attempt = 0;
    this.#liveSinceMs = 0;
    const pauseMs = backoffMs(this.#attempt++, this.#world.random);
    this.#retryIn(this.#polling ? RETRY_BESIDE_POLLING_MS + pauseMs : atLeastMs + pauseMs, reason);
  }

  /** @param {number} delayMs @param {Reason} reason */
  #retryIn(delayMs, reason) {
    this.#cancelRetry();
    const waitMs = Math.min(Math.max(0, Number(delayMs) || 0), MAX_WAIT_MS);
    this.#retryTimer = this.#world.timers.set(() => this.#open(), waitMs);
    this.#retryAtMs = this.#world.timers.now() + waitMs;
    if (!this.#current) this.#report('waiting', reason, this.#retryAtMs);
  }

  #cancelRetry() {
    this.#world.timers.clear(this.#retryTimer);
    this.#retryTimer = null;
    this.#retryAtMs = null;
  }

  /** @param {Reason} reason */
  #halt(reason) {
    const renewing = this.#renewing;
    this.stop();
    this.#renewing = renewing; // a better token may have been on its way
    this.#report('stopped', reason);
  }

  /** @param {Session} session @param {number} withinMs */
  #watch(session, withinMs) {
    this.#world.timers.clear(session.watchdog);
    session.watchdog = this.#world.timers.set(() => this.#drop(session, 'silent'), withinMs);
  }

  /** The first missed heartbeat is reason enough to ask. @param {Session} session */
  #expectHeartbeat(session) {
    this.#world.timers.clear(session.watchdog);
    session.watchdog = this.#world.timers.set(() => this.#ping(session), session.heartbeatMs + HEARTBEAT_GRACE_MS);
  }

  /** @param {Session} session */
  #ping(session) {
    session.pinging = true;
    session.socket.send('{"type":"ping"}');
    this.#watch(session, PONG_TIMEOUT_MS);
  }

  /** @param {Phase} phase @param {Reason} reason @param {number | null} [retryAtMs] */
  #report(phase, reason, retryAtMs = null) {
    const { setting, status } = this.#refusal;
    const polled = this.#polled && (phase === 'connecting' || phase === 'waiting');
    const lostAtMs = polled || phase === 'live' ? null : (this.#link.lostAtMs ?? this.#world.timers.now());
    this.#link = polled
      ? { phase: 'live', reason: this.#refusal.reason, retryAtMs, lostAtMs, via: 'polling', setting, status }
      : { phase, reason, retryAtMs, lostAtMs, via: 'socket', setting, status };
    this.#world.onLink(this.#link);
  }
}

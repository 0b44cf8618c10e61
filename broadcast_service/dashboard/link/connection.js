/**
 * One dashboard's link to the broadcast service, without a DOM: it decides when to open, trust, drop and reopen a socket.
 *
 * Invariants: the token is never part of a URL; at most two sockets exist, and two only while a draining server is being left;
 * `phase` is `live` only between a SYNC and the loss of the socket that sent it. It never interprets telemetry.
 */

import { Backoff } from './backoff.js';
import { subprotocols } from './credentials.js';
import { Poller } from './poller.js';
import { SocketSession } from './socket_session.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').Link} Link */
/** @typedef {import('./types.js').Phase} Phase */
/** @typedef {import('./types.js').Probe} Probe */
/** @typedef {import('./types.js').Reason} Reason */
/** @typedef {import('./types.js').ServerEvent} ServerEvent */

/** No wait that a server or a proxy asks for is longer: an open page is right again within a minute. */
const MAX_WAIT_MS = 60_000;
/** While polling feeds the page, a socket is tried this often. */
const RETRY_BESIDE_POLLING_MS = 15_000;
/** Polling starts after this many sockets in a row that never delivered a SYNC, although HTTP answers. */
const FAILURES_BEFORE_POLLING = 2;

/** @type {Record<number, Reason>} closes after which the same token and page can only fail again */
const FINAL_CLOSES = { 1003: 'protocol', 1009: 'protocol', 4400: 'protocol', 4401: 'token', 4403: 'forbidden' };
/** Closes that name a temporary cause: the server restarts, or asks for a later attempt. */
const RETRYABLE_CLOSES = new Set([1012, 1013, 4408, 4429]);
/** @type {Set<Reason>} reasons that concern sockets alone, or may */
const POLLABLE_REASONS = new Set(/** @type {Reason[]} */ (['blocked', 'origin', 'path', 'gateway', 'redirect', 'odd']));

export class Connection {
  /** @type {Environment} */
  #environment;
  #token = '';
  /** @type {string | null} the token offered over the open socket, until the server answers */
  #renewing = null;
  /** @type {SocketSession | null} the socket that feeds the page */
  #current = null;
  /** @type {SocketSession | null} the one being opened to take over */
  #next = null;
  /** @type {any} */
  #retryTimer = null;
  /** @type {number | null} */
  #retryAtMs = null;
  #version = 0;
  #stopped = true;
  /** Sockets in a row that never delivered a SYNC. */
  #failures = 0;
  /** @type {import('./types.js').Refusal} why the last socket was refused */
  #refusal = { reason: 'refused' };
  /** @type {Backoff} */
  #backoff;
  /** @type {Poller} */
  #poller;
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

  /** @param {Environment} environment */
  constructor(environment) {
    this.#environment = environment;
    this.#backoff = new Backoff(environment.random);
    this.#poller = new Poller(environment, {
      onEvents: environment.onEvents,
      onChange: () => this.#report('waiting', this.#refusal.reason, this.#retryAtMs),
      onRefused: (verdict) => this.#halt(verdict),
    });
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
    this.#version = this.#failures = 0;
    this.#backoff.reset();
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
    this.#poller.stop();
    this.#current?.close();
    this.#next?.close();
    this.#current = this.#next = null;
  }

  /** Offers a token over the open socket, without a gap. @param {string} token @returns {boolean} false while no socket is open to offer it on */
  renew(token) {
    if (!this.#current?.synced) return false;
    this.#renewing = token;
    this.#current.send({ type: 'auth', token });
    return true;
  }

  /** The page is visible or online again: do not wait out a pause, and do not trust a socket that may have died in sleep. */
  wake() {
    if (this.#stopped) return;
    if (this.#link.phase === 'waiting' || this.#link.via === 'polling') return this.#open();
    this.ping();
  }

  /** Pings the server unless a ping is under way; a server that does not answer within seconds is left. */
  ping() {
    if (this.#current?.synced) this.#current.ping();
  }

  #open() {
    this.#cancelRetry();
    if (this.#next) return;
    const { url, openSocket, timers } = this.#environment;
    const socket = openSocket(this.#version ? `${url}?since=${this.#version}` : url, subprotocols(this.#token));
    this.#next = new SocketSession(socket, timers, {
      onEvents: (session, events) => this.#handleEvents(session, events),
      onClose: (session, code) => this.#handleClose(session, code),
      onFailure: (session, reason) => this.#drop(session, reason),
    });
    if (!this.#current) this.#report('connecting', this.#link.reason);
  }

  /** @param {SocketSession} session @param {ServerEvent[]} events */
  #handleEvents(session, events) {
    for (const event of events) this.#handleEvent(session, event);
    this.#environment.onEvents(events);
  }

  /** @param {SocketSession} session @param {ServerEvent} event */
  #handleEvent(session, event) {
    switch (event.event_type) {
      case 'SYNC':
        this.#version = event.version;
        if (!session.synced) this.#promote(session);
        break;
      case 'RECONNECT':
        this.#retryIn(event.retry_after_ms, 'moving');
        break;
      case 'TOKEN_RENEWED':
        this.#token = this.#renewing ?? this.#token;
        this.#version = 0; // its scope may differ: if the socket is lost before the next SYNC, only a snapshot is right
        this.#reportRenewal(true);
        break;
      case 'ERROR':
        this.#reportRenewal(false);
    }
  }

  /** @param {boolean} accepted */
  #reportRenewal(accepted) {
    const token = this.#renewing;
    this.#renewing = null;
    if (token !== null) this.#environment.onRenewal(token, accepted);
  }

  /** The new socket has delivered everything, so it replaces the old one. @param {SocketSession} session */
  #promote(session) {
    session.synced = true;
    if (this.#current !== session) this.#current?.close();
    this.#current = session;
    if (this.#next === session) this.#next = null;
    this.#cancelRetry();
    this.#poller.stop();
    this.#failures = 0;
    this.#refusal = { reason: 'refused' };
    this.#backoff.connected(this.#environment.timers.now());
    this.#report('live', 'start');
  }

  /** @param {SocketSession} session @param {number} code */
  #handleClose(session, code) {
    const wasCurrent = session === this.#current;
    session.close();
    if (wasCurrent) this.#current = null;
    else this.#next = null;
    this.#resume(session, code);
    if (wasCurrent) this.#reportRenewal(false);
  }

  /** Decides what follows a close: nothing, a probe, or another socket. @param {SocketSession} session the closed one @param {number} code */
  #resume(session, code) {
    const final = FINAL_CLOSES[code];
    if (final && !this.#current) return this.#halt(final);
    if (!session.opened && !this.#current) return void this.#probe();
    if (!session.synced && !RETRYABLE_CLOSES.has(code)) this.#countFailure();
    this.#scheduleReconnect(code === 1012 ? 'restart' : code === 1013 || code === 4429 ? 'busy' : 'lost');
  }

  /** @param {SocketSession} session @param {Reason} reason */
  #drop(session, reason) {
    const wasCurrent = session === this.#current;
    session.close();
    if (wasCurrent) this.#current = null;
    if (session === this.#next) this.#next = null;
    if (!session.synced && !this.#current) this.#countFailure();
    this.#scheduleReconnect(reason);
    if (wasCurrent) this.#reportRenewal(false);
  }

  /** A handshake failed, and the browser hides why. A probe decides between a new token, waiting and polling. */
  async #probe() {
    if (!this.#current) this.#report('connecting', this.#link.reason);
    const token = this.#token;
    const { verdict, retryAfterMs, setting, status } = await this.#environment.probe(token);
    if (this.#stopped || token !== this.#token || this.#next || this.#current) return;
    if (verdict === 'token' || verdict === 'forbidden') return this.#halt(verdict);
    this.#failures++;
    const reason = this.#reasonFor(verdict, retryAfterMs);
    this.#refusal = { reason, setting, status };
    if (POLLABLE_REASONS.has(reason)) this.#poller.start(token);
    else if (reason !== 'lost') this.#poller.stop();
    this.#scheduleReconnect(reason, retryAfterMs);
  }

  /**
   * The probe is answered `ok` and yet no socket opens: once is a server that was restarting, twice is something in between.
   * @param {Probe['verdict']} verdict @param {number | undefined} retryAfterMs @returns {Reason}
   */
  #reasonFor(verdict, retryAfterMs) {
    if (verdict === 'token' || verdict === 'forbidden') return verdict;
    if (verdict === 'unreachable') return 'refused';
    if (verdict !== 'ok') return verdict;
    if (retryAfterMs !== undefined) return 'busy';
    return this.#failures >= FAILURES_BEFORE_POLLING ? 'blocked' : 'lost';
  }

  /** A socket opened and delivered no SYNC. */
  #countFailure() {
    if (this.#current || this.#stopped || ++this.#failures < FAILURES_BEFORE_POLLING) return;
    this.#refusal = { reason: 'blocked' };
    this.#poller.start(this.#token);
  }

  /** @param {Reason} reason @param {number} [atLeastMs] */
  #scheduleReconnect(reason, atLeastMs = 0) {
    if (this.#stopped) return;
    if (this.#next || this.#retryTimer !== null) {
      if (!this.#current) this.#report('connecting', this.#link.reason === 'start' ? 'moving' : this.#link.reason);
      return;
    }
    const pauseMs = this.#backoff.nextMs(this.#environment.timers.now());
    this.#retryIn((this.#poller.active ? RETRY_BESIDE_POLLING_MS : atLeastMs) + pauseMs, reason);
  }

  /** @param {number} delayMs @param {Reason} reason */
  #retryIn(delayMs, reason) {
    this.#cancelRetry();
    const { timers } = this.#environment;
    const waitMs = Math.min(Math.max(0, Number(delayMs) || 0), MAX_WAIT_MS);
    this.#retryTimer = timers.set(() => this.#open(), waitMs);
    this.#retryAtMs = timers.now() + waitMs;
    if (!this.#current) this.#report('waiting', reason, this.#retryAtMs);
  }

  #cancelRetry() {
    this.#environment.timers.clear(this.#retryTimer);
    this.#retryTimer = null;
    this.#retryAtMs = null;
  }

  /** @param {Reason} reason */
  #halt(reason) {
    const renewing = this.#renewing;
    this.stop();
    this.#renewing = renewing; // a better token may be on its way
    this.#report('stopped', reason);
  }

  /** @param {Phase} phase @param {Reason} reason @param {number | null} [retryAtMs] */
  #report(phase, reason, retryAtMs = null) {
    const { setting, status } = this.#refusal;
    const polled = this.#poller.answered && (phase === 'connecting' || phase === 'waiting');
    const lostAtMs = polled || phase === 'live' ? null : (this.#link.lostAtMs ?? this.#environment.timers.now());
    this.#link = polled
      ? { phase: 'live', reason: this.#refusal.reason, retryAtMs, lostAtMs, via: 'polling', setting, status }
      : { phase, reason, retryAtMs, lostAtMs, via: 'socket', setting, status };
    this.#environment.onLink(this.#link);
  }
}

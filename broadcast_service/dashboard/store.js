/**
 * Messages to state, pure: no DOM, no timers, no network. The local clock is an argument.
 *
 * Invariant: a feed (one room on one platform) never goes back to an older version, whatever order or however often events arrive.
 */

import { ServerClock } from './clock.js';
import { Ledger, gain } from './earnings.js';

/** @typedef {import('./messages.js').ServerEvent} ServerEvent */
/** @typedef {import('./messages.js').TelemetryUpdate} TelemetryUpdate */
/** @typedef {'live' | 'unconfirmed' | 'stale' | 'off_air' | 'expired'} Status */
/**
 * @typedef {object} Feed
 * @property {string} key
 * @property {string} room
 * @property {string} platform
 * @property {number} tokens
 * @property {number | null} tips
 * @property {number | null} viewers
 * @property {number | null} goal
 * @property {number} readAt Unix seconds of the reading
 * @property {number} version
 * @property {boolean} expired
 * @property {number} generation the snapshot that last mentioned it
 * @property {Ledger} ledger
 */
/** @typedef {{updated: Set<string>, flashed: Set<string>, added: Set<string>, removed: Set<string>}} Changes */

export const OFF_AIR_SECONDS = 60;
export const SPARK_MINUTES = 30;
const DAY_MINUTES = 1440;

/** @param {string} room @param {string} platform */
export const feedKey = (room, platform) => `${room}\n${platform}`;

/** @returns {Changes} */
const noChanges = () => ({ updated: new Set(), flashed: new Set(), added: new Set(), removed: new Set() });

export class Store {
  /** @type {Map<string, Feed>} */
  feeds = new Map();
  clock = new ServerClock();
  /** All rooms together; keeps today and the hour before it. */
  ledger = new Ledger(DAY_MINUTES + 60);
  /** @type {number | null} first minute the totals know about */
  knownSinceMinute = null;
  staleSeconds = 15;
  ttlSeconds = 3600;
  /** @type {number | null} */
  tokenExpiresAt = null;
  /** @type {{rooms: string[], platforms: string[] | null} | null} */
  scope = null;
  /** @type {'unknown' | 'ok' | 'degraded'} */
  upstream = 'unknown';
  /** Whether everything in scope has been told at least once. */
  complete = false;
  #generation = 0;
  #changes = noChanges();

  /** @param {ServerEvent} event @param {number} localMs */
  apply(event, localMs) {
    switch (event.event_type) {
      case 'TELEMETRY_UPDATE':
        return this.#update(event);
      case 'TELEMETRY_EXPIRED':
        return this.#expire(feedKey(event.room_id, event.data.platform), event.version);
      case 'HELLO':
        this.clock.sample(event.time_ms, localMs);
        this.staleSeconds = event.stale_seconds;
        this.ttlSeconds = event.ttl_seconds;
        this.tokenExpiresAt = event.token_expires_at;
        this.scope = { rooms: event.rooms, platforms: event.platforms };
        this.#generation++; // a snapshot begins here, unless SYNC says otherwise
        return;
      case 'SYNC':
        this.clock.sample(event.time_ms, localMs);
        this.knownSinceMinute ??= Math.floor(event.time_ms / 60_000);
        this.complete = true;
        if (event.snapshot) this.#forgetUnmentioned();
        return;
      case 'PONG':
        return this.clock.sample(event.time_ms, localMs);
      case 'UPSTREAM':
        this.upstream = event.status;
        return;
      case 'TOKEN_RENEWED':
        this.#generation++;
        this.tokenExpiresAt = event.expires_at;
        return;
      case 'TOKEN_EXPIRING':
        this.tokenExpiresAt = event.expires_at;
    }
  }

  /** A different token may see different rooms: nothing of the old one stays. */
  clear() {
    for (const key of this.feeds.keys()) this.#remove(key);
    this.forgetEarnings();
    this.knownSinceMinute = null;
    this.upstream = 'unknown';
    this.complete = false;
    this.tokenExpiresAt = null;
  }

  /** What all rooms together earned, after which history tells it anew. */
  forgetEarnings() {
    this.ledger = new Ledger(DAY_MINUTES + 60);
  }

  /**
   * History's word for every minute up to `settledMinute`; later minutes stay as they were seen live.
   * @param {Map<number, number>} minutes earned by all rooms
   * @param {{room_id: string, platform: string, minutes: Map<number, number>}[]} feeds
   * @param {number} fromMinute the first minute of the totals @param {number} settledMinute
   */
  settle(minutes, feeds, fromMinute, settledMinute) {
    this.ledger.settle(minutes, settledMinute);
    this.knownSinceMinute = Math.min(this.knownSinceMinute ?? fromMinute, fromMinute);
    for (const { room_id: room, platform, minutes: earned } of feeds) {
      const key = feedKey(room, platform);
      const feed = this.feeds.get(key);
      if (!feed) continue;
      feed.ledger.settle(earned, settledMinute);
      this.#changes.updated.add(key);
    }
  }

  /** What changed since the last call. */
  takeChanges() {
    const changes = this.#changes;
    this.#changes = noChanges();
    return changes;
  }

  /** @param {TelemetryUpdate} event */
  #update({ room_id: room, data, version }) {
    const key = feedKey(room, data.platform);
    const before = this.feeds.get(key);
    if (before) before.generation = this.#generation;
    if (before && version <= before.version) return;
    const feed = before ?? newFeed(key, room, data.platform, this.#generation);
    const earned = before ? gain(before.tokens, data.tokens) : 0;
    const minute = Math.floor(data.timestamp / 60);
    feed.ledger.add(minute, earned);
    this.ledger.add(minute, earned);
    if (before && differs(before, data)) this.#changes.flashed.add(key);
    const { tokens, tips, viewers, goal, timestamp: readAt } = data;
    Object.assign(feed, { tokens, tips, viewers, goal, readAt, version, expired: false });
    if (!before) {
      this.feeds.set(key, feed);
      this.#changes.added.add(key);
      this.#changes.removed.delete(key);
    }
    this.#changes.updated.add(key);
  }

  /** @param {string} key @param {number} version */
  #expire(key, version) {
    const feed = this.feeds.get(key);
    if (!feed || feed.version > version) return;
    feed.expired = true;
    this.#changes.updated.add(key);
  }

  #forgetUnmentioned() {
    for (const [key, feed] of this.feeds) if (feed.generation !== this.#generation) this.#remove(key);
  }

  /** @param {string} key */
  #remove(key) {
    this.feeds.delete(key);
    this.#changes.removed.add(key);
    for (const set of [this.#changes.added, this.#changes.updated, this.#changes.flashed]) set.delete(key);
  }
}

/** @param {string} key @param {string} room @param {string} platform @param {number} generation @returns {Feed} */
function newFeed(key, room, platform, generation) {
  const ledger = new Ledger(60);
  return { key, room, platform, tokens: 0, tips: null, viewers: null, goal: null, readAt: 0, version: 0, expired: false, generation, ledger };
}

/** @param {Feed} feed @param {import('./messages.js').Numbers} data */
function differs(feed, data) {
  return feed.tokens !== data.tokens || feed.tips !== data.tips || feed.viewers !== data.viewers;
}

/**
 * What may be claimed about a feed. `trusted` is false while the link or the server's own source is down: then nothing is called live.
 * @param {Feed} feed
 * @param {number} nowMs the server's clock
 * @param {{staleSeconds: number, ttlSeconds: number}} terms
 * @param {boolean} trusted
 * @returns {Status}
 */
export function statusOf(feed, nowMs, terms, trusted) {
  const age = nowMs / 1000 - feed.readAt;
  if (feed.expired || age > terms.ttlSeconds) return 'expired';
  if (age > OFF_AIR_SECONDS) return 'off_air';
  if (age > terms.staleSeconds) return 'stale';
  return trusted ? 'live' : 'unconfirmed';
}

/**
 * Messages to state, pure: no DOM, no timers, no network. The local clock is an argument.
 *
 * Invariant: a feed (one room on one platform) never goes back to an older version, in whichever order and however often events arrive.
 */

import { Coverage } from './coverage.js';
import { noDesks, recordDesk } from './desks.js';
import { Account, isCertain } from './income.js';
import { lagOf, lastSeenAt } from './lag.js';
import { Ledger } from './ledger.js';
import { metricsOf, unknownMetrics } from './metrics.js';
import { ServerClock } from './server_clock.js';
import { ShiftIncome } from './shift_income.js';
import { silenceOf } from './silence.js';
import { StudioFacts } from './studio.js';

/** @typedef {import('../link/messages.js').ServerEvent} ServerEvent */
/** @typedef {import('../link/messages.js').TelemetryUpdate} TelemetryUpdate */
/** @typedef {'live' | 'unconfirmed' | 'stale' | 'off_air' | 'expired'} Status */
/**
 * @typedef {object} FeedState
 * @property {string} key
 * @property {string} room
 * @property {string} platform
 * @property {string} account whose balance was read last; empty: the producer names none
 * @property {number} pending tokens that wait for a confirmation and are in no total
 * @property {number} readAt Unix seconds of the reading; never after its commit, even where the producer's clock is ahead
 * @property {number} committedAt Unix seconds, by the server's clock
 * @property {number} interval seconds between the producer's readings
 * @property {import('./lag.js').Lag | null} lag how far the producer's clock or its delivery is behind or ahead
 * @property {number} version
 * @property {boolean} expired
 * @property {number} expiredAtMs the server's clock when it expired; Infinity while it has not
 * @property {number} generation the snapshot that last mentioned it
 * @property {import('./desks.js').Desks} desks its last readings, which show whether two desks report it
 * @property {number} dayEarned tokens of the day up to `Store.day.untilMinute`, by history
 * @property {Ledger} ledger
 * @property {Coverage} coverage the minutes in which it was read
 */
/** @typedef {FeedState & import('./metrics.js').MetricValues} Feed */
/** @typedef {{updated: Set<string>, flashed: Set<string>, added: Set<string>, removed: Set<string>}} Changes */

/** Readings that may be missing before a feed is stale, and before it is off air. */
export const STALE_INTERVALS = 3;
export const OFF_AIR_INTERVALS = 12;
export const DEFAULT_INTERVAL_SECONDS = 5;
export const SPARK_MINUTES = 30;
const DAY_MINUTES = 1440;
/** The part of the measured minutes in which a feed was read without a pause. */
const MIN_ON_AIR = 0.95;
/** Of a feed's own ledger: an hour, and as long as it takes until history settles the next ones. */
const FEED_MINUTES = 120;

/** @param {string} room @param {string} platform */
export const feedKey = (room, platform) => `${room}\n${platform}`;

/** @param {number} from @param {number} to both inclusive */
const minutesBetween = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

/** @returns {Changes} */
const noChanges = () => ({ updated: new Set(), flashed: new Set(), added: new Set(), removed: new Set() });

export class Store {
  /** @type {Map<string, Feed>} */
  feeds = new Map();
  clock = new ServerClock();
  studio = new StudioFacts();
  shifts = new ShiftIncome(this, feedKey);
  /** All rooms together; keeps today and the hour before it. */
  ledger = new Ledger(DAY_MINUTES + 60);
  /** In which minutes anything is known. */
  coverage = new Coverage(DAY_MINUTES + 60);
  /** @type {Coverage | null} the minutes known before `resetEarnings`, until history delivers again: feeds keep their own minutes meanwhile */
  #formerCoverage = null;
  /** @type {number | null} first minute the totals know about */
  knownSinceMinute = null;
  /** First minute from which history has settled the feeds' own ledgers. */
  feedsKnownSinceMinute = Infinity;
  ttlSeconds = 3600;
  heartbeatSeconds = 10;
  /** @type {{fromMinute: number, untilMinute: number} | null} the part of the day that `dayEarned` of each feed covers */
  day = null;
  /** @type {'pending' | 'known' | 'failed'} whether history has delivered the earnings from before this page was opened */
  past = 'pending';
  /** @type {number | null} the server's clock in its last message; null before the first `SYNC` */
  lastMessageAtMs = null;
  /** @type {number | null} the server's clock when the readings were last known to be current: frozen while the server's source is lost */
  currentAsOfMs = null;
  /**
   * Until when it is known which feeds went off air, by the server's clock. A server that has lost a part of its source still reads the other rooms,
   * and their readings are no evidence about the silent ones. Infinity while the source is complete.
   */
  offAirKnownMs = Infinity;
  /** @type {import('./silence.js').Silence | null} most rooms fell silent at once */
  silence = null;
  /** @type {number | null} */
  tokenExpiresAt = null;
  /** @type {{rooms: string[], platforms: string[] | null} | null} */
  scope = null;
  /** @type {'unknown' | 'ok' | 'degraded'} */
  upstream = 'unknown';
  /** Whether everything in scope has been received at least once. */
  complete = false;
  /** @type {Map<string, Account>} by platform and account; one without a name belongs to its feed */
  #accounts = new Map();
  /** @type {Map<Account, import('./income.js').Entry[]>} what of an account's pending readings history counts already */
  #counted = new Map();
  /** @type {Map<string, Set<Feed>>} */
  #ofRoom = new Map();
  #generation = 0;
  /** A renewed token may cover fewer rooms: its snapshot is applied even while the source is lost. */
  #renewed = false;
  #changes = noChanges();

  /** @param {ServerEvent} event @param {number} localMs */
  apply(event, localMs) {
    switch (event.event_type) {
      case 'TELEMETRY_UPDATE':
        if (this.complete && this.upstream !== 'degraded') this.#recordMessage(event.timestamp * 1000);
        return this.#update(event);
      case 'TELEMETRY_EXPIRED':
        return this.#expire(feedKey(event.room_id, event.data.platform), event);
      case 'HELLO':
        this.clock.sample(event.time_ms, localMs);
        this.ttlSeconds = event.ttl_seconds;
        this.heartbeatSeconds = event.heartbeat_seconds;
        this.tokenExpiresAt = event.token_expires_at;
        this.scope = { rooms: event.rooms, platforms: event.platforms };
        this.#generation++; // a snapshot begins here, unless SYNC says otherwise
        return;
      case 'SYNC':
        this.clock.sample(event.time_ms, localMs);
        this.#sync(event);
        return;
      case 'PONG':
        this.clock.sample(event.time_ms, localMs);
        if (this.complete) this.#contact(event.time_ms);
        return;
      case 'UPSTREAM':
        this.upstream = event.status;
        return;
      case 'TOKEN_RENEWED':
        this.#generation++;
        this.#renewed = true;
        this.tokenExpiresAt = event.expires_at;
        return;
      case 'TOKEN_EXPIRING':
        this.tokenExpiresAt = event.expires_at;
    }
  }

  /** @param {import('../link/messages.js').Sync} event */
  #sync(event) {
    this.knownSinceMinute ??= Math.floor(event.time_ms / 60_000);
    this.complete ||= event.snapshot; // a heartbeat may come before a server that is starting has read everything
    this.#contact(event.time_ms);
    if (!event.snapshot) return;
    if (this.upstream !== 'degraded' || this.#renewed) this.#removeUnmentioned(); // without its source a server does not know all rooms
    if (this.upstream === 'degraded') this.#dateSnapshot();
    this.#renewed = false;
  }

  /** The server's own clock in a message. @param {number} serverMs */
  #contact(serverMs) {
    this.lastMessageAtMs = serverMs;
    if (this.upstream !== 'degraded') this.currentAsOfMs = serverMs;
  }

  /** A message whose stamp may be older than the last contact, as after a sleep. @param {number} serverMs */
  #recordMessage(serverMs) {
    this.lastMessageAtMs = Math.max(this.lastMessageAtMs ?? 0, serverMs);
    this.currentAsOfMs = Math.max(this.currentAsOfMs ?? 0, serverMs);
  }

  /** A snapshot of a server without its source is as current as its newest reading; which of the older feeds ended is not known. */
  #dateSnapshot() {
    this.offAirKnownMs = Math.min(this.offAirKnownMs, this.currentAsOfMs ?? -Infinity);
    const newest = Math.max(0, ...[...this.feeds.values()].map(({ committedAt }) => committedAt)) * 1000;
    if (newest > 0) this.currentAsOfMs = Math.max(this.currentAsOfMs ?? 0, newest);
  }

  /** Removes everything: a different token may see different rooms. */
  clear() {
    for (const key of this.feeds.keys()) this.#remove(key);
    this.resetEarnings();
    this.studio.set(null);
    this.#accounts.clear();
    this.#counted.clear();
    this.knownSinceMinute = null;
    this.upstream = 'unknown';
    this.complete = false;
    this.tokenExpiresAt = this.lastMessageAtMs = this.currentAsOfMs = this.silence = null;
    this.offAirKnownMs = Infinity;
    this.#renewed = false;
    this.#formerCoverage = null;
  }

  /** Clears the earnings of all rooms together, until history delivers them again. */
  resetEarnings() {
    this.ledger = new Ledger(DAY_MINUTES + 60);
    this.#formerCoverage ??= this.coverage;
    this.coverage = new Coverage(DAY_MINUTES + 60);
    this.past = 'pending';
    this.day = null;
    this.feedsKnownSinceMinute = Infinity;
    this.shifts.clear();
  }

  /** What each feed earned in a part of the day, by history. @param {{room_id: string, platform: string, earned: number}[]} feeds @param {number} fromMinute @param {number} untilMinute not included */
  settleDay(feeds, fromMinute, untilMinute) {
    const earned = new Map(
      feeds.map(({ room_id: room, platform, earned: tokens }) => [feedKey(room, platform), tokens]),
    );
    for (const feed of this.feeds.values()) feed.dayEarned = earned.get(feed.key) ?? 0;
    this.day = { fromMinute, untilMinute };
  }

  /** What a feed earned in each of the last minutes, null where nothing is known. @param {Feed} feed @param {number} asOfMs */
  recent(feed, asOfMs) {
    const minute = Math.floor(asOfMs / 60_000);
    return this.coverageOfFeeds.known(feed.ledger.series(minute, SPARK_MINUTES), minute);
  }

  /** In which minutes it is known what feeds earned. */
  get coverageOfFeeds() {
    return this.#formerCoverage ?? this.coverage;
  }

  /** All feeds of a room. @param {string} room @returns {Iterable<Feed>} */
  feedsOf(room) {
    return this.#ofRoom.get(room) ?? [];
  }

  /** History did not answer: totals count from what this page has seen. */
  historyFailed() {
    if (this.past === 'pending') this.past = 'failed';
  }

  /**
   * Applies history to every minute up to `settledMinute`; later minutes keep the sums seen live.
   * @param {Map<number, number>} minutes earned by all rooms
   * @param {{room_id: string, platform: string, minutes: Map<number, number>, on_air_seconds?: number}[]} feeds
   * @param {number} fromMinute the first minute of the totals @param {number} settledMinute
   * @param {number} [openMinute] the first minute that is not over: readings of it may have come after history answered
   * @param {number} [feedsFromMinute] the first minute of the feeds' own
   * @param {Iterable<number>} [measured] the minutes with a reading; absent: an older server does not report them
   */
  settle(
    minutes,
    feeds,
    fromMinute,
    settledMinute,
    openMinute,
    feedsFromMinute = fromMinute,
    measured = minutesBetween(Math.max(feedsFromMinute, settledMinute - FEED_MINUTES), settledMinute),
  ) {
    this.#formerCoverage = null;
    for (const minute of measured) this.coverage.mark(minute);
    // History says how long a feed was read, not in which minutes: where that is nearly all that was measured at all, it is in all of them.
    const ofFeeds = minutesBetween(Math.max(feedsFromMinute, settledMinute - FEED_MINUTES), settledMinute).filter(
      (minute) => this.coverage.has(minute),
    );
    this.feedsKnownSinceMinute = feedsFromMinute;
    this.past = 'known';
    this.#counted = this.#pendingIn(feeds, settledMinute);
    this.ledger.settle(minutes, settledMinute, openMinute);
    this.knownSinceMinute = Math.min(this.knownSinceMinute ?? fromMinute, fromMinute);
    for (const { room_id: room, platform, minutes: earned, on_air_seconds: seconds } of feeds) {
      const key = feedKey(room, platform);
      const feed = this.feeds.get(key);
      if (!feed) continue;
      feed.ledger.settle(earned, settledMinute, openMinute);
      if ((seconds ?? Infinity) / 60 >= ofFeeds.length * MIN_ON_AIR)
        for (const minute of ofFeeds) feed.coverage.mark(minute);
      this.#changes.updated.add(key);
    }
  }

  /**
   * The pending readings that the server has confirmed by the time of its answer: their minute has more in history than this page has counted,
   * by at least the tokens that they would add. They are not added again when this page confirms them.
   * @param {{room_id: string, platform: string, minutes: Map<number, number>}[]} feeds @param {number} settledMinute
   */
  #pendingIn(feeds, settledMinute) {
    const counted = new Map();
    const histories = new Map(feeds.map(({ room_id: room, platform, minutes }) => [feedKey(room, platform), minutes]));
    for (const account of this.#accounts.values()) {
      const added = new Map();
      const entries = account.provisional().filter(({ atMs, tokens, room }) => {
        const minute = Math.floor(atMs / 60_000);
        const key = `${room}\n${minute}`;
        const known = (this.feeds.get(room)?.ledger.sum(minute, minute) ?? 0) + (added.get(key) ?? 0);
        if (minute > settledMinute || (histories.get(room)?.get(minute) ?? 0) < known + tokens) return false;
        added.set(key, (added.get(key) ?? 0) + tokens);
        return true;
      });
      if (entries.length > 0) counted.set(account, entries);
    }
    return counted;
  }

  /** How much of an entry history has counted already. @param {Account} account @param {import('./income.js').Entry} entry */
  #countedOf(account, { atMs, tokens, room }) {
    const counted = this.#counted.get(account)?.find((entry) => entry.atMs === atMs && entry.room === room);
    return Math.min(tokens, counted?.tokens ?? 0);
  }

  /** Detects a silence of most rooms at once, and confirms pending readings. @param {number} nowMs the server's clock, while the link can be trusted */
  detectSilence(nowMs) {
    for (const account of this.#accounts.values()) if (!account.isSettled) this.#earn(account, account.settle(nowMs));
    this.silence = silenceOf(this.feeds.values(), (feed) =>
      statusOf(feed, nowMs, { ttlSeconds: this.ttlSeconds }, true),
    );
  }

  /** What changed since the last call. */
  takeChanges() {
    const changes = this.#changes;
    this.#changes = noChanges();
    return changes;
  }

  /** @param {TelemetryUpdate} event */
  #update({ room_id: room, data, version, timestamp: committedAt }) {
    const key = feedKey(room, data.platform);
    const before = this.feeds.get(key);
    if (before) before.generation = this.#generation;
    if (before && (version < before.version || (version === before.version && !before.expired))) return;
    const readAt = Math.min(data.timestamp, committedAt);
    const feed = before ?? newFeed(key, room, data.platform, this.#generation);
    if (!before) this.#add(feed);
    feed.account = data.account ?? '';
    recordDesk(feed.desks, { timestamp: data.timestamp, account: feed.account });
    if (data.tokens !== null) {
      const account = this.#accountOf(feed);
      const sinceMs = account.base?.atMs;
      this.#earn(account, account.read({ atMs: readAt * 1000, tokens: data.tokens, room: key }), feed, sinceMs);
    }
    if (before && before.tokens !== null && (data.tokens ?? 0) > before.tokens) this.#changes.flashed.add(key); // green means money
    this.coverage.mark(Math.floor(readAt / 60));
    this.#formerCoverage?.mark(Math.floor(readAt / 60));
    feed.coverage.mark(Math.floor(readAt / 60));
    const interval = data.interval_seconds ?? DEFAULT_INTERVAL_SECONDS;
    feed.lag = lagOf(feed.lag, { timestamp: data.timestamp, committedAt, interval });
    Object.assign(feed, {
      ...metricsOf(data),
      readAt,
      committedAt,
      interval,
      version,
      expired: false,
      expiredAtMs: Infinity,
    });
    if (!before) {
      this.#changes.added.add(key);
      this.#changes.removed.delete(key);
    }
    this.#changes.updated.add(key);
  }

  /**
   * Adds what became certain, each in its minute and in the room in which it was read, and remembers pending tokens.
   * @param {Account} account @param {import('./income.js').Entry[]} entries @param {Feed} [reader] the feed that was read
   * @param {number} [sinceMs] the account's reading before
   */
  #earn(account, entries, reader, sinceMs = Infinity) {
    for (const entry of entries.filter(isCertain)) {
      const { atMs, room } = entry;
      const tokens = entry.tokens - this.#countedOf(account, entry);
      const minute = Math.floor(atMs / 60_000);
      const sinceMinute = Math.min(minute, Math.floor(sinceMs / 60_000));
      this.feeds.get(room)?.ledger.add(minute, tokens, sinceMinute);
      this.ledger.add(minute, tokens, sinceMinute);
    }
    if (account.isSettled && entries.length === 0 && !reader?.pending) return;
    const rooms = new Set([account.base?.room, reader?.key, ...entries.map(({ room }) => room)]);
    const pending = account.provisional();
    for (const { room } of pending) rooms.add(room);
    for (const room of rooms) {
      const feed = this.feeds.get(room ?? '');
      if (!feed) continue;
      feed.pending = pending.reduce((sum, entry) => sum + (entry.room === room ? entry.tokens : 0), 0);
      this.#changes.updated.add(feed.key);
    }
  }

  /** @param {Feed} feed */
  #accountOf({ key, platform, account: name }) {
    const id = name ? `${platform}\n${name}` : `\n${key}`;
    const account = this.#accounts.get(id) ?? new Account({ seenBefore: true });
    this.#accounts.set(id, account);
    return account;
  }

  /** @param {string} key @param {import('../link/messages.js').TelemetryExpired} event */
  #expire(key, { version, timestamp }) {
    const feed = this.feeds.get(key);
    if (!feed || feed.version > version) return;
    Object.assign(feed, { expired: true, expiredAtMs: timestamp * 1000 });
    this.#changes.updated.add(key);
  }

  #removeUnmentioned() {
    for (const [key, feed] of this.feeds) if (feed.generation !== this.#generation) this.#remove(key);
  }

  /** @param {Feed} feed */
  #add(feed) {
    this.feeds.set(feed.key, feed);
    const siblings = this.#ofRoom.get(feed.room) ?? new Set();
    this.#ofRoom.set(feed.room, siblings.add(feed));
  }

  /** @param {string} key */
  #remove(key) {
    const feed = this.feeds.get(key);
    if (feed) this.#ofRoom.get(feed.room)?.delete(feed);
    this.feeds.delete(key);
    this.#accounts.delete(`\n${key}`);
    this.#changes.removed.add(key);
    for (const set of [this.#changes.added, this.#changes.updated, this.#changes.flashed]) set.delete(key);
  }
}

/** @param {string} key @param {string} room @param {string} platform @param {number} generation @returns {Feed} */
function newFeed(key, room, platform, generation) {
  return {
    key,
    room,
    platform,
    ...unknownMetrics(),
    readAt: 0,
    committedAt: 0,
    interval: DEFAULT_INTERVAL_SECONDS,
    lag: null,
    version: 0,
    expired: false,
    expiredAtMs: Infinity,
    account: '',
    pending: 0,
    generation,
    desks: noDesks(),
    dayEarned: 0,
    ledger: new Ledger(FEED_MINUTES),
    coverage: new Coverage(FEED_MINUTES),
  };
}

/**
 * What may be claimed about a feed at a moment. A page that is not trusted passes the moment of its last contact: a feed that was live or
 * stale then is last known for as long as the outage lasts, and nothing goes off air by the page's own clock.
 * @param {Feed} feed
 * @param {number} asOfMs the server's clock at the moment that is judged
 * @param {{ttlSeconds: number, silence?: import('./silence.js').Silence | null, offAirKnownMs?: number}} terms
 * @param {boolean} trusted
 * @returns {Status}
 */
export function statusOf(feed, asOfMs, terms, trusted) {
  const age = asOfMs / 1000 - feed.readAt;
  const isLate = age > STALE_INTERVALS * feed.interval;
  if (feed.expiredAtMs <= asOfMs || age > terms.ttlSeconds) return 'expired';
  if (isLate && terms.silence && !terms.silence.all && terms.silence.keys.has(feed.key)) return 'unconfirmed'; // before the silence it was on air
  if (Math.min(asOfMs, terms.offAirKnownMs ?? Infinity) / 1000 - lastSeenAt(feed) > OFF_AIR_INTERVALS * feed.interval)
    return 'off_air';
  if (!trusted) return 'unconfirmed';
  return isLate ? 'stale' : 'live';
}

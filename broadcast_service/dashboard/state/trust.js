/**
 * Which moment the page's numbers describe, and whether that is now. Pure.
 *
 * While the link, the server's source or all readings are lost, the page knows nothing about rooms: statuses, totals and windows are those of
 * the last moment that was known, and only ages grow.
 */

import { HEARTBEAT_GRACE_MS } from '../link/socket_session.js';
import { lastSeenAt } from './lag.js';
import { statusOf } from './store.js';

/** @typedef {import('../link/types.js').Link} Link */
/** @typedef {import('./store.js').Store} Store */
/**
 * Why the numbers cannot be trusted: nothing was reported yet, the link is down, a heartbeat is missing, the server's source is lost, all rooms
 * fell silent at once, readings are only just coming back, most rooms fell silent, or every room on air is late.
 * @typedef {'start' | 'link' | 'quiet' | 'source' | 'silence' | 'resuming' | 'some' | 'late' | null} Trouble
 */
/**
 * @typedef {object} Assessment
 * @property {number} nowMs the server's clock; ages are measured by it
 * @property {number} asOfMs the moment that statuses, totals and windows describe: now, or the last that was known
 * @property {boolean} trusted whether that is now
 * @property {Trouble} trouble
 * @property {number | null} sinceMs since when it lasts, by the server's clock; null where nothing was ever known
 */

/**
 * A draining server delivers everything before it closes, and spreads its clients over three seconds: rooms that were live stay live until the
 * move should be over.
 */
const MOVING_MS = 5000;
/** After an outage behind the server, rooms report again one by one; the last known numbers stay for this long. */
const RESUMING_MS = 15_000;
const SILENCE_CHECK_MS = 1000;

/** Assesses the store and the link at a moment, and keeps the last known moment through an outage. */
export class TrustMonitor {
  /** @type {{after: 'source' | 'silence', asOfMs: number, untilMs: number | null} | null} */
  #resuming = null;
  #silenceCheckedMs = -Infinity;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /** @param {Link} link @param {number} localMs @returns {Assessment} */
  assess(link, localMs) {
    const { store } = this;
    const nowMs = store.clock.now(localMs);
    const lost = linkTrouble(store, link, nowMs, localMs);
    if (lost === null) this.#detectSilence(nowMs);
    else this.#silenceCheckedMs = -Infinity; // the first thing to do when it is back
    const { currentAsOfMs, silence } = store;
    const frozenMs = silence?.all ? silence.sinceMs : currentAsOfMs;
    if (lost === 'source') this.#resuming = { after: 'source', asOfMs: frozenMs ?? nowMs, untilMs: null };
    if (lost !== null) return { nowMs, asOfMs: frozenMs ?? nowMs, trusted: false, trouble: lost, sinceMs: frozenMs };
    const resuming = this.#stillResuming(nowMs);
    if (resuming)
      return { nowMs, asOfMs: resuming.asOfMs, trusted: false, trouble: 'resuming', sinceMs: resuming.asOfMs };
    store.offAirKnownMs = Infinity; // the source is whole again, and rooms have had the time to report
    if (silence?.all) {
      this.#resuming = { after: 'silence', asOfMs: silence.sinceMs, untilMs: null };
      return { nowMs, asOfMs: silence.sinceMs, trusted: false, trouble: 'silence', sinceMs: silence.sinceMs };
    }
    const some = silence ? 'some' : isLate(store, nowMs) ? 'late' : null;
    return {
      nowMs,
      asOfMs: nowMs,
      trusted: true,
      trouble: some,
      sinceMs: some === 'some' ? (silence?.sinceMs ?? null) : some === 'late' ? newestMs(store) : null,
    };
  }

  /** @param {number} nowMs */
  #detectSilence(nowMs) {
    if (Math.abs(nowMs - this.#silenceCheckedMs) < SILENCE_CHECK_MS) return;
    this.#silenceCheckedMs = nowMs;
    this.store.detectSilence(nowMs);
  }

  /** Whether readings are only just coming back after an outage behind the server. @param {number} nowMs */
  #stillResuming(nowMs) {
    const resuming = this.#resuming;
    if (!resuming || (resuming.untilMs === null && resuming.after === 'silence' && this.store.silence?.all))
      return null;
    resuming.untilMs ??= nowMs + RESUMING_MS;
    if (nowMs >= resuming.untilMs || !awaitsReadings(this.store, resuming.asOfMs)) this.#resuming = null;
    return this.#resuming;
  }
}

/** @param {Store} store @param {Link} link @param {number} nowMs @param {number} localMs @returns {Trouble} */
function linkTrouble(store, link, nowMs, localMs) {
  const moving = link.phase === 'connecting' && link.reason === 'moving' && localMs - (link.lostAtMs ?? 0) < MOVING_MS;
  if (link.phase !== 'live' && !moving) return store.lastMessageAtMs === null ? 'start' : 'link';
  if (store.upstream === 'degraded') return 'source';
  return missedHeartbeat(store, nowMs) ? 'quiet' : null;
}

/** A computer that slept finds its page like this too. @param {Store} store @param {number} nowMs */
function missedHeartbeat({ lastMessageAtMs, heartbeatSeconds }, nowMs) {
  return lastMessageAtMs !== null && nowMs - lastMessageAtMs > heartbeatSeconds * 1000 + HEARTBEAT_GRACE_MS;
}

/** Whether a feed that was on air at that moment has not reported since. @param {Store} store @param {number} asOfMs */
function awaitsReadings({ feeds, ttlSeconds, offAirKnownMs }, asOfMs) {
  for (const feed of feeds.values()) {
    if (
      lastSeenAt(feed) * 1000 <= asOfMs &&
      !feed.expired &&
      statusOf(feed, asOfMs, { ttlSeconds, offAirKnownMs }, false) === 'unconfirmed'
    )
      return true;
  }
  return false;
}

/** Whether rooms are on air and each of them is late. @param {Store} store @param {number} nowMs */
function isLate({ feeds, ttlSeconds }, nowMs) {
  let late = false;
  for (const feed of feeds.values()) {
    const status = statusOf(feed, nowMs, { ttlSeconds }, true);
    if (status === 'live') return false;
    late ||= status === 'stale';
  }
  return late;
}

/** @param {Store} store */
function newestMs({ feeds }) {
  return Math.max(0, ...[...feeds.values()].map((feed) => lastSeenAt(feed))) * 1000;
}

/**
 * What happened in the rooms, newest first, pure. It knows what this page has seen since it was opened, and which rooms were last read shortly before.
 */

import { lastSeenAt } from './lag.js';
import { statusOf } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {'on_air' | 'off_air' | 'goal'} EventKind */
/** @typedef {{id: number, atMs: number, key: string, room: string, platform: string, kind: EventKind, value: number}} RoomEvent `value`: seconds on air, where they are known; the goal; else 0 */
/** @typedef {{onAir: boolean, sinceMs: number, whole: boolean, reached: boolean}} Seen `sinceMs`: known to be on air since; `whole`: its beginning was seen */

const KEPT = 60;
/** Of the time before the page was opened, rooms that were last read within this time are named. */
const BEFORE_SECONDS = 3600;

export class EventLog {
  /** @type {RoomEvent[]} newest first */
  events = [];
  /** @type {Map<string, Seen>} */
  #seen = new Map();
  #started = false;
  #count = 0;

  /** Forgets everything: another access may not see these rooms. */
  clear() {
    this.events = [];
    this.#seen.clear();
    this.#started = false;
  }

  /** Since when a feed is known to be on air; `Infinity` while it is not. @param {string} key */
  onAirSinceMs(key) {
    const seen = this.#seen.get(key);
    return seen?.onAir ? seen.sinceMs : Infinity;
  }

  /** Compares all feeds with the last time; only a trusted page can say what happened. @param {Store} store @param {number} nowMs the server's clock */
  observe(store, nowMs) {
    if (!store.complete) return;
    for (const feed of store.feeds.values()) this.#compare(feed, store, nowMs);
    for (const key of this.#seen.keys()) if (!store.feeds.has(key)) this.#seen.delete(key);
    if (!this.#started) this.events.sort((a, b) => b.atMs - a.atMs);
    this.#started = true;
    this.events.length = Math.min(this.events.length, KEPT);
  }

  /** @param {import('./store.js').Feed} feed @param {Store} store @param {number} nowMs */
  #compare(feed, store, nowMs) {
    const status = statusOf(feed, nowMs, store, true);
    if (status === 'unconfirmed') return;
    const onAir = status === 'live' || status === 'stale';
    const reached = feed.goal !== null && feed.goal > 0 && feed.tokens !== null && feed.tokens >= feed.goal;
    const before = this.#seen.get(feed.key);
    const lastMs = lastSeenAt(feed) * 1000;
    if (before?.onAir === onAir) {
      if (onAir && reached && !before.reached) this.#add(feed, 'goal', lastMs, feed.goal ?? 0);
      before.reached = reached;
      return;
    }
    if (!before && !onAir && nowMs - lastMs < BEFORE_SECONDS * 1000) this.#add(feed, 'off_air', lastMs, 0);
    if (before && !onAir)
      this.#add(feed, 'off_air', lastMs, before.whole ? Math.max(0, lastMs - before.sinceMs) / 1000 : 0);
    const begins = onAir && this.#started;
    if (begins) this.#add(feed, 'on_air', lastMs, 0);
    this.#seen.set(feed.key, { onAir, sinceMs: onAir ? (begins ? lastMs : nowMs) : Infinity, whole: begins, reached });
  }

  /** @param {import('./store.js').Feed} feed @param {EventKind} kind @param {number} atMs @param {number} value */
  #add({ key, room, platform }, kind, atMs, value) {
    this.events.unshift({ id: ++this.#count, atMs, key, room, platform, kind, value });
  }
}

/**
 * Silence of most rooms at once, pure. Rooms end one by one; when most of those on air fall silent within seconds, collecting has stopped or the
 * studio is offline, and nothing is known about the shows.
 */

import { lastSeenAt } from './lag.js';

/** @typedef {import('./store.js').Feed} Feed */
/**
 * @typedef {object} Silence
 * @property {number} sinceMs the server's clock at the newest reading of the rooms that fell silent
 * @property {number} rooms how many fell silent
 * @property {number} of how many were on air then
 * @property {boolean} all whether no room reports any more
 * @property {Set<string>} keys the feeds of the silent rooms
 */
/** @typedef {{lastAt: number, silentFrom: number, silent: boolean, keys: string[]}} Room */

/** One room alone, on however many platforms, ends like that every day. */
const MIN_ROOMS = 2;
/** Of the rooms that were on air, this share has to fall silent together. */
const MIN_SHARE = 0.8;
/** Who reported within this time before the silence was on air: rooms that end one after another are counted against it. */
const ON_AIR_SECONDS = 300;
/** Beside one interval, requests take their time. */
const SLACK_SECONDS = 5;

/**
 * @param {Iterable<Feed>} feeds
 * @param {(feed: Feed) => import('./store.js').Status} status without regard to a silence
 * @returns {Silence | null} the newest one that still lasts
 */
export function silenceOf(feeds, status) {
  const rooms = roomsOf(feeds, status);
  const silent = rooms.filter((room) => room.silent).sort((a, b) => b.lastAt - a.lastAt);
  for (const { lastAt } of silent) {
    const together = silent.filter((room) => room.lastAt <= lastAt && room.silentFrom >= lastAt);
    const onAir = rooms.filter((room) => room.lastAt >= lastAt - ON_AIR_SECONDS).length;
    if (together.length < MIN_ROOMS || together.length < MIN_SHARE * onAir) continue;
    const keys = new Set(together.flatMap((room) => room.keys));
    return { sinceMs: lastAt * 1000, rooms: together.length, of: onAir, all: rooms.every((room) => room.silent), keys };
  }
  return null;
}

/** @param {Iterable<Feed>} feeds @param {(feed: Feed) => import('./store.js').Status} status @returns {Room[]} without expired ones */
function roomsOf(feeds, status) {
  /** @type {Map<string, Room>} */
  const rooms = new Map();
  for (const feed of feeds) {
    const now = status(feed);
    if (now === 'expired') continue;
    const room = rooms.get(feed.room) ?? { lastAt: 0, silentFrom: 0, silent: true, keys: [] };
    const lastAt = lastSeenAt(feed);
    if (lastAt >= room.lastAt) Object.assign(room, { lastAt, silentFrom: lastAt + feed.interval + SLACK_SECONDS });
    room.silent &&= now !== 'live';
    room.keys.push(feed.key);
    rooms.set(feed.room, room);
  }
  return [...rooms.values()];
}

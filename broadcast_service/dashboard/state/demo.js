/**
 * Sample rooms for a studio that has none yet: what a server would send about them at a moment. Nothing is random and nothing is stored, so
 * every call at the same moment gives the same figures, and live events add up to the reports. Pure.
 */

/** @typedef {import('../link/messages.js').ServerEvent} ServerEvent */
/** @typedef {import('../link/messages.js').TelemetryUpdate} TelemetryUpdate */
/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('./studio.js').StudioView} StudioView */
/** @typedef {{id: string, name: string, platform: string, popularity: number, quietMinutes?: number, endedSeconds?: number}} SampleRoom before the sample began */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const INTERVAL_SECONDS = 5;
/** Balances begin so long before the sample, and contain the income since then. */
const BALANCE_SINCE = 2 * DAY;
const SHIFT_BEFORE = 3 * HOUR;
const SHIFT_AFTER = 5 * HOUR;
const TARGET = 2400;
const TIPS = [5, 10, 10, 15, 25, 25, 50, 100, 250];
const PEOPLE = ['Ana', 'Bea', 'Carla', 'Diana', 'Elena', 'Gabi', 'Inés', 'Julia', 'Laura', 'Mara', 'Nora', 'Sofía'];
const PLATFORMS = ['chaturbate', 'stripchat', 'camsoda'];

/** Each name says that the room is none of the studio's. @type {SampleRoom[]} */
export const SAMPLE_ROOMS = PEOPLE.map((person, i) => ({
  id: `demo-${i + 1}`,
  name: `Demo ${person}`,
  platform: PLATFORMS[i % PLATFORMS.length] ?? '',
  popularity: 20 + ((i * 37) % 11) * 28,
  ...(person === 'Gabi' ? { quietMinutes: 42 } : {}),
  ...(person === 'Laura' ? { endedSeconds: 240 } : {}),
}));

/** A whole number from 0 below 2 ** 32 that depends on both and on nothing else. @param {number} seed @param {number} at */
function scatter(seed, at) {
  let h = Math.imul(seed + 1, 0x9e_37_79_b1) ^ Math.imul(at >>> 0, 0x85_eb_ca_6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c_1b_3c_6d);
  h = Math.imul(h ^ (h >>> 12), 0x29_7a_2d_39);
  return (h ^ (h >>> 15)) >>> 0;
}

export class SampleStudio {
  #startSeconds;

  /** @param {number} startMs when the sample began */
  constructor(startMs) {
    this.#startSeconds = Math.floor(startMs / 1000);
  }

  /** What a dashboard receives when it connects. @param {number} nowMs @returns {ServerEvent[]} */
  snapshot(nowMs) {
    const timestamp = Math.floor(nowMs / 1000);
    return [
      {
        event_type: 'HELLO',
        protocol: 'demo',
        instance: 'demo',
        heartbeat_seconds: 2 * INTERVAL_SECONDS,
        stale_seconds: 3 * INTERVAL_SECONDS,
        ttl_seconds: DAY,
        token_expires_at: timestamp + 7 * DAY,
        rooms: ['*'],
        platforms: null,
        resumed: false,
        timestamp,
        time_ms: nowMs,
      },
      { event_type: 'UPSTREAM', status: 'ok', timestamp },
      ...SAMPLE_ROOMS.map((_, i) => this.#reading(i, this.#lastReading(i, timestamp))),
      { event_type: 'SYNC', version: timestamp, snapshot: true, timestamp, time_ms: nowMs },
    ];
  }

  /** The events of the second that ends now. @param {number} nowMs @returns {ServerEvent[]} */
  second(nowMs) {
    const timestamp = Math.floor(nowMs / 1000);
    const due = SAMPLE_ROOMS.flatMap((_, i) =>
      this.#lastReading(i, timestamp) === timestamp ? [this.#reading(i, timestamp)] : [],
    );
    return [...due, { event_type: 'SYNC', version: timestamp, snapshot: false, timestamp, time_ms: nowMs }];
  }

  /** The studio's facts: names, and a shift that has been on for a while. @returns {StudioView} */
  facts() {
    const from = Math.floor((this.#startSeconds - SHIFT_BEFORE) / HOUR) * HOUR;
    const span = { from: 0, to: 0 };
    return {
      configured: false,
      timezone: '',
      currency: null,
      periods: { yesterday: span, today: span, week: span, half_month: span, month: span },
      shifts: [{ name: 'Demo', from, to: from + SHIFT_BEFORE + SHIFT_AFTER, rooms: ['*'], target: TARGET }],
      rooms: SAMPLE_ROOMS.map(({ id, name }) => ({ room_id: id, name, target: null })),
      accounts: [],
      problems: [],
    };
  }

  /** What the rooms earned from one moment to another, up to now. @param {{from: number, to: number, step: number}} span whole minutes, in Unix seconds @param {number} nowMs @returns {Report} */
  report({ from, to, step }, nowMs) {
    const steps = Math.max(1, Math.ceil((to - from) / step));
    const end = Math.min(to, Math.floor(nowMs / 1000) + 1);
    const earned = new Array(steps).fill(0);
    const measured = new Array(steps).fill(0);
    for (let second = from; second < end; second += MINUTE) measured[Math.floor((second - from) / step)]++;
    const feeds = SAMPLE_ROOMS.map((room, i) => {
      const own = new Array(steps).fill(0);
      for (let second = from; second < end; second += MINUTE) {
        const at = Math.floor((second - from) / step);
        own[at] += this.#gain(i, second / MINUTE, end - 1);
      }
      for (const [at, tokens] of own.entries()) earned[at] += tokens;
      const sum = own.reduce((total, tokens) => total + tokens, 0);
      const last = Math.min(end, this.#lastReading(i, end));
      return {
        room_id: room.id,
        platform: room.platform,
        earned: sum,
        on_air_seconds: Math.max(0, last - from),
        steps: own,
      };
    });
    return {
      from,
      to,
      step,
      total: earned.reduce((total, tokens) => total + tokens, 0),
      earned,
      measured_minutes: measured,
      rooms: feeds.map(({ room_id: id, earned: tokens }) => ({ room_id: id, earned: tokens })),
      platforms: [],
      feeds,
      on_air_seconds: Math.max(0, end - from) * (SAMPLE_ROOMS.length - 1),
    };
  }

  /** When a room was read last; each room has moments of its own. @param {number} i @param {number} second */
  #lastReading(i, second) {
    const { endedSeconds } = SAMPLE_ROOMS[i] ?? {};
    const until = endedSeconds === undefined ? second : Math.min(second, this.#startSeconds - endedSeconds);
    return until - ((until - i) % INTERVAL_SECONDS);
  }

  /** @param {number} i @param {number} second @returns {TelemetryUpdate} */
  #reading(i, second) {
    const room = /** @type {SampleRoom} */ (SAMPLE_ROOMS[i]);
    const since = Math.floor((this.#startSeconds - BALANCE_SINCE) / MINUTE);
    let tokens = 300 + (scatter(i, 7) % 700);
    for (let minute = since; minute <= second / MINUTE; minute++) tokens += this.#gain(i, minute, second);
    const wave = Math.sin(second / (900 + 70 * i) + i);
    return {
      event_type: 'TELEMETRY_UPDATE',
      room_id: room.id,
      version: second,
      timestamp: second,
      data: {
        platform: room.platform,
        timestamp: second,
        interval_seconds: INTERVAL_SECONDS,
        tokens,
        viewers: Math.round(room.popularity * (1 + 0.25 * wave)) + (scatter(i, Math.floor(second / 15)) % 4),
        tips: scatter(i, Math.floor(second / HOUR)) % 40,
        goal: null,
      },
    };
  }

  /** What a room earned in a minute, as far as it has passed. @param {number} i @param {number} minute @param {number} nowSecond */
  #gain(i, minute, nowSecond) {
    const { popularity = 0, quietMinutes, endedSeconds } = SAMPLE_ROOMS[i] ?? {};
    const second = minute * MINUTE + (scatter(i, minute * 2 + 1) % MINUTE);
    if (second > nowSecond) return 0;
    if (quietMinutes !== undefined && second > this.#startSeconds - quietMinutes * MINUTE) return 0;
    if (endedSeconds !== undefined && second > this.#startSeconds - endedSeconds - INTERVAL_SECONDS) return 0;
    const chance = 12 + popularity / 12;
    const drawn = scatter(i, minute * 2);
    return drawn % 100 < chance ? (TIPS[(drawn >>> 8) % TIPS.length] ?? 0) : 0;
  }
}

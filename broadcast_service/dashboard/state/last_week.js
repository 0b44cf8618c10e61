/**
 * The same hour and day a week ago, from history: what the totals compare with. By the clock of the studio, so that a week with a clock change
 * compares with the same time of day. Nothing is compared with an hour of which history knows too little.
 */

/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {{hour: number | null, today: number | null, onAir: number | null, viewers: number | null}} Comparison null: not known */
/** @typedef {{fromMinute: number, hourFromMinute: number, untilMinute: number, midnightMinute: number}} Window */

const HOUR_MINUTES = 60;
/** Of the minutes compared with, at least this share has to be measured. */
const MIN_MEASURED = 0.8;
/** On air in the mean of an hour: this many whole ten minutes share a report. */
const SHARED_MINUTES = 20;
const AGAIN_MS = 600_000;
const AGAIN_AFTER_FAILURE_MS = 60_000;

/** The minutes that are compared with. @param {import('./studio.js').Then} then a week before @returns {Window} */
export function windowOf({ untilMs, midnightMs }) {
  const [untilMinute, midnightMinute] = [Math.floor(untilMs / 60_000), Math.floor(midnightMs / 60_000)];
  const hourFromMinute = untilMinute - HOUR_MINUTES + 1;
  return { fromMinute: Math.min(midnightMinute, hourFromMinute), hourFromMinute, untilMinute, midnightMinute };
}

/** Both sums up to the minute that corresponds to now. @param {Report} report in minutes @param {import('./studio.js').Then} then a week before */
export function sumsOf(report, then) {
  const { hourFromMinute, untilMinute, midnightMinute } = windowOf(then);
  const sum = (/** @type {number} */ from) => {
    const [first, last] = [from - report.from / 60, untilMinute - report.from / 60];
    if (first < 0 || last >= report.earned.length) return null;
    const measured = report.measured_minutes?.slice(first, last + 1) ?? [];
    const known = measured.filter((minutes) => minutes > 0).length;
    if (known < MIN_MEASURED * (last + 1 - first)) return null;
    return report.earned.slice(first, last + 1).reduce((total, amount) => total + amount, 0);
  };
  return { hour: sum(hourFromMinute), today: sum(midnightMinute) };
}

/** How much more or less, as a share; null where that cannot be said. @param {number | null} now @param {number | null} before */
export const changeOf = (now, before) => (now === null || before === null || before <= 0 ? null : now / before - 1);

/** Loads the reports while it runs, and keeps them until they end. */
export class LastWeek {
  /** @type {Report | null} */
  #report = null;
  /** @type {number | null} */
  #onAir = null;
  /** @type {number | null} */
  #viewers = null;
  #round = 0;
  #running = false;
  #failed = false;
  /** @type {any} */
  #timer = null;

  /** @param {import('../link/api.js').Api} api @param {import('../link/types.js').Timers} timers @param {() => number} nowMs the server's clock @param {(nowMs: number) => import('./studio.js').Then} weekBefore a moment */
  constructor(api, timers, nowMs, weekBefore) {
    this.weekBefore = weekBefore;
    this.api = api;
    this.timers = timers;
    this.nowMs = nowMs;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    void this.#load(this.#round);
  }

  stop() {
    this.#running = false;
    this.#round++;
    this.timers.clear(this.#timer);
  }

  /** The server answers again: what failed is requested without waiting for its turn. */
  recover() {
    if (!this.#running || !this.#failed) return;
    this.stop();
    this.start();
  }

  /** Another access may see other rooms. */
  clear() {
    this.stop();
    this.#failed = false;
    this.#report = this.#onAir = this.#viewers = null;
  }

  /** @param {number} nowMs @returns {Comparison} */
  at(nowMs) {
    return {
      ...(this.#report ? sumsOf(this.#report, this.weekBefore(nowMs)) : { hour: null, today: null }),
      onAir: this.#onAir,
      viewers: this.#viewers,
    };
  }

  /** @param {number} round */
  async #load(round) {
    const { fromMinute, untilMinute } = windowOf(this.weekBefore(this.nowMs()));
    const end = (Math.floor(untilMinute / HOUR_MINUTES) + 2) * HOUR_MINUTES; // to the end of the next hour, so that many pages share one report
    const until = Math.floor(untilMinute / SHARED_MINUTES) * SHARED_MINUTES;
    try {
      const report = await this.api.analytics({ from: fromMinute * 60, to: end * 60, step: 60 });
      const hour = { from: (until - HOUR_MINUTES) * 60, to: until * 60, step: HOUR_MINUTES * 60 };
      const { on_air_seconds: seconds, measured_minutes: measured } = await this.api.analytics(hour);
      const audience = await this.api.audience(hour).catch(() => null); // an older server does not count viewers
      if (round !== this.#round) return;
      this.#report = report;
      this.#viewers =
        audience && audience.measured_seconds >= MIN_MEASURED * HOUR_MINUTES * 60 ? audience.viewers : null;
      this.#onAir =
        seconds !== undefined && (measured?.[0] ?? 0) >= MIN_MEASURED * HOUR_MINUTES ? seconds / 3600 : null;
      this.#failed = false;
    } catch {
      if (round !== this.#round) return;
      this.#failed = true; // totals are shown without a comparison
    }
    const againMs = this.#failed ? AGAIN_AFTER_FAILURE_MS : AGAIN_MS;
    this.#timer = this.timers.set(() => void this.#load(round), againMs);
  }
}

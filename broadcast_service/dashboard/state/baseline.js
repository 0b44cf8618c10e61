/**
 * Adds what the socket does not deliver: tokens earned before this page was opened, while it was offline, or that arrived late. History
 * settles the minutes; the socket continues from there. The first request includes the current minute, so that tokens earned in it before
 * the page was opened are counted; later requests end at the last complete minute, so that many dashboards share one cached report.
 */

import { CONFIRM_MS } from './income.js';

/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('./store.js').Store} Store */

const AGAIN_SOON_MS = 110_000;
const AGAIN_MS = 300_000;
/** Readings of a minute may still be on their way, or wait to be confirmed, this long after it. */
const SETTLING_MS = CONFIRM_MS + 15_000;
const HOUR_MINUTES = 60;

export class Baseline {
  #round = 0;
  /** @type {any} */
  #timer = null;

  /**
   * @param {import('../link/api.js').Api} api @param {Store} store
   * @param {import('../link/types.js').Timers} timers @param {() => number} random
   * @param {() => void} onSettled
   * @param {() => Promise<void>} [ready] fulfilled when it is known what today is
   */
  constructor(api, store, timers, random, onSettled, ready = () => Promise.resolve()) {
    this.api = api;
    this.store = store;
    this.timers = timers;
    this.random = random;
    this.onSettled = onSettled;
    this.ready = ready;
  }

  /** Settles now and then again and again; called whenever the link comes up. */
  start() {
    this.stop();
    void this.#settle(this.#round, true);
  }

  stop() {
    this.#round++;
    this.timers.clear(this.#timer);
  }

  /** @param {number} round @param {boolean} first */
  async #settle(round, first) {
    await this.ready();
    if (round !== this.#round) return;
    const nowMs = this.store.clock.now(this.timers.now());
    const over = Math.floor((nowMs - SETTLING_MS) / 60_000);
    const end = first ? Math.floor(nowMs / 60_000) + 2 : over; // a minute more: this clock is behind by the time that messages travelled
    const midnight = Math.floor(this.store.studio.midnightMs(nowMs) / 60_000);
    try {
      const day = await this.api.analytics(spanOf(Math.min(midnight, over - HOUR_MINUTES), over));
      const hour = await this.api.analytics(spanOf(over - HOUR_MINUTES, end), { by: 'feed' });
      const shifts = await this.store.shifts.load(this.api, nowMs, over - HOUR_MINUTES);
      if (round !== this.#round) return;
      this.store.shifts.settle(shifts);
      this.#take(day, hour, end - 1, over);
    } catch {
      if (round === this.#round) this.store.historyFailed(); // totals continue from the known minutes, and their caption names the first one
    }
    // a fifth more or less: a thousand walls that came up together do not stay together
    if (round === this.#round)
      this.#timer = this.timers.set(
        () => void this.#settle(round, false),
        (first ? AGAIN_SOON_MS : AGAIN_MS) * (0.8 + 0.4 * this.random()),
      );
  }

  /** @param {Report} day @param {Report} hour @param {number} settledMinute @param {number} openMinute */
  #take(day, hour, settledMinute, openMinute) {
    const minutes = new Map([...minutesOf(day.earned, day.from), ...minutesOf(hour.earned, hour.from)]);
    this.store.settle(
      minutes,
      hour.feeds.map((feed) => ({
        ...feed,
        on_air_seconds: feed.on_air_seconds ?? (hour.measured_minutes ? 0 : Infinity), // an older server reports none
        minutes: minutesOf(feed.steps ?? [], hour.from),
      })),
      day.from / 60,
      settledMinute,
      openMinute,
      hour.from / 60,
      hour.measured_minutes ? measuredOf(day, hour) : undefined,
    );
    this.store.settleDay(day.feeds ?? [], day.from / 60, day.to / 60);
    this.onSettled();
  }
}

/** @param {number} fromMinute @param {number} toMinute */
const spanOf = (fromMinute, toMinute) => ({ from: fromMinute * 60, to: toMinute * 60, step: 60 });

/** The minutes with a reading of reports by minute. @param {Report[]} reports */
const measuredOf = (...reports) =>
  reports.flatMap(({ measured_minutes: counts = [], from }) =>
    counts.flatMap((count, i) => (count > 0 ? [from / 60 + i] : [])),
  );

/** @param {number[]} earned per minute @param {number} fromSeconds */
function minutesOf(earned, fromSeconds) {
  return new Map(earned.map((amount, i) => [fromSeconds / 60 + i, amount]));
}

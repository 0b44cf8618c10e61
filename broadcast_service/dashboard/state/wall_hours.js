/** The last hours of the studio for a wall, from history: asked for again every two minutes while a wall shows them. */

/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {{fromMs: number, tokens: number | null, isNow: boolean, isBest: boolean}} Hour `tokens` is null where nothing was measured */

const HOUR = 3600;
export const SHOWN_HOURS = 12;
const AGAIN_MS = 120_000;
const AGAIN_AFTER_FAILURE_MS = 15_000;

/** The hours of a report in hours, the current one last. The best is the one that is over and earned most. @param {Report} report @param {number} nowMs @returns {Hour[]} */
export function hoursOf(report, nowMs) {
  const hours = report.earned.map((tokens, i) => {
    const fromMs = (report.from + i * HOUR) * 1000;
    const isKnown = (report.measured_minutes?.[i] ?? 0) > 0;
    return { fromMs, tokens: isKnown ? tokens : null, isNow: nowMs - fromMs < HOUR * 1000 };
  });
  const best = Math.max(0, ...hours.map(({ tokens, isNow }) => (isNow ? 0 : (tokens ?? 0))));
  return hours
    .filter(({ fromMs }) => fromMs <= nowMs)
    .map((hour) => ({ ...hour, isBest: best > 0 && !hour.isNow && hour.tokens === best }));
}

export class WallHours {
  /** @type {Report | null} */
  #report = null;
  #askedMs = -Infinity;
  #failed = false;
  #round = 0;

  /** @param {{analytics: (span: {from: number, to: number, step: number}) => Promise<Report>}} api @param {() => void} onLoaded */
  constructor(api, onLoaded) {
    this.api = api;
    this.onLoaded = onLoaded;
  }

  /** Another access may see other rooms. */
  clear() {
    this.#report = null;
    this.#askedMs = -Infinity;
    this.#failed = false;
    this.#round++;
  }

  /** The server answers again: an answer that failed is asked for without waiting for its turn. */
  recover() {
    if (this.#failed) this.#askedMs = -Infinity;
  }

  /** Asks if the answer is older than two minutes, or soon after a failure. @param {number} nowMs the server's clock */
  refresh(nowMs) {
    if (Math.abs(nowMs - this.#askedMs) < (this.#failed ? AGAIN_AFTER_FAILURE_MS : AGAIN_MS)) return;
    this.#askedMs = nowMs;
    void this.#load(nowMs, this.#round);
  }

  /** The known hours; null before the first answer. @param {number} nowMs @returns {Hour[] | null} */
  at(nowMs) {
    return this.#report && hoursOf(this.#report, nowMs);
  }

  /** @param {number} nowMs @param {number} round */
  async #load(nowMs, round) {
    const to = (Math.floor(nowMs / 1000 / HOUR) + 1) * HOUR;
    try {
      const report = await this.api.analytics({ from: to - SHOWN_HOURS * HOUR, to, step: HOUR });
      if (round !== this.#round) return;
      this.#failed = false;
      this.#report = report;
      this.onLoaded();
    } catch {
      if (round === this.#round) this.#failed = true; // the last answer stays, with its hours named
    }
  }
}

/**
 * How far the readings of a producer are from their commits, pure. One late reading is no evidence (an outbox may be sending stored readings).
 * A constant distance means that the producer's clock is wrong, or that its delivery takes that long.
 */

/**
 * @typedef {object} Lag
 * @property {number} seconds from reading to commit: positive when the producer's clock is behind, negative when it is ahead
 * @property {number} since Unix seconds of the commit since which that is the distance
 * @property {boolean} steady whether it has been so for a while
 */

/** Both stamps are whole seconds, and a request takes its time. */
const TOLERANCE_SECONDS = 3;
const STEADY_INTERVALS = 2;
/** Larger differences are shown to the reader. */
const NAMED_SECONDS = 30;

/**
 * @param {Lag | null} before
 * @param {{timestamp: number, committedAt: number, interval: number}} reading
 * @returns {Lag}
 */
export function lagOf(before, { timestamp, committedAt, interval }) {
  const seconds = committedAt - timestamp;
  if (!before || Math.abs(seconds - before.seconds) > TOLERANCE_SECONDS)
    return { seconds, since: committedAt, steady: false };
  return { ...before, steady: committedAt - before.since >= STEADY_INTERVALS * interval };
}

/**
 * The error of a producer's clock, where it is known: a clock that is ahead shows in one reading (none is from after its commit), one that is behind in a few.
 * @param {Lag | null} lag
 * @returns {number | null} seconds; positive: behind
 */
export function clockError(lag) {
  if (!lag || Math.abs(lag.seconds) <= NAMED_SECONDS) return null;
  return lag.seconds < 0 || lag.steady ? lag.seconds : null;
}

/**
 * The time of a feed's last sign of life, by the server's clock: its last reading, or the arrival of it where readings keep arriving late.
 * @param {{readAt: number, committedAt: number, lag: Lag | null}} feed
 * @returns {number} Unix seconds
 */
export const lastSeenAt = ({ readAt, committedAt, lag }) => (lag?.steady ? committedAt : readAt);

'use strict';

/**
 * Decides when a number is confirmed. Pages animate numbers, draw 0 before the value has loaded, and misprint digits; a
 * number that does not change for a while is confirmed. Pure: takes the moment as an argument, in milliseconds of any clock that only goes forward.
 */

/** Two checks at least this far apart must show the same number. Longer than the last step of a counting animation. */
var STILL_MS = 800;
/** Pages show a zero before the value has loaded. */
var ZERO_MS = 10_000;
/** A balance that falls may be half drawn. */
var FALL_MS = 10_000;
/** A balance that leaps may have a digit too many. Short enough for the next reading. */
var LEAP_MS = 3500;
var LEAP_TOKENS = 1000;

/**
 * @typedef {{
 *   seen: Partial<Record<MetricName, { value: number, since: number }>>,
 *   doubts: Partial<Record<MetricName, { kind: string, since: number }>>,
 *   confirmed: Partial<Record<MetricName, number>>,
 * }} Stability
 */

/** Nothing seen, nothing confirmed. @returns {Stability} */
function newStability() {
  return { seen: {}, doubts: {}, confirmed: {} };
}

/**
 * The metrics of one look, with `unsettled` in place of each number that is not believed yet. Changes `stability`.
 *
 * @param {Stability} stability
 * @param {Metrics} metrics
 * @param {number} now
 * @returns {Metrics}
 */
function settle(stability, metrics, now) {
  /** @type {Metrics} */
  const settled = {};
  for (const [key, reading] of Object.entries(metrics)) {
    const name = /** @type {MetricName} */ (key);
    settled[name] = isConfirmed(stability, name, reading, now)
      ? reading
      : { status: 'unsettled', ...(reading.via && { via: reading.via }) };
  }
  return settled;
}

/** A status without a number is passed on immediately. @param {Stability} stability @param {MetricName} name @param {MetricReading} reading @param {number} now */
function isConfirmed({ seen, doubts, confirmed }, name, { value }, now) {
  if (value === undefined) {
    delete seen[name];
    delete doubts[name];
    return true;
  }
  const known = seen[name];
  const sighting = known?.value === value && known.since <= now ? known : { value, since: now };
  seen[name] = sighting;
  const { since } = sighting;
  const doubt = doubtAbout(name, value, confirmed[name]);
  if (doubt) {
    const former = doubts[name];
    const isSame = doubt.kind !== 'zero' && former?.kind === doubt.kind && former.since <= now;
    const begun = isSame ? former : { kind: doubt.kind, since };
    doubts[name] = begun;
    if (now - begun.since < doubt.ms) return false;
  } else {
    delete doubts[name];
  }
  if (now - since < STILL_MS) return false;
  confirmed[name] = value;
  delete doubts[name];
  return true;
}

/**
 * Why a number needs more time than others, or null.
 *
 * @param {MetricName} name
 * @param {number} value
 * @param {number | undefined} confirmed
 */
function doubtAbout(name, value, confirmed) {
  if (value === 0) return confirmed === 0 ? null : { kind: 'zero', ms: ZERO_MS };
  if (name !== 'tokens' || confirmed === undefined) return null;
  if (value < confirmed) return { kind: 'fall', ms: FALL_MS };
  return value - confirmed >= LEAP_TOKENS && value > confirmed * 1.5 ? { kind: 'leap', ms: LEAP_MS } : null;
}

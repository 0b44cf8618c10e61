/**
 * The desk's clock against the server's. An offset is by how many milliseconds the desk is ahead (fast: positive).
 * Readings and the moment of sending go out in the server's time as far as it is known, so that a server which shifts
 * readings by `Pulse-Sent-At` and one which does not both store the right moment.
 */

/** Differences below this are the time a request takes, and the whole seconds of a `Date` header. */
const TOLERANCE_MS = 2000;
/** Beyond this the popup names the clock. */
export const NAMED_MS = 30_000;

/**
 * @param {{ sentAt: number, receivedAt: number, date: string | null, clockOffsetMs: unknown, appliedMs: number }} facts
 *   `clockOffsetMs` is the server's own measure of how far behind our moment of sending was, which already had `appliedMs` taken off
 * @returns {Clock | null} null when the answer does not say what time it is
 */
export function measuredOffset({ sentAt, receivedAt, date, clockOffsetMs, appliedMs }) {
  const tripMs = Math.max(0, receivedAt - sentAt);
  if (Number.isSafeInteger(clockOffsetMs))
    return { offsetMs: appliedMs - Number(clockOffsetMs) + tripMs / 2, uncertaintyMs: tripMs / 2 };
  const server = Date.parse(date ?? '');
  if (Number.isNaN(server)) return null;
  return { offsetMs: (sentAt + receivedAt) / 2 - (server + 500), uncertaintyMs: 500 + tripMs / 2 };
}

/**
 * The offset to go on with: whole seconds, and the old one as long as the new measure does not contradict it, so that a
 * reading which is sent again is the same to the byte.
 *
 * @param {number | null} known
 * @param {Clock | null} measured
 * @returns {number | null}
 */
export function adjustedOffset(known, measured) {
  if (!measured) return known;
  const isContradicted = Math.abs(measured.offsetMs - (known ?? 0)) > TOLERANCE_MS + measured.uncertaintyMs;
  return isContradicted ? Math.round(measured.offsetMs / 1000) * 1000 : (known ?? 0);
}

/**
 * The body as it goes out. The offset stored with a reading is preferred to the present one: the clock may have
 * been corrected in between.
 *
 * @param {Entry} entry
 * @param {number | null} offsetMs
 * @returns {Telemetry}
 */
export function inServerTime({ body, offsetMs: own }, offsetMs) {
  const ahead = own ?? offsetMs ?? 0;
  if (ahead === 0) return body;
  return {
    ...body,
    timestamp: Math.max(0, body.timestamp - ahead / 1000),
    sequence: Math.max(0, body.sequence - ahead),
  };
}

/** @param {number | null | undefined} offsetMs @returns {'fast' | 'slow' | null} */
export const clockFault = (offsetMs) =>
  Math.abs(offsetMs ?? 0) < NAMED_MS ? null : Number(offsetMs) > 0 ? 'fast' : 'slow';

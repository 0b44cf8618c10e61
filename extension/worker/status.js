/**
 * What is said about it all: health of each reading, state of the connection, and the badge. Pure; the popup uses the
 * same words as the badge because both come from here.
 */

export const INTERVAL_MS = 5000;
/** Three intervals without news, and nothing may be called connected or current any more. */
export const FRESH_MS = 3 * INTERVAL_MS;
const FAILURES_UNTIL_BROKEN = 6;
const SUCCESSES_UNTIL_MENDED = 2;

/** @returns {StatusBoard} */
export const freshBoard = () => ({
  configured: false, access: false, refused: false, storageFailed: false, attempt: 0, nextAttemptAt: 0, failure: null,
  buffered: 0, dropped: 0, dead: 0, lastOkAt: 0, platforms: {},
});

/**
 * A goal cannot break: it is only shown as a suggestion, and many rooms have none.
 *
 * @param {PlatformStatus['health']} health
 * @param {Metrics} metrics
 * @returns {PlatformStatus['health']}
 */
export function advanceHealth(health, metrics) {
  return Object.fromEntries(Object.entries(metrics).map(([name, { status }]) => {
    const { failures, successes, broken } = health[/** @type {MetricName} */ (name)] ?? { failures: 0, successes: 0, broken: false };
    if (status === 'unsettled') return [name, { failures, successes, broken }]; // neither read nor broken: it is still changing
    return [name, status === 'ok' || name === 'goal'
      ? { failures: 0, successes: successes + 1, broken: broken && successes + 1 < SUCCESSES_UNTIL_MENDED }
      : { failures: failures + 1, successes: 0, broken: broken || failures + 1 >= FAILURES_UNTIL_BROKEN }];
  }));
}

/**
 * Of two tabs with the same page one speaks, as long as it does: two pages that disagree would make a number flicker.
 *
 * @param {PlatformStatus | undefined} current
 * @param {number} tabId
 * @param {number} now
 */
export const mayReport = (current, tabId, now) => !current || current.tabId === tabId || Math.abs(now - current.readAt) > FRESH_MS;

/** @param {StatusBoard} board @param {number} now @returns {Connection} */
export function connectionOf(board, now) {
  if (!board.configured) return 'setup';
  if (!board.access) return 'access';
  if (board.refused) return 'refused';
  if (board.buffered > 0 && board.failure !== null) return 'buffering';
  if (Math.abs(now - board.lastOkAt) <= FRESH_MS) return 'connected';
  if (board.buffered > 0) return 'buffering';
  return livePlatforms(board, now).some(([, { metrics }]) => metrics.tokens?.status !== 'ok') ? 'unreadable' : 'idle';
}

/**
 * Platforms read within the last intervals.
 *
 * @param {StatusBoard} board
 * @param {number} now
 * @returns {[string, PlatformStatus][]}
 */
export const livePlatforms = ({ platforms }, now) =>
  Object.entries(platforms).filter(([, { readAt }]) => Math.abs(now - readAt) <= FRESH_MS);

/** @param {StatusBoard} board @param {number} now @returns {{ platform: string, metric: MetricName }[]} */
export const brokenReadings = (board, now) => livePlatforms(board, now).flatMap(([platform, { health }]) =>
  Object.entries(health).filter(([, { broken }]) => broken)
    .map(([metric]) => ({ platform, metric: /** @type {MetricName} */ (metric) })));

/** Text and background are at least 4.5 to 1. */
const COLOURS = { good: '#086b41', warn: '#7a4f00', bad: '#b3261e', quiet: '#5a6373' };

/**
 * @param {StatusBoard} board
 * @param {number} now
 * @returns {{ text: string, colour: string }}
 */
export function badgeFor(board, now) {
  const connection = connectionOf(board, now);
  if (connection === 'refused') return { text: 'KEY', colour: COLOURS.bad };
  if (connection === 'setup') return { text: 'SET', colour: COLOURS.quiet };
  if (connection === 'access' || board.storageFailed) return { text: '!', colour: COLOURS.bad };
  if (connection === 'buffering') return { text: shortCount(board.buffered), colour: COLOURS.warn };
  if (connection === 'unreadable' || brokenReadings(board, now).length > 0) return { text: '!', colour: COLOURS.warn };
  return connection === 'connected' ? { text: 'ON', colour: COLOURS.good } : { text: '', colour: COLOURS.quiet };
}

/** A badge holds four characters. @param {number} count */
const shortCount = (count) => (count < 1000 ? String(count) : `${Math.floor(count / 1000)}k`);

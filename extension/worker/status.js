/**
 * Health of each reading, state of the connection, and the badge. Pure; the popup uses the
 * same words as the badge because both come from here.
 */

export const INTERVAL_MS = 5000;
/** After three intervals without an answer nothing is called connected or current. */
export const FRESH_MS = 3 * INTERVAL_MS;
const FAILURES_UNTIL_BROKEN = 6;
const SUCCESSES_UNTIL_MENDED = 2;

/** @returns {StatusBoard} */
export const initialBoard = () => ({
  configured: false,
  access: false,
  refused: false,
  storageFailed: false,
  settingsFailed: false,
  pausedAt: null,
  isForeign: false,
  isRejecting: false,
  refusal: null,
  offsetMs: null,
  held: 0,
  lost: 0,
  withheld: [],
  expiresAt: null,
  attempt: 0,
  nextAttemptAt: 0,
  failure: null,
  buffered: 0,
  dropped: 0,
  dead: 0,
  lastOkAt: 0,
  platforms: {},
  pages: {},
});

/**
 * A goal cannot break: it is only shown as a suggestion, and many rooms have none.
 *
 * @param {PlatformStatus['health']} health
 * @param {Metrics} metrics
 * @returns {PlatformStatus['health']}
 */
export function advanceHealth(health, metrics) {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, { status }]) => {
      const { failures, successes, broken } = health[/** @type {MetricName} */ (name)] ?? {
        failures: 0,
        successes: 0,
        broken: false,
      };
      if (status === 'unsettled') return [name, { failures, successes, broken }]; // neither read nor broken: it is still changing
      return [
        name,
        status === 'ok' || name === 'goal'
          ? { failures: 0, successes: successes + 1, broken: broken && successes + 1 < SUCCESSES_UNTIL_MENDED }
          : { failures: failures + 1, successes: 0, broken: broken || failures + 1 >= FAILURES_UNTIL_BROKEN },
      ];
    }),
  );
}

/**
 * Of two tabs with the same page one speaks, as long as it does: two pages that disagree would make a number flicker.
 * A tab that cannot read its balance gives way to one that can.
 *
 * @param {Pick<PlatformStatus, 'tabId' | 'readAt' | 'metrics'> | undefined} current
 * @param {number} tabId
 * @param {number} now
 * @param {Metrics} [metrics] what the tab that asks has read
 */
export function mayReport(current, tabId, now, metrics = {}) {
  if (!current || current.tabId === tabId || Math.abs(now - current.readAt) > FRESH_MS) return true;
  return metrics.tokens?.status === 'ok' && !['ok', 'unsettled'].includes(current.metrics?.tokens?.status ?? 'ok');
}

/**
 * One state, the first that holds. Connected is only what the newest answer confirmed, and not for longer than three intervals.
 *
 * @param {StatusBoard} board
 * @param {number} now
 * @returns {Connection}
 */
export function connectionOf(board, now) {
  if (board.settingsFailed) return 'storage';
  if (!board.configured) return 'setup';
  if (board.pausedAt !== null) return 'paused';
  if (!board.access) return 'access';
  if (board.refused) return 'refused';
  if (board.storageFailed) return 'storage';
  if (board.isRejecting) return 'rejected';
  if (board.isForeign && board.buffered > 0) return 'foreign';
  if (board.buffered > 0 && board.failure !== null) return 'buffering';
  if (Math.abs(now - board.lastOkAt) <= FRESH_MS) return 'connected';
  return board.buffered > 0 ? 'buffering' : pageState(board, now);
}

/** The state of the pages, where nothing waits to be sent. @param {StatusBoard} board @param {number} now @returns {Connection} */
function pageState(board, now) {
  const live = livePlatforms(board, now);
  if (live.length > 0)
    return live.some(([, { metrics }]) => metrics.tokens?.status !== 'ok') ? 'unreadable' : 'pending';
  if (asleepPlatforms(board).length > 0) return 'asleep';
  const pages = Object.values(board.pages ?? {}).filter(({ seenAt }) => Math.abs(now - seenAt) <= FRESH_MS);
  if (pages.some(({ page }) => page === 'unproven')) return 'unproven';
  if (pages.some(({ page }) => page === 'switched_off')) return 'switched_off';
  return board.withheld.length > 0 ? 'site' : 'idle';
}

/** @param {StatusBoard} board @returns {string[]} platforms whose tab Chrome has put to sleep */
export const asleepPlatforms = ({ platforms }) =>
  Object.entries(platforms)
    .filter(([, { asleep }]) => asleep !== undefined)
    .map(([platform]) => platform);

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
export const brokenReadings = (board, now) =>
  livePlatforms(board, now).flatMap(([platform, { health }]) =>
    Object.entries(health)
      .filter(([, { broken }]) => broken)
      .map(([metric]) => ({ platform, metric: /** @type {MetricName} */ (metric) })),
  );

/** The popup announces the end a week ahead. */
const NOTICE_MS = 7 * 24 * 3600 * 1000;

/** @param {StatusBoard} board @param {number} now whether the studio's code ends soon */
export const endsSoon = ({ expiresAt }, now) => expiresAt !== null && expiresAt > now && expiresAt - now <= NOTICE_MS;

/** Text and background are at least 4.5 to 1. */
const COLOURS = { good: '#086b41', warn: '#7a4f00', bad: '#b3261e', quiet: '#5a6373' };

/** @type {Partial<Record<Connection, [text: string, colour: keyof typeof COLOURS]>>} words are names of messages, in every language its own */
const BADGES = {
  setup: ['badge_setup', 'quiet'],
  refused: ['badge_refused', 'bad'],
  connected: ['badge_connected', 'good'],
  paused: ['❚❚', 'quiet'],
  access: ['!', 'bad'],
  storage: ['!', 'bad'],
  rejected: ['!', 'warn'],
  unreadable: ['!', 'warn'],
  asleep: ['!', 'warn'],
  site: ['!', 'bad'],
  unproven: ['?', 'warn'],
};

/**
 * @param {StatusBoard} board
 * @param {number} now
 * @param {(key: string) => string} [t] a message in the browser's language
 * @returns {{ text: string, colour: string }}
 */
export function badgeFor(board, now, t = (key) => ENGLISH[key] ?? key) {
  const connection = connectionOf(board, now);
  if (connection === 'buffering' || connection === 'foreign')
    return { text: shortCount(board.buffered), colour: COLOURS.warn };
  const isDoubtful = connection === 'connected' && brokenReadings(board, now).length > 0;
  const [text, colour] = (isDoubtful ? BADGES.unreadable : BADGES[connection]) ?? ['', 'quiet'];
  return { text: text.startsWith('badge_') ? t(text) : text, colour: COLOURS[colour] };
}

/** @type {Record<string, string>} */
const ENGLISH = { badge_setup: 'SET', badge_refused: 'KEY', badge_connected: 'ON' };

/** A badge holds four characters. @param {number} count */
const shortCount = (count) => (count < 1000 ? String(count) : `${Math.floor(count / 1000)}k`);

/**
 * From a message to a telemetry body. A content script lives in a page that may be hostile, so everything it says is
 * checked again, and only known keys get through.
 */
import '../content/adapters.js';

const METRICS = /** @type {const} */ (['tokens', 'tips', 'viewers', 'goal']);
const STATUSES = ['ok', 'missing', 'unparsed', 'hidden', 'ambiguous', 'out_of_range', 'unsettled'];
const PAGE_STATES = /** @type {const} */ (['unproven', 'switched_off']);
const ACCOUNT = /^[0-9a-f]{16}$/u;
/** A message is delivered at once or, after a sleep of the machine, far too late to be called a reading of now. */
const MAX_DELAY_MS = 60_000;

/**
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {string} extensionId
 * @param {number} now
 * @returns {(ReadingMessage & { tabId: number }) | null}
 */
export function parseReading(message, sender, extensionId, now) {
  const from = adapterOf(message, sender, extensionId);
  if (!from || (message.type !== undefined && message.type !== 'reading')) return null;
  if (!isRecent(message.readAt, now)) return null;
  const { adapter, tabId } = from;
  const metrics = cleanMetrics(adapter, message.metrics);
  const account = ACCOUNT.test(message.account) ? { account: String(message.account) } : {};
  return { type: 'reading', platform: adapter.platform, readAt: message.readAt, metrics, ...account, tabId };
}

/**
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {string} extensionId
 * @param {number} now
 * @returns {(PageMessage & { tabId: number }) | null}
 */
export function parsePage(message, sender, extensionId, now) {
  const from = adapterOf(message, sender, extensionId);
  if (!from || message.type !== 'page' || !PAGE_STATES.includes(message.page) || !isRecent(message.seenAt, now))
    return null;
  return {
    type: 'page',
    platform: from.adapter.platform,
    seenAt: message.seenAt,
    page: message.page,
    tabId: from.tabId,
  };
}

/**
 * The platform of a content script that starts, or null.
 *
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {string} extensionId
 */
export function parseStart(message, sender, extensionId) {
  return message?.type === 'start' ? (adapterOf(message, sender, extensionId)?.adapter.platform ?? null) : null;
}

/**
 * What a content script needs to know. The endpoint and the token are no part of it.
 *
 * @param {Settings} settings
 * @param {string} installationKey used where no account key was set: its marks are valid in this browser alone
 * @param {PlatformStatus | undefined} newest
 * @returns {StartAnswer}
 */
export function startAnswer({ accountKey, camsodaEnabled }, installationKey, newest) {
  const tokens = newest?.metrics.tokens?.value;
  const account = newest?.account === undefined ? {} : { account: newest.account };
  return {
    accountKey: accountKey || installationKey,
    camsodaEnabled: camsodaEnabled === true,
    last: newest && tokens !== undefined ? { ...account, tokens, readAt: newest.readAt } : null,
  };
}

/**
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {string} extensionId
 */
function adapterOf(message, sender, extensionId) {
  const adapter = globalThis.studioPulseAdapters.find(({ platform }) => platform === message?.platform);
  const tabId = sender.tab?.id;
  if (!adapter || tabId === undefined || sender.id !== extensionId || sender.frameId !== 0) return null;
  return servesOrigin(adapter, sender.origin ?? '') ? { adapter, tabId } : null;
}

/** @param {unknown} moment @param {number} now */
const isRecent = (moment, now) => Number.isSafeInteger(moment) && Math.abs(now - Number(moment)) <= MAX_DELAY_MS;

/**
 * Null when neither balance nor viewers were read. A balance that was not read is sent as null, which means unknown. The goal
 * is the one that the broadcaster set: a goal on the page counts the tips of one show, and beside a balance it would
 * always look reached.
 *
 * @param {ReadingMessage} reading
 * @param {Pick<Settings, 'roomId' | 'goal'>} settings
 * @returns {Telemetry | null}
 */
export function toTelemetry({ platform, readAt, metrics, account }, { roomId, goal }) {
  const tokens = metrics.tokens?.value;
  if (tokens === undefined && metrics.viewers?.value === undefined) return null;
  return {
    room_id: roomId,
    platform,
    tokens_count: tokens ?? null,
    ...(metrics.tips?.value !== undefined && { tips_count: metrics.tips.value }),
    ...(metrics.viewers?.value !== undefined && { viewers_count: metrics.viewers.value }),
    ...(goal !== null && { goal_tokens: goal }),
    ...(account !== undefined && { account }),
    timestamp: Math.floor(readAt / 1000),
    sequence: readAt,
  };
}

/** @param {Adapter} adapter @param {string} origin */
function servesOrigin(adapter, origin) {
  const [, scheme, host] = /^(https?):\/\/([a-z\d.-]+)(?::\d+)?$/u.exec(origin) ?? [];
  if (scheme !== (adapter.loopback ? 'http' : 'https')) return false;
  return host !== undefined && adapter.hosts.some((domain) => `.${host}`.endsWith(`.${domain}`));
}

/** @param {Adapter} adapter @param {any} metrics @returns {Metrics} */
function cleanMetrics(adapter, metrics) {
  /** @type {Metrics} */
  const clean = {};
  for (const name of METRICS) {
    const hypotheses = adapter.metrics[name];
    if (hypotheses && metrics && typeof metrics === 'object') clean[name] = cleanMetric(hypotheses, metrics[name]);
  }
  return clean;
}

/** @param {Hypothesis[]} hypotheses @param {any} claimed @returns {MetricReading} */
function cleanMetric(hypotheses, claimed) {
  if (!STATUSES.includes(claimed?.status)) return { status: 'missing' };
  const hypothesis = hypotheses.find(({ id }) => id === claimed.via);
  const via = hypothesis ? { via: hypothesis.id } : {};
  if (claimed.status !== 'ok') return { status: claimed.status, ...via };
  const { value } = claimed;
  const isWithin = hypothesis && Number.isSafeInteger(value) && value >= hypothesis.min && value <= hypothesis.max;
  return isWithin ? { status: 'ok', value, ...via } : { status: 'out_of_range', ...via };
}

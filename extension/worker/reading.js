/**
 * From a message to a telemetry body. A content script lives in a page that may be hostile, so everything it says is
 * checked again, and only known keys get through.
 */
import '../content/adapters.js';

const METRICS = /** @type {const} */ (['tokens', 'tips', 'viewers', 'goal']);
const STATUSES = ['ok', 'missing', 'unparsed', 'hidden', 'ambiguous', 'out_of_range'];
/** A message is delivered at once or, after a sleep of the machine, far too late to be called a reading of now. */
const LONGEST_DELAY_MS = 60_000;

/**
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {string} extensionId
 * @param {number} now
 * @returns {(ReadingMessage & { tabId: number }) | null}
 */
export function acceptReading(message, sender, extensionId, now) {
  const adapter = globalThis.studioPulseAdapters.find(({ platform }) => platform === message?.platform);
  const tabId = sender.tab?.id;
  if (!adapter || tabId === undefined || sender.id !== extensionId || sender.frameId !== 0) return null;
  if (!servesOrigin(adapter, sender.origin ?? '')) return null;
  if (!Number.isSafeInteger(message.readAt) || Math.abs(now - message.readAt) > LONGEST_DELAY_MS) return null;
  const metrics = cleanMetrics(adapter, message.metrics);
  return { type: 'reading', platform: adapter.platform, readAt: message.readAt, metrics, tabId };
}

/**
 * Null when there is no balance to report: the contract asks for one, and zero would be a lie. The goal is the one that
 * the broadcaster set: a goal on the page counts the tips of one show, and beside a balance it would always look reached.
 *
 * @param {ReadingMessage} reading
 * @param {Settings} settings
 * @returns {Telemetry | null}
 */
export function toTelemetry({ platform, readAt, metrics }, { roomId, goal }) {
  const tokens = metrics.tokens?.value;
  if (tokens === undefined) return null;
  return {
    room_id: roomId,
    platform,
    tokens_count: tokens,
    ...(metrics.tips?.value !== undefined && { tips_count: metrics.tips.value }),
    ...(metrics.viewers?.value !== undefined && { viewers_count: metrics.viewers.value }),
    ...(goal !== null && { goal_tokens: goal }),
    timestamp: Math.floor(readAt / 1000),
    sequence: readAt,
  };
}

/** @param {Adapter} adapter @param {string} origin */
function servesOrigin(adapter, origin) {
  const [, host] = /^https:\/\/([a-z\d.-]+)(?::\d+)?$/u.exec(origin) ?? [];
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

/**
 * What to do with an answer: the response table, decided without I/O. The same table serves a whole answer and each
 * item of a batch.
 */

export const LARGEST_BATCH = 500;
const FIRST_BACKOFF_MS = 2000;
const LONGEST_BACKOFF_MS = 300_000;
export const LONGEST_WAIT_MS = 3_600_000;

/** @typedef {'delivered' | 'dead' | 'refused' | 'too_large' | 'later' | 'backoff'} Verdict */

/** @type {Record<number, Verdict>} */
const VERDICTS = {
  400: 'dead', 422: 'dead', 401: 'refused', 403: 'refused', 413: 'too_large', 429: 'later', 503: 'later',
};

/** @returns {SenderState} */
export const freshState = () => ({ attempt: 0, nextAttemptAt: 0, refused: false, batchLimit: LARGEST_BATCH, failure: null });

/**
 * Anything the table does not name (404 from a wrong path, say) is no fault of the readings.
 *
 * @param {number} status
 * @returns {Verdict}
 */
export const verdictOn = (status) => (status >= 200 && status < 300 ? 'delivered' : VERDICTS[status] ?? 'backoff');

/** Full jitter. @param {number} attempt @param {() => number} random */
export const backoffMs = (attempt, random) =>
  Math.round(random() * Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt));

/**
 * Seconds or a date, as the header allows.
 *
 * @param {string | null} header
 * @param {number} now
 * @returns {number | null}
 */
export function retryAfterMs(header, now) {
  if (header === null || header.trim() === '') return null;
  const text = header.trim();
  const delay = /^\d+$/u.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(delay) ? null : Math.min(Math.max(delay, 0), LONGEST_WAIT_MS);
}

/**
 * @typedef {object} Plan
 * @property {SenderState} state
 * @property {Entry[]} remove
 * @property {Entry[]} postpone
 * @property {{ entry: Entry, problem: Problem }[]} bury
 */

/**
 * @param {Answer} answer
 * @param {Entry[]} batch
 * @param {SenderState} state
 * @param {number} now
 * @param {() => number} random
 * @returns {Plan}
 */
export function planFor(answer, batch, state, now, random) {
  const verdict = verdictOn(answer.status);
  if (verdict === 'delivered' && answer.results) return planForItems(answer.results, batch, state, now, random);
  const plan = { state: { ...state, failure: answer.status }, remove: [], postpone: [], bury: [] };
  if (verdict === 'refused') return withState(plan, { refused: true });
  if (verdict === 'dead' || verdict === 'too_large') return shrink(plan, answer, batch);
  const wait = verdict === 'later' ? answer.retryAfterMs : null;
  return withState(plan, { attempt: state.attempt + 1, nextAttemptAt: now + (wait ?? backoffMs(state.attempt, random)) });
}

/**
 * One bad reading must not take its neighbours with it: halve until it stands alone.
 *
 * @param {Plan} plan
 * @param {Answer} answer
 * @param {Entry[]} batch
 */
function shrink(plan, { status, detail }, batch) {
  const [entry] = batch;
  if (batch.length > 1 || !entry) return withState(plan, { batchLimit: Math.floor(batch.length / 2) });
  return { ...withState(plan, { attempt: 0, failure: null }), bury: [{ entry, problem: { status, detail } }] };
}

/**
 * @param {NonNullable<Answer['results']>} results
 * @param {Entry[]} batch
 * @param {SenderState} state
 * @param {number} now
 * @param {() => number} random
 * @returns {Plan}
 */
function planForItems(results, batch, state, now, random) {
  const byIndex = new Map(results.map((item) => [item.index, item]));
  /** @type {Plan} */
  const plan = { state: { ...state, attempt: 0, nextAttemptAt: 0, failure: null }, remove: [], postpone: [], bury: [] };
  for (const [index, entry] of batch.entries()) {
    const item = byIndex.get(index);
    const problem = item?.result === 'rejected' ? item.problem ?? { status: 500 } : null;
    const isKept = item && ['accepted', 'duplicate', 'late'].includes(item.result);
    if (isKept) plan.remove.push(entry);
    else settleRejected(plan, entry, problem ?? { status: 500 }, now, random);
  }
  const isRefusedWhole = plan.remove.length + plan.bury.length === 0 && plan.postpone.length === batch.length
    && plan.postpone.every(({ dueAt }) => dueAt === Infinity);
  return isRefusedWhole ? { ...withState(plan, { refused: true, failure: 403 }), postpone: [] } : plan;
}

/** @param {Plan} plan @param {Entry} entry @param {Problem} problem @param {number} now @param {() => number} random */
function settleRejected(plan, entry, problem, now, random) {
  const verdict = verdictOn(problem.status);
  if (verdict === 'dead' || verdict === 'too_large') plan.bury.push({ entry, problem });
  else if (verdict === 'refused') plan.postpone.push({ ...entry, dueAt: Infinity });
  else if (verdict === 'later') wait(plan, problem, now, random);
  else plan.postpone.push({ ...entry, attempts: entry.attempts + 1, dueAt: now + backoffMs(entry.attempts, random) });
}

/**
 * A rate holds for the whole token: nothing is sent until the longest wait named is over.
 *
 * @param {Plan} plan
 * @param {Problem} problem
 * @param {number} now
 * @param {() => number} random
 */
function wait(plan, { status, retry_after_seconds: seconds }, now, random) {
  const delay = retryAfterMs(seconds === undefined ? null : String(Math.ceil(seconds)), now) ?? backoffMs(0, random);
  plan.state = { ...plan.state, failure: status, nextAttemptAt: Math.max(plan.state.nextAttemptAt, now + delay) };
}

/** @param {Plan} plan @param {Partial<SenderState>} changes @returns {Plan} */
const withState = (plan, changes) => ({ ...plan, state: { ...plan.state, ...changes } });

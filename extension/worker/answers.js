/**
 * Decides what to do with an answer: the response table, without I/O. The same table serves a whole answer and each
 * item of a batch.
 */

export const MAX_BATCH = 500;
const FIRST_BACKOFF_MS = 2000;
const MAX_BACKOFF_MS = 30_000;
/** A server that asks to wait 0 s must not be asked again at once. */
const MIN_RETRY_AFTER_MS = 1000;
export const MAX_WAIT_MS = 3_600_000;
/** After this many refused readings in a row the server refuses everything, so no more readings become dead letters. */
const MAX_DEAD_IN_A_ROW = 3;
/** While the server has accepted a reading this recently, a refusal concerns the reading alone. */
const ACCEPTING_MS = 60_000;
const ACCEPTED = ['accepted', 'duplicate', 'late'];

/** @typedef {'delivered' | 'dead' | 'refused' | 'too_large' | 'later' | 'backoff' | 'foreign'} Verdict */

/** @type {Record<number, Verdict>} */
const VERDICTS = {
  400: 'dead',
  422: 'dead',
  401: 'refused',
  403: 'refused',
  413: 'too_large',
  429: 'later',
  503: 'later',
};

/** @returns {SenderState} */
export const initialState = () => ({
  attempt: 0,
  nextAttemptAt: 0,
  refused: false,
  batchLimit: MAX_BATCH,
  failure: null,
  isForeign: false,
  isRejecting: false,
  isStopped: false,
  refusal: null,
  deadInARow: 0,
  acceptedAt: 0,
  offsetMs: null,
});

/**
 * Anything the table does not name (404 from a wrong path, say) is no fault of the readings.
 *
 * @param {number} status
 * @returns {Verdict}
 */
export const verdictOn = (status) => (status >= 200 && status < 300 ? 'delivered' : (VERDICTS[status] ?? 'backoff'));

/**
 * The verdict on a whole answer. A success without a result for each reading, and a refusal without a problem document,
 * do not come from the studio's server but from something on the way: a hotel's login page, a proxy, another site.
 * A proxy may say "busy" and "too large" on the server's behalf.
 *
 * @param {Answer} answer
 * @param {number} count of readings in the batch
 * @returns {Verdict}
 */
export function verdictOnAnswer({ status, results, isProblem }, count) {
  const verdict = verdictOn(status);
  if (verdict === 'delivered') return isComplete(results, count) ? 'delivered' : 'foreign';
  const isOnBehalf = verdict === 'later' || (verdict === 'too_large' && count > 1) || status === 408;
  return status >= 300 && status < 500 && !isProblem && !isOnBehalf ? 'foreign' : verdict;
}

/** Each reading has exactly one result that we know. @param {Answer['results']} results @param {number} count */
function isComplete(results, count) {
  if (results?.length !== count) return false;
  const known = results.filter(
    (item) =>
      item &&
      Number.isInteger(item.index) &&
      item.index >= 0 &&
      item.index < count &&
      (ACCEPTED.includes(item.result) || (item.result === 'rejected' && Number.isInteger(item.problem?.status))),
  );
  return new Set(known.map(({ index }) => index)).size === count;
}

/** Full jitter. @param {number} attempt @param {() => number} random */
export const backoffMs = (attempt, random) =>
  Math.round(random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt));

/**
 * Seconds or a date, as the header allows; null for anything else, so that nonsense is ignored.
 *
 * @param {string | null} header
 * @param {number} now
 * @returns {number | null}
 */
export function retryAfterMs(header, now) {
  const text = header?.trim() ?? '';
  const isDate = /[a-z]/iu.test(text) && /:/u.test(text);
  const delay = /^\d+$/u.test(text) ? Number(text) * 1000 : isDate ? Date.parse(text) - now : NaN;
  return Number.isNaN(delay) ? null : Math.min(Math.max(delay, 0), MAX_WAIT_MS);
}

/**
 * A wait that the server asks for is honoured, but never shorter than a bound that grows with every attempt.
 *
 * @param {number | null} asked
 * @param {number} attempt
 * @param {() => number} random
 */
const waitMs = (asked, attempt, random) =>
  asked === null
    ? backoffMs(attempt, random)
    : Math.max(asked, Math.min(MAX_BACKOFF_MS, MIN_RETRY_AFTER_MS * 2 ** attempt));

/**
 * @typedef {object} Plan
 * @property {SenderState} state
 * @property {Entry[]} remove
 * @property {Entry[]} postpone
 * @property {{ entry: Entry, problem: Problem }[]} deadLetter
 */

/**
 * @param {Answer} answer
 * @param {Entry[]} batch readings of one room
 * @param {SenderState} state
 * @param {number} now
 * @param {() => number} random
 * @param {{ roomId?: string, isClockCorrected?: boolean }} [circumstances] the room that is set, and whether this answer has
 *   taught us that our clock is wrong
 * @returns {Plan}
 */
export function planFor(answer, batch, state, now, random, { roomId, isClockCorrected = false } = {}) {
  const verdict = verdictOnAnswer(answer, batch.length);
  const isOfOtherRoom = roomId !== undefined && batch.some(({ body }) => body.room_id !== roomId);
  const facts = { now, random, isOfOtherRoom, isClockCorrected };
  if (verdict === 'delivered') return planForItems(answer.results ?? [], batch, state, facts);
  const isForeign = verdict === 'foreign';
  const { status, detail } = answer;
  /** @type {Plan} */
  const plan = {
    state: {
      ...state,
      failure: status,
      isForeign,
      isRejecting: false,
      ...(isForeign && { batchLimit: MAX_BATCH }),
    },
    remove: [],
    postpone: [],
    deadLetter: [],
  };
  if (verdict === 'refused' && status === 403 && isOfOtherRoom) return { ...plan, state, postpone: batch.map(hold) };
  if (verdict === 'refused') return withState(plan, { refused: true, refusal: { at: now, status, detail } });
  if (namesField(answer, 'Pulse-Sent-At') && isClockCorrected)
    return withState(plan, { failure: state.failure, nextAttemptAt: 0 });
  if (namesField(answer, 'Pulse-Sent-At'))
    return withState(plan, { ...paused(state, now, random), isRejecting: true, refusal: { at: now, status, detail } });
  if (verdict === 'dead' || verdict === 'too_large') return halve(plan, answer, batch, facts);
  const asked = verdict === 'later' ? answer.retryAfterMs : null;
  return withState(plan, { attempt: state.attempt + 1, nextAttemptAt: now + waitMs(asked, state.attempt, random) });
}

/** @typedef {{ now: number, random: () => number, isOfOtherRoom: boolean, isClockCorrected: boolean }} Facts */

/** Not to be sent before the configuration changes. @param {Entry} entry @returns {Entry} */
const hold = (entry) => ({ ...entry, dueAt: Infinity });

/** To be sent again with the time as it is known now. @param {Entry} entry @returns {Entry} */
const withoutClock = ({ offsetMs: _old, ...entry }) => entry;

/**
 * Whether the reading may have been sent with the wrong time: the clock offset known when it was read differs from the
 * present one, or this answer has corrected the offset.
 *
 * @param {Entry} entry
 * @param {SenderState} state
 * @param {Facts} facts
 */
const hasAnotherTime = ({ offsetMs }, state, { isClockCorrected }) =>
  offsetMs === undefined ? isClockCorrected : Math.abs(offsetMs - (state.offsetMs ?? 0)) > 2000;

/** @param {Pick<Problem, 'errors'>} problem @param {string} field */
const namesField = ({ errors }, field) => Array.isArray(errors) && errors.some((error) => error?.field === field);

/** @param {SenderState} state @param {number} now @param {() => number} random */
const paused = ({ attempt }, now, random) => ({
  attempt: attempt + 1,
  nextAttemptAt: now + backoffMs(attempt, random),
});

/**
 * One bad reading must not take its neighbours with it: halve until it stands alone.
 *
 * @param {Plan} plan
 * @param {Answer} answer
 * @param {Entry[]} batch
 * @param {Facts} facts
 * @returns {Plan}
 */
function halve(plan, { status, detail }, batch, facts) {
  const [entry] = batch;
  if (batch.length > 1 || !entry)
    return withState(plan, { batchLimit: Math.floor(batch.length / 2), refusal: { at: facts.now, status, detail } });
  return deadLetterUnlessStopped({ ...plan, deadLetter: [{ entry, problem: { status, detail } }] }, facts);
}

/**
 * Refused readings go to the dead letters, unless the server refuses everything: then they stay where they are, and the
 * newest one alone is tried again from time to time.
 *
 * @param {Plan} plan
 * @param {Facts} facts
 * @returns {Plan}
 */
function deadLetterUnlessStopped(plan, { now, random }) {
  const last = plan.deadLetter.at(-1)?.problem;
  if (!last) return plan;
  const refusal = { at: now, status: last.status, detail: last.detail ?? last.title ?? '' };
  const { deadInARow, acceptedAt } = plan.state;
  const count = deadInARow + plan.deadLetter.length;
  const isAccepting = plan.remove.length > 0 || Math.abs(now - acceptedAt) <= ACCEPTING_MS;
  if (isAccepting || count <= MAX_DEAD_IN_A_ROW) {
    const changes = { attempt: 0, failure: null, isRejecting: plan.remove.length === 0, refusal };
    return withState(plan, { ...changes, deadInARow: plan.remove.length > 0 ? 0 : count });
  }
  return {
    ...withState(plan, {
      ...paused(plan.state, now, random),
      failure: last.status,
      isRejecting: true,
      isStopped: true,
      refusal,
      batchLimit: 1,
    }),
    deadLetter: [],
  };
}

/**
 * @param {NonNullable<Answer['results']>} results
 * @param {Entry[]} batch
 * @param {SenderState} state
 * @param {Facts} facts
 * @returns {Plan}
 */
function planForItems(results, batch, state, facts) {
  const byIndex = new Map(results.map((item) => [item.index, item]));
  /** @type {Plan} */
  const plan = {
    state: { ...state, nextAttemptAt: 0, failure: null, isForeign: false, isRejecting: false },
    remove: [],
    postpone: [],
    deadLetter: [],
  };
  /** @type {Problem[]} */
  const problems = [];
  for (const [index, entry] of batch.entries()) {
    const item = byIndex.get(index);
    if (item?.result === 'rejected') settleRejected(plan, entry, item.problem ?? { status: 500 }, facts, problems);
    else plan.remove.push(entry);
  }
  if (plan.remove.length > 0) plan.state = { ...plan.state, ...resumed(state), acceptedAt: facts.now };
  else if (plan.state.nextAttemptAt > 0) plan.state.attempt += 1;
  const isRefusedWhole =
    !facts.isOfOtherRoom &&
    plan.remove.length + plan.deadLetter.length === 0 &&
    plan.postpone.length === batch.length &&
    plan.postpone.every(({ dueAt }) => dueAt === Infinity);
  if (isRefusedWhole)
    return {
      ...withState(plan, { refused: true, failure: 403, refusal: reasonOf(problems[0], facts.now) }),
      postpone: [],
    };
  const settled = deadLetterUnlessStopped(plan, facts);
  const isNothingAccepted =
    plan.remove.length === 0 && plan.deadLetter.length === 0 && problems.length > 0 && !facts.isOfOtherRoom;
  return isNothingAccepted && settled.state.failure === null
    ? withState(settled, { failure: problems[0]?.status ?? null, refusal: reasonOf(problems[0], facts.now) })
    : settled;
}

/** After a stop full batches are tried again. @param {SenderState} state */
const resumed = ({ isStopped, batchLimit }) => ({
  attempt: 0,
  deadInARow: 0,
  isStopped: false,
  batchLimit: isStopped ? MAX_BATCH : batchLimit,
});

/** @param {Problem | undefined} problem @param {number} now */
const reasonOf = (problem, now) =>
  problem ? { at: now, status: problem.status, detail: String(problem.detail ?? problem.title ?? '') } : null;

/** @param {Plan} plan @param {Entry} entry @param {Problem} problem @param {Facts} facts @param {Problem[]} problems */
function settleRejected(plan, entry, problem, facts, problems) {
  const { now, random } = facts;
  const verdict = verdictOn(problem.status);
  if (namesField(problem, 'timestamp') && hasAnotherTime(entry, plan.state, facts)) {
    plan.postpone.push(withoutClock(entry));
    return;
  }
  problems.push(problem);
  if (verdict === 'dead' || verdict === 'too_large') plan.deadLetter.push({ entry, problem });
  else if (verdict === 'refused') plan.postpone.push(hold(entry));
  else if (verdict === 'later') waitFor(plan, problem, now, random);
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
function waitFor(plan, { status, retry_after_seconds: seconds }, now, random) {
  const asked = typeof seconds === 'number' ? retryAfterMs(String(Math.ceil(seconds)), now) : null;
  const delay = waitMs(asked, plan.state.attempt, random);
  plan.state = { ...plan.state, failure: status, nextAttemptAt: Math.max(plan.state.nextAttemptAt, now + delay) };
}

/** @param {Plan} plan @param {Partial<SenderState>} changes @returns {Plan} */
const withState = (plan, changes) => ({ ...plan, state: { ...plan.state, ...changes } });

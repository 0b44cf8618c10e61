/**
 * Empties the outbox, newest readings first, one request at a time. Independent of Chrome: clock, randomness, network and
 * memory are handed in, and everything that must outlive the worker goes through the outbox or the memory.
 */
import { initialState, MAX_BATCH, MAX_WAIT_MS, planFor, retryAfterMs } from './answers.js';
import { adjustedOffset, inServerTime, measuredOffset } from './clock.js';

const TIMEOUT_MS = 10_000;
/** Chrome ends an event after five minutes; the next reading or alarm goes on. */
const MAX_REQUESTS_PER_RUN = 20;

/**
 * @typedef {object} Environment
 * @property {import('./outbox.js').Outbox} outbox
 * @property {{ load: () => Promise<SenderState | undefined>, save: (state: SenderState) => Promise<void> }} memory
 * @property {() => Promise<Settings | null>} destination null while there is nowhere to send to
 * @property {(at: number | null, accepted: Entry[]) => Promise<void>} onAnswer the moment of an answer that accepted a reading, or null;
 *   and the readings that it accepted
 * @property {typeof fetch} fetch
 * @property {() => number} now
 * @property {() => number} random
 */

export class Sender {
  #environment;
  /** @type {Promise<void> | null} */
  #draining = null;
  #isRerunRequested = false;
  #configuration = 0;

  /** @param {Environment} environment */
  constructor(environment) {
    this.#environment = environment;
  }

  /** Safe to call at any time and from anywhere; a call during a run extends the run. @returns {Promise<void>} */
  drain() {
    this.#isRerunRequested = true;
    this.#draining ??= this.#drainWhileRequested().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  /** A new configuration deserves a clean start: nothing refused, nothing postponed, no waiting. */
  async restart() {
    this.#configuration += 1;
    const { memory, outbox } = this.#environment;
    const { offsetMs } = { ...initialState(), ...(await memory.load()) };
    await memory.save({ ...initialState(), offsetMs });
    await outbox.release();
    await this.drain();
  }

  /** The waiting is over: the network is back, or a person is looking. A refusal stays one. */
  async retryNow() {
    const { memory } = this.#environment;
    const state = await memory.load();
    if (state && state.nextAttemptAt > 0) await memory.save({ ...state, nextAttemptAt: 0 });
    await this.drain();
  }

  /**
   * Sends a reading that could not be written down: better once than never. It is not tried again.
   *
   * @param {Telemetry} body
   * @param {number} readAt
   * @returns {Promise<boolean>} whether the server has accepted it
   */
  async sendUnstored(body, readAt) {
    const { memory, destination, now, onAnswer } = this.#environment;
    const [state, settings] = [{ ...initialState(), ...(await memory.load()) }, await destination()];
    if (!settings || state.refused || mustWait(state, now())) return false;
    const entry = { readAt, platform: body.platform, dueAt: 0, attempts: 0, body };
    const { plan } = await this.#exchange(settings, [entry], state);
    await memory.save(plan.state);
    await onAnswer(plan.remove.length > 0 ? now() : null, plan.remove);
    return plan.remove.length > 0;
  }

  async #drainWhileRequested() {
    for (let round = 0; this.#isRerunRequested && round < MAX_REQUESTS_PER_RUN; round += 1) {
      this.#isRerunRequested = false;
      if (await this.#sendOneBatch()) this.#isRerunRequested = true;
    }
  }

  /** @returns {Promise<boolean>} whether there may be more to send */
  async #sendOneBatch() {
    const { memory, destination, now, onAnswer } = this.#environment;
    const configuration = this.#configuration;
    const state = { ...initialState(), ...(await memory.load()) };
    const settings = await destination();
    if (!settings || state.refused || mustWait(state, now())) return false;
    const batch = await this.#nextBatch(settings.roomId, state.batchLimit);
    if (batch.length === 0) {
      if (state.batchLimit < MAX_BATCH && !state.isStopped) await memory.save({ ...state, batchLimit: MAX_BATCH });
      return false;
    }
    const { plan, offsetMs } = await this.#exchange(settings, batch, state);
    if (configuration !== this.#configuration) return true;
    await this.#apply(plan, offsetMs);
    if (configuration !== this.#configuration) return true;
    if (JSON.stringify(plan.state) !== JSON.stringify(state)) await memory.save(plan.state);
    await onAnswer(plan.remove.length > 0 ? now() : null, plan.remove);
    return !plan.state.refused && !mustWait(plan.state, now()) && !(plan.state.isStopped && plan.remove.length === 0);
  }

  /** Readings of one room: those of the room that is set go first, and those of another never in the same request. @param {string} roomId @param {number} limit */
  async #nextBatch(roomId, limit) {
    const { outbox, now } = this.#environment;
    const batch = await outbox.newest(limit, now(), roomId);
    if (batch.length > 0) return batch;
    for (const other of await outbox.rooms()) {
      const left = other === roomId ? [] : await outbox.newest(limit, now(), other);
      if (left.length > 0) return left;
    }
    return [];
  }

  /** @param {Settings} settings @param {Entry[]} batch @param {SenderState} state */
  async #exchange(settings, batch, state) {
    const { now, random } = this.#environment;
    const answer = await post(
      settings,
      batch.map((entry) => inServerTime(entry, state.offsetMs)),
      this.#environment,
      state.offsetMs ?? 0,
    );
    const offsetMs = adjustedOffset(state.offsetMs, answer.clock);
    const isClockCorrected = (offsetMs ?? 0) !== (state.offsetMs ?? 0);
    const plan = planFor(answer, batch, { ...state, offsetMs }, now(), random, {
      roomId: settings.roomId,
      isClockCorrected,
    });
    return { plan, offsetMs };
  }

  /** Dying in between sends again what the server will recognise. @param {import('./answers.js').Plan} plan @param {number | null} offsetMs */
  async #apply({ remove, postpone, deadLetter }, offsetMs) {
    const { outbox, now } = this.#environment;
    const letters = deadLetter.map(({ entry, problem: { status, detail, title } }) => ({
      at: now(),
      status,
      detail: detail ?? title ?? '',
      body: entry.body,
      offsetMs: entry.offsetMs ?? offsetMs,
    }));
    if (remove.length > 0) await outbox.remove(remove, true);
    if (postpone.length > 0) await outbox.postpone(postpone);
    if (deadLetter.length > 0)
      await outbox.deadLetter(
        deadLetter.map(({ entry }) => entry),
        letters,
      );
  }
}

/**
 * A wait longer than any we set means that the computer's clock was put back.
 *
 * @param {SenderState} state
 * @param {number} now
 */
const mustWait = ({ nextAttemptAt }, now) => nextAttemptAt > now && nextAttemptAt - now <= MAX_WAIT_MS;

/**
 * @param {Settings} settings
 * @param {Telemetry[]} readings
 * @param {Pick<Environment, 'fetch' | 'now'>} environment
 * @param {number} [offsetMs] by how much our clock is known to be ahead
 * @returns {Promise<Answer>}
 */
export async function post({ endpoint, token }, readings, environment, offsetMs = 0) {
  const sentAt = environment.now();
  try {
    const response = await environment.fetch(`${endpoint}/api/tracking/telemetry/batch`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'Pulse-Sent-At': String(Math.max(0, sentAt - offsetMs)),
      },
      body: JSON.stringify(readings),
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const receivedAt = environment.now();
    const date = response.headers.get('Date');
    const { clockOffsetMs, ...body } = await content(response);
    const isOurs = body.isProblem || body.results !== null;
    return {
      status: response.status,
      retryAfterMs: retryAfterMs(response.headers.get('Retry-After'), receivedAt - offsetMs),
      clock: isOurs ? measuredOffset({ sentAt, receivedAt, date, clockOffsetMs, appliedMs: offsetMs }) : null,
      ...body,
    };
  } catch {
    return { status: 0, retryAfterMs: null, results: null, detail: '', isProblem: false, clock: null };
  }
}

/**
 * A 2xx that does not say what became of each reading confirms nothing (a hotel's login page also says 200).
 *
 * @param {Response} response
 * @returns {Promise<Pick<Answer, 'results' | 'detail' | 'isProblem' | 'errors'> & { clockOffsetMs: unknown }>}
 */
async function content(response) {
  const text = await response.text();
  try {
    const body = JSON.parse(text);
    const isProblem = typeof body?.title === 'string' && (body.status === undefined || body.status === response.status);
    return {
      results: Array.isArray(body?.results) ? body.results : null,
      detail: String(body?.detail ?? body?.title ?? ''),
      isProblem,
      ...(Array.isArray(body?.errors) && { errors: body.errors }),
      clockOffsetMs: body?.clock_offset_ms,
    };
  } catch {
    return { results: null, detail: '', isProblem: false, clockOffsetMs: undefined };
  }
}

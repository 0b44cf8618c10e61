/**
 * Empties the outbox, newest readings first, one request at a time. Knows nothing of Chrome: clock, chance, network and
 * memory are handed in, and everything that must outlive the worker goes through the outbox or the memory.
 */
import { freshState, LARGEST_BATCH, LONGEST_WAIT_MS, planFor, retryAfterMs } from './answers.js';
import { adjustedOffset, inServerTime, measuredOffset } from './clock.js';

const ANSWER_WITHIN_MS = 10_000;
/** Chrome ends an event after five minutes; the next reading or alarm goes on. */
const MOST_REQUESTS_AT_ONCE = 20;

/**
 * @typedef {object} Surroundings
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
  #given;
  /** @type {Promise<void> | null} */
  #draining = null;
  #isAskedAgain = false;
  #configuration = 0;

  /** @param {Surroundings} given */
  constructor(given) {
    this.#given = given;
  }

  /** Safe to call at any time and from anywhere; a call during a run extends the run. @returns {Promise<void>} */
  drain() {
    this.#isAskedAgain = true;
    this.#draining ??= this.#drainWhileAsked().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  /** A new configuration deserves a clean start: nothing refused, nothing postponed, no waiting. */
  async restart() {
    this.#configuration += 1;
    const { memory, outbox } = this.#given;
    const { offsetMs } = { ...freshState(), ...(await memory.load()) };
    await memory.save({ ...freshState(), offsetMs });
    await outbox.release();
    await this.drain();
  }

  /** The waiting is over: the network is back, or a person is looking. A refusal stays one. */
  async hurry() {
    const { memory } = this.#given;
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
  async sendUnkept(body, readAt) {
    const { memory, destination, now, onAnswer } = this.#given;
    const [state, settings] = [{ ...freshState(), ...(await memory.load()) }, await destination()];
    if (!settings || state.refused || mustWait(state, now())) return false;
    const entry = { readAt, platform: body.platform, dueAt: 0, attempts: 0, body };
    const { plan } = await this.#exchange(settings, [entry], state);
    await memory.save(plan.state);
    await onAnswer(plan.remove.length > 0 ? now() : null, plan.remove);
    return plan.remove.length > 0;
  }

  async #drainWhileAsked() {
    for (let round = 0; this.#isAskedAgain && round < MOST_REQUESTS_AT_ONCE; round += 1) {
      this.#isAskedAgain = false;
      if (await this.#sendOneBatch()) this.#isAskedAgain = true;
    }
  }

  /** @returns {Promise<boolean>} whether there may be more to send */
  async #sendOneBatch() {
    const { memory, destination, now, onAnswer } = this.#given;
    const configuration = this.#configuration;
    const state = { ...freshState(), ...(await memory.load()) };
    const settings = await destination();
    if (!settings || state.refused || mustWait(state, now())) return false;
    const batch = await this.#nextBatch(settings.roomId, state.batchLimit);
    if (batch.length === 0) {
      if (state.batchLimit < LARGEST_BATCH && !state.isStopped)
        await memory.save({ ...state, batchLimit: LARGEST_BATCH });
      return false;
    }
    const { plan, offsetMs } = await this.#exchange(settings, batch, state);
    if (configuration !== this.#configuration) return true;
    await this.#carryOut(plan, offsetMs);
    if (configuration !== this.#configuration) return true;
    if (JSON.stringify(plan.state) !== JSON.stringify(state)) await memory.save(plan.state);
    await onAnswer(plan.remove.length > 0 ? now() : null, plan.remove);
    return !plan.state.refused && !mustWait(plan.state, now()) && !(plan.state.isStopped && plan.remove.length === 0);
  }

  /** Readings of one room: those of the room that is set go first, and those of another never in the same request. @param {string} roomId @param {number} limit */
  async #nextBatch(roomId, limit) {
    const { outbox, now } = this.#given;
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
    const { now, random } = this.#given;
    const answer = await post(
      settings,
      batch.map((entry) => inServerTime(entry, state.offsetMs)),
      this.#given,
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
  async #carryOut({ remove, postpone, bury }, offsetMs) {
    const { outbox, now } = this.#given;
    const letters = bury.map(({ entry, problem: { status, detail, title } }) => ({
      at: now(),
      status,
      detail: detail ?? title ?? '',
      body: entry.body,
      offsetMs: entry.offsetMs ?? offsetMs,
    }));
    if (remove.length > 0) await outbox.remove(remove, true);
    if (postpone.length > 0) await outbox.postpone(postpone);
    if (bury.length > 0)
      await outbox.bury(
        bury.map(({ entry }) => entry),
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
const mustWait = ({ nextAttemptAt }, now) => nextAttemptAt > now && nextAttemptAt - now <= LONGEST_WAIT_MS;

/**
 * @param {Settings} settings
 * @param {Telemetry[]} readings
 * @param {Pick<Surroundings, 'fetch' | 'now'>} given
 * @param {number} [offsetMs] by how much our clock is known to be ahead
 * @returns {Promise<Answer>}
 */
export async function post({ endpoint, token }, readings, given, offsetMs = 0) {
  const sentAt = given.now();
  try {
    const response = await given.fetch(`${endpoint}/api/tracking/telemetry/batch`, {
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
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const receivedAt = given.now();
    const date = response.headers.get('Date');
    const { clockOffsetMs, ...said } = await content(response);
    const isOurs = said.isProblem || said.results !== null;
    return {
      status: response.status,
      retryAfterMs: retryAfterMs(response.headers.get('Retry-After'), receivedAt - offsetMs),
      clock: isOurs ? measuredOffset({ sentAt, receivedAt, date, clockOffsetMs, appliedMs: offsetMs }) : null,
      ...said,
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

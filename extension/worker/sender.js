/**
 * Empties the outbox, newest readings first, one request at a time. Knows nothing of Chrome: clock, chance, network and
 * memory are handed in, and everything that must outlive the worker goes through the outbox or the memory.
 */
import { LARGEST_BATCH, LONGEST_WAIT_MS, freshState, planFor, retryAfterMs } from './answers.js';

const ANSWER_WITHIN_MS = 10_000;
/** Chrome ends an event after five minutes; the next reading or alarm goes on. */
const MOST_REQUESTS_AT_ONCE = 20;

/**
 * @typedef {object} Surroundings
 * @property {import('./outbox.js').Outbox} outbox
 * @property {{ load: () => Promise<SenderState | undefined>, save: (state: SenderState) => Promise<void> }} memory
 * @property {() => Promise<Settings | null>} destination null while there is nowhere to send to
 * @property {(at: number | null) => Promise<void>} onAnswer the moment of a delivery, or null for a failure
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
    this.#draining ??= this.#drainWhileAsked().finally(() => { this.#draining = null; });
    return this.#draining;
  }

  /** A new configuration deserves a clean start: nothing refused, nothing postponed, no waiting. */
  async restart() {
    this.#configuration += 1;
    await this.#given.memory.save(freshState());
    await this.#given.outbox.release();
    await this.drain();
  }

  async #drainWhileAsked() {
    for (let round = 0; this.#isAskedAgain && round < MOST_REQUESTS_AT_ONCE; round += 1) {
      this.#isAskedAgain = false;
      if (await this.#sendOneBatch()) this.#isAskedAgain = true;
    }
  }

  /** @returns {Promise<boolean>} whether there may be more to send */
  async #sendOneBatch() {
    const { outbox, memory, destination, now, random, onAnswer } = this.#given;
    const configuration = this.#configuration;
    const state = (await memory.load()) ?? freshState();
    const settings = await destination();
    if (!settings || state.refused || mustWait(state, now())) return false;
    const batch = await outbox.newest(state.batchLimit, now());
    if (batch.length === 0) {
      if (state.batchLimit < LARGEST_BATCH) await memory.save({ ...state, batchLimit: LARGEST_BATCH });
      return false;
    }
    const answer = await post(settings, batch.map(({ body }) => body), this.#given);
    if (configuration !== this.#configuration) return true;
    const plan = planFor(answer, batch, state, now(), random);
    await this.#carryOut(plan);
    if (configuration !== this.#configuration) return true;
    if (JSON.stringify(plan.state) !== JSON.stringify(state)) await memory.save(plan.state);
    await onAnswer(answer.results !== null && answer.status < 300 ? now() : null);
    return !plan.state.refused && !mustWait(plan.state, now());
  }

  /** Dying in between sends again what the server will recognise. @param {import('./answers.js').Plan} plan */
  async #carryOut({ remove, postpone, bury }) {
    const { outbox, now } = this.#given;
    const letters = bury.map(({ entry, problem: { status, detail, title } }) =>
      ({ at: now(), status, detail: detail ?? title ?? '', body: entry.body }));
    if (remove.length > 0) await outbox.remove(remove);
    if (postpone.length > 0) await outbox.postpone(postpone);
    if (bury.length > 0) await outbox.bury(bury.map(({ entry }) => entry), letters);
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
 * @returns {Promise<Answer>}
 */
export async function post({ endpoint, token }, readings, given) {
  try {
    const response = await given.fetch(`${endpoint}/api/tracking/telemetry/batch`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(readings),
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const wait = retryAfterMs(response.headers.get('Retry-After'), given.now());
    return { status: response.status, retryAfterMs: wait, ...await content(response) };
  } catch {
    return { status: 0, retryAfterMs: null, results: null, detail: '' };
  }
}

/**
 * A 2xx that does not say what became of each reading confirms nothing (a hotel's login page also says 200).
 *
 * @param {Response} response
 * @returns {Promise<Pick<Answer, 'results' | 'detail'>>}
 */
async function content(response) {
  const text = await response.text();
  try {
    const body = JSON.parse(text);
    return { results: Array.isArray(body?.results) ? body.results : null, detail: String(body?.detail ?? body?.title ?? '') };
  } catch {
    return { results: null, detail: '' };
  }
}

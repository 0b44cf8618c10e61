/** Reads the latest values over HTTP again and again, for as long as no socket gets through. */

import { POLL_EVERY_MS } from './poll.js';

/**
 * @typedef {object} Handlers
 * @property {(events: import('./types.js').ServerEvent[]) => void} onEvents
 * @property {() => void} onChange `answered` changed; called before the events of the same answer
 * @property {(verdict: 'token' | 'forbidden') => void} onRefused the token is not accepted
 */

export class Poller {
  #active = false;
  #answered = false;
  /** Counts starts: an answer to an earlier run is ignored. */
  #run = 0;
  /** @type {any} */
  #timer = null;
  #environment;
  #handlers;

  /** @param {Pick<import('./types.js').Environment, 'poll' | 'timers' | 'random'>} environment @param {Handlers} handlers */
  constructor(environment, handlers) {
    this.#environment = environment;
    this.#handlers = handlers;
  }

  get active() {
    return this.#active;
  }

  /** Whether the last poll was answered. */
  get answered() {
    return this.#answered;
  }

  /** @param {string} token */
  start(token) {
    if (this.#active) return;
    this.#active = true;
    void this.#poll(token, ++this.#run);
  }

  stop() {
    this.#active = this.#answered = false;
    this.#environment.timers.clear(this.#timer);
  }

  /** @param {string} token @param {number} run */
  async #poll(token, run) {
    const { poll, timers, random } = this.#environment;
    const answer = await poll(token);
    if (!this.#active || run !== this.#run) return;
    if ('verdict' in answer && answer.verdict !== 'unreachable') return this.#handlers.onRefused(answer.verdict);
    const answered = 'events' in answer;
    const changed = answered !== this.#answered;
    this.#answered = answered;
    if (changed) this.#handlers.onChange();
    if ('events' in answer) this.#handlers.onEvents(answer.events);
    if (this.#active && run === this.#run)
      this.#timer = timers.set(() => void this.#poll(token, run), POLL_EVERY_MS * (0.9 + 0.2 * random()));
  }
}

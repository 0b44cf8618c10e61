/** Asks for the studio's facts when the link comes up and once a minute from then on; an unchanged answer costs nothing. */

/** @typedef {import('./studio.js').StudioView} StudioView */

const AGAIN_MS = 60_000;

export class StudioPoll {
  #round = 0;
  #tag = '';
  /** @type {any} */
  #timer = null;
  /** Fulfilled after the first answer or failure: later requests depend on the studio's current day. */
  ready = Promise.resolve();

  /**
   * @param {{studio: (tag: string) => Promise<{tag: string, view: StudioView} | null>}} api
   * @param {import('../link/types.js').Timers} timers @param {() => number} random
   * @param {(view: StudioView) => void} onChange
   */
  constructor(api, timers, random, onChange) {
    this.api = api;
    this.timers = timers;
    this.random = random;
    this.onChange = onChange;
  }

  start() {
    this.stop();
    this.ready = this.#ask(this.#round);
  }

  stop() {
    this.#round++;
    this.timers.clear(this.#timer);
  }

  /** Forgets the view: another access may have another one. */
  clear() {
    this.stop();
    this.#tag = '';
    this.ready = Promise.resolve();
  }

  /** @param {number} round */
  async #ask(round) {
    try {
      const found = await this.api.studio(this.#tag);
      if (round !== this.#round) return;
      if (found) {
        this.#tag = found.tag;
        this.onChange(found.view);
      }
    } catch {
      // the last view stays in use; an older server has none; asked again later
    }
    if (round === this.#round)
      this.#timer = this.timers.set(() => void this.#ask(round), AGAIN_MS * (0.8 + 0.4 * this.random()));
  }
}

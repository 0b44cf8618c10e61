/**
 * Whether this page is older or newer than the server, and when it reloads itself. Pure: storage, clock and reload are arguments.
 *
 * A wall reloads by itself, once for each build of the server within ten minutes: while servers of two builds answer in turn, a page that
 * reloads for each would do nothing else. A page in use offers the reload instead, and so does one whose token a reload would lose.
 */

const STORAGE_KEY = 'studio-pulse.reloaded';
const AGAIN_AFTER_MS = 600_000;
/** Walls that learn of an update together do not all load the page together. */
const SPREAD_MS = 20_000;

export class Update {
  #isDue = false;
  /** @type {any} */
  #timer = null;

  /**
   * @param {object} world
   * @param {string} world.build of this page; empty where the server did not name one
   * @param {import('./storage.js').SafeStorage} world.storage of the tab
   * @param {() => boolean} world.mayReload whether the page is not in use, and a reload would find the token
   * @param {() => Promise<void>} world.reload
   * @param {import('../link/types.js').Timers} world.timers @param {() => number} world.random
   */
  constructor(world) {
    this.world = world;
  }

  /** Whether a reload should be offered. */
  get isDue() {
    return this.#isDue;
  }

  /** The server reported its build. @param {unknown} build */
  compare(build) {
    const own = this.world.build;
    this.#isDue = own !== '' && typeof build === 'string' && build !== '' && build !== own;
    if (this.#isDue) this.#consider(String(build));
    else this.#cancel();
  }

  /** The server does not understand this page at all. */
  outdated() {
    this.#isDue = true;
    this.#consider('unknown');
  }

  #cancel() {
    this.world.timers.clear(this.#timer);
    this.#timer = null;
  }

  /** @param {string} build */
  #consider(build) {
    const { timers, random, mayReload } = this.world;
    if (this.#timer !== null || !mayReload() || this.#reloadedFor(build)) return;
    this.#timer = timers.set(() => {
      this.#timer = null;
      if (!mayReload() || this.#reloadedFor(build)) return;
      this.#remember(build);
      void this.world.reload();
    }, random() * SPREAD_MS);
  }

  /** @param {string} build */
  #reloadedFor(build) {
    const at = this.#reloads()[build];
    return typeof at === 'number' && Math.abs(this.world.timers.now() - at) < AGAIN_AFTER_MS;
  }

  /** @param {string} build */
  #remember(build) {
    const recent = Object.entries(this.#reloads()).slice(-8);
    this.world.storage.setItem(
      STORAGE_KEY,
      JSON.stringify({ ...Object.fromEntries(recent), [build]: this.world.timers.now() }),
    );
  }

  /** @returns {Record<string, unknown>} when this tab reloaded for which build */
  #reloads() {
    try {
      const kept = JSON.parse(this.world.storage.getItem(STORAGE_KEY) ?? '{}');
      return typeof kept === 'object' && kept !== null ? kept : {};
    } catch {
      return {};
    }
  }
}

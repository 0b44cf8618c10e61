/**
 * On a wall no person reloads a page that fails. Pure: a page that could not draw for a minute is reloaded, at most once in ten minutes.
 *
 * Ticks are counted and not time: a computer that slept has not failed.
 */

const STORAGE_KEY = 'studio-pulse.recovered';
const MISSED_TICKS = 60;
const AGAIN_AFTER_MS = 600_000;

export class Watchdog {
  #missed = 0;

  /** @param {{storage: import('./storage.js').SafeStorage, now: () => number, reload: () => void}} world `storage` of the tab */
  constructor(world) {
    this.world = world;
  }

  /** A frame was drawn to its end. */
  drawn() {
    this.#missed = 0;
  }

  /** A second has passed. @param {boolean} isWatched a hidden page is not drawn, and a page in use can be reloaded by hand */
  tick(isWatched) {
    if (!isWatched) this.#missed = 0;
    else if (++this.#missed > MISSED_TICKS) this.recover();
  }

  /** Reloads the page, at most once in ten minutes. */
  recover() {
    const { storage, now, reload } = this.world;
    this.#missed = 0;
    const before = Number(storage.getItem(STORAGE_KEY) ?? Number.NaN);
    if (Math.abs(now() - before) < AGAIN_AFTER_MS) return;
    storage.setItem(STORAGE_KEY, String(now()));
    reload();
  }
}

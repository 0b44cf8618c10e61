/**
 * Wall mode: full screen, nothing to click, larger type: as large as all rooms fit with, if that can still be read from afar; else the page
 * turns by itself.
 */

import { find, html } from '../ui/dom.js';

const PAGE_INTERVAL_MS = 15_000;
const IDLE_BEFORE_PAGING_MS = 30_000;
/** Beyond this many rooms no type that fits can be read. */
const MAX_ROOMS_THAT_FIT = 150;
const STEPS = 8;

export class Wall {
  #button = find(document, '#wall', HTMLButtonElement);
  #touchedMs = 0;
  #rooms = 0;
  #held = false;
  /** Whether all rooms fit the screen when last nothing was held. */
  #fits = true;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #turning;
  /** @type {WakeLockSentinel | null} */
  #awake = null;

  /** @param {(on: boolean) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#button.addEventListener('click', () => this.set(!this.on, true));
    document.addEventListener('fullscreenchange', () => {
      if (!document.fullscreenElement) this.set(false);
    });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.on) this.set(false);
    });
    document.addEventListener('visibilitychange', () => {
      if (this.on && !document.hidden) void this.#stayAwake();
    });
    addEventListener('resize', () => this.fit(this.#rooms));
    const top = html('.top');
    new ResizeObserver(() => {
      document.documentElement.style.setProperty('--top-height', `${top.offsetHeight}px`); // the toolbar sticks below it
      this.fit(this.#rooms);
    }).observe(top);
    for (const type of ['pointerdown', 'wheel', 'keydown'])
      addEventListener(
        type,
        () => {
          this.#touchedMs = Date.now();
        },
        { passive: true },
      );
  }

  /** Chooses the type; called when the rooms shown or the screen change. @param {number} rooms */
  fit(rooms) {
    this.#rooms = rooms;
    if (!this.on || (this.#held && !this.#fits)) return;
    const { style } = document.documentElement;
    const [least, most] = [Math.max(13, innerWidth * 0.006), Math.min(34, Math.max(15, 9 + innerWidth * 0.0062))];
    for (let step = STEPS; step >= 0 && rooms <= MAX_ROOMS_THAT_FIT; step--) {
      style.setProperty('--wall', `${least + ((most - least) * step) / STEPS}px`);
      if (document.documentElement.scrollHeight <= innerHeight) {
        this.#fits = true;
        return;
      }
    }
    if (this.#held) return; // the band takes a line or two: rooms that fitted become smaller, not pages
    this.#fits = false;
    style.setProperty('--wall', `${most}px`);
  }

  /** Pages do not turn while a notice is shown. @param {boolean} held */
  hold(held) {
    if (held === this.#held) return;
    this.#held = held;
    this.fit(this.#rooms);
  }

  get on() {
    return 'wall' in document.documentElement.dataset;
  }

  /** @param {boolean} on @param {boolean} [fullScreen] only possible right after a click */
  set(on, fullScreen = false) {
    if (on === this.on) return;
    if (on) document.documentElement.dataset.wall = '';
    else delete document.documentElement.dataset.wall;
    this.#button.setAttribute('aria-pressed', String(on));
    clearInterval(this.#turning);
    if (on) this.#turning = setInterval(() => this.#turn(), PAGE_INTERVAL_MS);
    if (on && fullScreen) void document.documentElement.requestFullscreen?.().catch(() => {});
    if (!on && document.fullscreenElement) void document.exitFullscreen();
    if (on) void this.#stayAwake();
    else void this.#awake?.release();
    this.onChange(on);
    this.fit(this.#rooms);
  }

  #turn() {
    if (this.#held || Date.now() - this.#touchedMs < IDLE_BEFORE_PAGING_MS) return;
    const { scrollHeight, clientHeight } = document.documentElement;
    const atEnd = scrollY + clientHeight >= scrollHeight - 4;
    scrollTo({ top: atEnd ? 0 : scrollY + clientHeight * 0.85, behavior: 'smooth' });
  }

  async #stayAwake() {
    this.#awake = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
  }
}

/** Wall mode: full screen, nothing to click, nothing that scrolls; views and pages follow each other by themselves. */

import { burnInShift, clampSlide, nextSlide, readPlaylist } from '../state/playlist.js';
import { find, html } from '../ui/dom.js';

/** After a key or a pointer movement a person is reading this page. */
const IDLE_BEFORE_TURNING_MS = 30_000;
const CURSOR_HIDDEN_AFTER_MS = 3000;

export class Wall {
  playlist = readPlaylist(new URLSearchParams());
  /** How many pages the rooms need; the live view knows. */
  pages = 1;
  #slide = { at: 0, page: 0 };
  #shownMs = 0;
  #button = find(document, '#wall', HTMLButtonElement);
  #touchedMs = -Infinity;
  #held = false;
  /** @type {any} */
  #turning;
  /** @type {any} */
  #hidingCursor;
  /** @type {WakeLockSentinel | null} */
  #awake = null;

  /** @param {{onChange: (on: boolean) => void, onTurn: () => void, query: () => URLSearchParams}} choices */
  constructor(choices) {
    this.choices = choices;
    this.#button.addEventListener('click', () => this.set(!this.on, true));
    document.addEventListener('fullscreenchange', () => {
      if (!document.fullscreenElement) this.set(false);
    });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.on) this.set(false);
      if (this.on && (event.key === 'ArrowRight' || event.key === 'ArrowLeft')) this.#step();
    });
    document.addEventListener('visibilitychange', () => {
      if (this.on && !document.hidden) void this.#stayAwake();
    });
    addEventListener('pointermove', () => this.#showCursor(), { passive: true });
    const top = html('.top');
    new ResizeObserver(() => {
      document.documentElement.style.setProperty('--top-height', `${top.offsetHeight}px`); // the toolbar sticks below it
    }).observe(top);
    for (const type of ['pointerdown', 'keydown'])
      addEventListener(
        type,
        () => {
          this.#touchedMs = Date.now();
        },
        { passive: true },
      );
  }

  get on() {
    return 'wall' in document.documentElement.dataset;
  }

  /** Nothing turns while a notice is shown. */
  get held() {
    return this.#held;
  }

  get view() {
    return this.playlist.views[this.#slide.at] ?? 'rooms';
  }

  get page() {
    return clampSlide(this.#slide, this.pages).page;
  }

  /** Of the page's time, how much it has been shown: 0 to 1, and 1 while nothing turns. */
  get shownPart() {
    return Math.min(1, (Date.now() - this.#shownMs) / this.playlist.eachMs);
  }

  /** @param {boolean} held */
  hold(held) {
    this.#held = held;
  }

  /** @param {boolean} on @param {boolean} [fullScreen] only possible right after a click */
  set(on, fullScreen = false) {
    if (on === this.on) return;
    if (on) document.documentElement.dataset.wall = '';
    else delete document.documentElement.dataset.wall;
    this.#button.setAttribute('aria-pressed', String(on));
    clearInterval(this.#turning);
    this.#slide = { at: 0, page: 0 };
    this.#shownMs = Date.now();
    if (on) {
      this.playlist = readPlaylist(this.choices.query());
      this.#turning = setInterval(() => this.#turn(), this.playlist.eachMs);
      this.#showCursor();
      scrollTo(0, 0);
    }
    if (on && fullScreen) void document.documentElement.requestFullscreen?.().catch(() => {});
    if (!on && document.fullscreenElement) void document.exitFullscreen();
    if (on) void this.#stayAwake();
    else void this.#awake?.release();
    this.choices.onChange(on);
  }

  /** Moves everything a little now and then, against burn-in. @param {number} ms */
  shift(ms) {
    const { x, y } = this.on ? burnInShift(ms) : { x: 0, y: 0 };
    const moved = x || y ? `translate(${x}px, ${y}px)` : '';
    const { style } = html('#live');
    if (style.transform !== moved) style.transform = moved;
  }

  #turn() {
    if (this.#held || Date.now() - this.#touchedMs < IDLE_BEFORE_TURNING_MS) return;
    this.#step();
  }

  #step() {
    this.#slide = nextSlide(this.playlist, clampSlide(this.#slide, this.pages), this.pages);
    this.#shownMs = Date.now();
    this.choices.onTurn();
  }

  #showCursor() {
    clearTimeout(this.#hidingCursor);
    const { dataset } = document.documentElement;
    delete dataset.idle;
    if (!this.on) return;
    this.#hidingCursor = setTimeout(() => {
      if (this.on) dataset.idle = '';
    }, CURSOR_HIDDEN_AFTER_MS);
  }

  async #stayAwake() {
    this.#awake = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
  }
}

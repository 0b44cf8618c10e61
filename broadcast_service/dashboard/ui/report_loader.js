/**
 * Loads a report now and every minute, and shows its state: a line above it and a button that retries. While a newer one could not be loaded, the
 * last report is dimmed, and the line says of when it is; it is requested again soon, and at once when the live numbers are back. A report of
 * another period or filter than the one that was chosen is dimmed while the new one is slow, and removed if that fails.
 */

import { RequestFailed } from '../link/api.js';
import { find, html, setText } from './dom.js';
import { download } from './download.js';
import { connectExportMenu } from './export_menu.js';

/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('./export_menu.js').ExportKind} ExportKind */
/**
 * @template T
 * @typedef {object} Source
 * @property {string} name of the page: its elements are `#name-state`, `#name-retry` and `#name-export`, and `#name-figures` where it has figures outside `body`
 * @property {HTMLElement} body hidden before the first report, dimmed when a later one fails
 * @property {() => import('./moment.js').Moment} moment
 * @property {() => string} key of the request: an answer to an earlier key is ignored
 * @property {() => Promise<T>} load
 * @property {ExportKind[]} kinds of files that the menu of the page offers
 * @property {(kind: ExportKind) => Promise<Blob>} loadFile
 * @property {(kind: ExportKind) => string} fileName
 * @property {number} [refreshMs] by default a minute
 * @property {() => void} onStart a request begins
 * @property {(data: T) => void} onLoaded `data` is new
 * @property {() => void} erase removes the drawn report
 */

const REFRESH_MS = 60_000;
/** A choice that takes longer says so. */
const SLOW_MS = 400;
/** The first wait after a request without an answer; doubled by each that follows, up to the time of a refresh. */
const RETRY_MS = 5000;
/** What a status means here. */
const FAILURES = new Map(
  /** @type {[number, MessageKey][]} */ ([
    [403, 'failed_scope'],
    [422, 'failed_span'],
    [429, 'failed_busy'],
    [503, 'failed_busy'],
  ]),
);

/** @template T */
export class ReportLoader {
  /** @type {T | null} the last report */
  data = null;
  /** Counts calls of `clear`: an answer from before belongs to another room or access. */
  #round = 0;
  /** The key of the request that gave `data`. */
  #dataKey = '';
  /** @type {any} */
  #timer = null;
  /** @type {any} */
  #slowTimer = null;
  #running = false;
  /** How many requests in a row were not answered. */
  #unanswered = 0;
  /** When it was loaded. */
  #loadedMs = 0;
  /** @type {MessageKey | null} */
  #message = null;
  #state;
  #retry;
  #source;

  /** @param {Source<T>} source */
  constructor(source) {
    this.#source = source;
    this.#state = html(`#${source.name}-state`);
    this.#retry = find(document, `#${source.name}-retry`, HTMLButtonElement);
    this.#retry.addEventListener('click', () => {
      setText(this.#state, source.moment().i18n.t('loading'));
      void this.load();
    });
    connectExportMenu(html(`#${source.name}-export`), source.kinds, source.moment().i18n, (kind) =>
      kind === 'print' ? print() : void this.#export(kind),
    );
  }

  start() {
    this.#running = true;
    void this.load();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#slowTimer);
  }

  /** The server answers again: what failed meanwhile is requested without waiting for its turn. */
  recover() {
    if (this.#running && this.#unanswered > 0) void this.#request();
  }

  /** Removes the report; an answer that is under way is ignored. */
  clear() {
    this.#round++;
    this.#unanswered = 0;
    this.data = null;
    this.#show(null);
  }

  /** The language changed. */
  reset() {
    this.#show(this.#message);
  }

  async load() {
    clearTimeout(this.#slowTimer);
    if (!this.data)
      this.#show('loading'); // else the words about the last report hold until there is an answer
    else if (this.#key !== this.#dataKey) this.#slowTimer = setTimeout(() => this.#show('loading'), SLOW_MS);
    await this.#request();
  }

  /** The words, and the button that retries, stay until there is an answer. */
  async #request() {
    const { load, onStart, onLoaded, erase, refreshMs = REFRESH_MS } = this.#source;
    onStart();
    const requested = this.#key;
    this.#schedule(refreshMs); // in case the answer is ignored
    try {
      const data = await load();
      if (requested !== this.#key) return;
      this.#unanswered = 0;
      this.data = data;
      this.#dataKey = requested;
      this.#loadedMs = this.#source.moment().nowMs;
      this.#show(null);
      onLoaded(data);
    } catch (error) {
      if (requested !== this.#key) return;
      if (requested !== this.#dataKey) {
        this.data = null;
        erase();
      }
      const status = error instanceof RequestFailed ? error.status : 0;
      this.#unanswered = status === 0 || status >= 500 ? this.#unanswered + 1 : 0; // anything else was answered
      this.#show(FAILURES.get(status) ?? 'failed');
    }
    const retryMs = RETRY_MS * 2 ** (this.#unanswered - 1) * (0.8 + 0.4 * Math.random()); // not all pages at once
    this.#schedule(this.#unanswered > 0 ? Math.min(retryMs, refreshMs) : refreshMs);
  }

  /** @param {number} waitMs */
  #schedule(waitMs) {
    clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => void this.#request(), waitMs);
  }

  /** Of the present request. */
  get #key() {
    return `${this.#round} ${this.#source.key()}`;
  }

  /** @param {ExportKind} kind */
  async #export(kind) {
    const { loadFile, fileName } = this.#source;
    const name = fileName(kind);
    await loadFile(kind).then(
      (blob) => download(blob, name),
      () => this.#show('failed'),
    );
  }

  /** @param {MessageKey | null} message */
  #show(message) {
    this.#message = message;
    clearTimeout(this.#slowTimer);
    const failed = message !== null && message !== 'loading';
    const { name, body, moment } = this.#source;
    const { i18n } = moment();
    const hadFocus = document.activeElement === this.#retry;
    const isOffered = failed ? message !== 'failed_span' : hadFocus && message === 'loading'; // a failed span fails again
    this.#retry.hidden = !isOffered;
    if (hadFocus && !isOffered) html('#main').focus({ preventScroll: true }); // else a keyboard begins at the top again
    const time = failed && this.data ? i18n.hour.format(this.#loadedMs) : '';
    const words = [message === null ? '' : i18n.t(message), time && i18n.t('numbers_from', { time })];
    setText(this.#state, words.filter(Boolean).join(' '));
    body.hidden = !this.data;
    for (const part of [body, document.querySelector(`#${name}-figures`)])
      part?.classList.toggle('dimmed', message !== null && this.data !== null);
  }
}

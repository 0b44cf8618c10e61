/**
 * Loads a report now and every minute, and shows its state: a line above it, a button that retries, and the last report dimmed while a newer
 * one could not be loaded.
 */

import { RequestFailed } from '../link/api.js';
import { find, html, setText } from './dom.js';
import { download } from './download.js';

/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/**
 * @template T
 * @typedef {object} Source
 * @property {string} name of the page: its elements are `#name-state`, `#name-retry` and `#name-csv`
 * @property {HTMLElement} body hidden before the first report, dimmed when a later one fails
 * @property {() => import('../i18n/i18n.js').I18n} i18n
 * @property {() => string} key of the request: an answer to an earlier key is ignored
 * @property {() => Promise<T>} load
 * @property {() => Promise<Blob>} loadFile
 * @property {() => string} fileName
 * @property {number} [refreshMs] by default a minute
 * @property {() => void} onStart a request begins
 * @property {(data: T) => void} onLoaded `data` is new
 */

const REFRESH_MS = 60_000;
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
  /** @type {any} */
  #timer = null;
  #state;
  #retry;
  #source;

  /** @param {Source<T>} source */
  constructor(source) {
    this.#source = source;
    this.#state = html(`#${source.name}-state`);
    this.#retry = find(document, `#${source.name}-retry`, HTMLButtonElement);
    this.#retry.addEventListener('click', () => void this.load());
    html(`#${source.name}-csv`).addEventListener('click', () => void this.#export());
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => void this.load(), this.#source.refreshMs ?? REFRESH_MS);
    void this.load();
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** Removes the report; an answer that is under way is ignored. */
  clear() {
    this.#round++;
    this.data = null;
    this.#source.body.hidden = true;
  }

  async load() {
    const { key, load, onStart, onLoaded } = this.#source;
    const requested = this.#requestKey(key());
    onStart();
    this.#show('loading');
    try {
      const data = await load();
      if (requested !== this.#requestKey(key())) return;
      this.data = data;
      this.#show(null);
      onLoaded(data);
    } catch (error) {
      const status = error instanceof RequestFailed ? error.status : 0;
      if (requested === this.#requestKey(key())) this.#show(FAILURES.get(status) ?? 'failed');
    }
  }

  /** @param {string} key */
  #requestKey(key) {
    return `${this.#round} ${key}`;
  }

  #export() {
    return this.exportFile(this.#source.loadFile, this.#source.fileName());
  }

  /** Hands another file of the same report to the reader. @param {() => Promise<Blob>} load @param {string} name */
  async exportFile(load, name) {
    await load().then(
      (blob) => download(blob, name),
      () => this.#show('failed'),
    );
  }

  /** @param {MessageKey | null} message */
  #show(message) {
    const failed = message !== null && message !== 'loading';
    const isQuiet = message === null || (message === 'loading' && this.data);
    const { body, i18n } = this.#source;
    this.#retry.hidden = !failed || message === 'failed_span'; // the same request fails again
    setText(this.#state, isQuiet ? '' : i18n().t(message));
    body.hidden = !this.data;
    body.classList.toggle('dimmed', failed);
  }
}

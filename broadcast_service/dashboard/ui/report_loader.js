/**
 * Loads a report now and every minute, and shows its state: a line above it and a button that retries. While a newer one could not be loaded, the
 * last report is dimmed, and the line says of when it is.
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
    this.#show(null);
  }

  /** The language changed. */
  reset() {
    this.#show(this.#message);
  }

  async load() {
    const { key, load, onStart, onLoaded } = this.#source;
    const requested = this.#requestKey(key());
    onStart();
    if (!this.data) this.#show('loading'); // else what is said of the last report holds until there is an answer
    try {
      const data = await load();
      if (requested !== this.#requestKey(key())) return;
      this.data = data;
      this.#loadedMs = this.#source.moment().nowMs;
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
    const failed = message !== null && message !== 'loading';
    const { name, body, moment } = this.#source;
    const { i18n } = moment();
    this.#retry.hidden = !failed || message === 'failed_span'; // the same request fails again
    const time = failed && this.data ? i18n.hour.format(this.#loadedMs) : '';
    const words = [message === null ? '' : i18n.t(message), time && i18n.t('numbers_from', { time })];
    setText(this.#state, words.filter(Boolean).join(' '));
    body.hidden = !this.data;
    for (const part of [body, document.querySelector(`#${name}-figures`)])
      part?.classList.toggle('dimmed', failed && this.data !== null);
  }
}

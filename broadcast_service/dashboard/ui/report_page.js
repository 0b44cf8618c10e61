/**
 * A page with the report of one thing, such as a room or a span: shown, loaded again every minute, drawn again in another language, and emptied.
 * A view extends it with the request and how the answer is drawn. Its elements are `#name` and, within it, `#name-body` and those of `ReportLoader`.
 */

import { html } from './dom.js';
import { ReportLoader } from './report_loader.js';

/** @typedef {import('./export_menu.js').ExportKind} ExportKind */

/** @template Route, Data */
export class ReportPage {
  /** What the page is about; null while it is hidden. @type {Route | null} */
  route = null;
  #section;

  /** @param {string} name @param {() => import('./moment.js').Moment} moment @param {ExportKind[]} kinds of its files */
  constructor(name, moment, kinds) {
    this.moment = moment;
    this.#section = html(`#${name}`);
    /** @type {ReportLoader<Data>} */
    this.loader = new ReportLoader({
      name,
      body: html(`#${name}-body`),
      moment,
      key: () => (this.route === null ? '' : this.keyOf(this.route)),
      load: () => this.load(this.#shown),
      kinds,
      loadFile: (kind) => this.fileOf(this.#shown, kind),
      fileName: (kind) => this.fileName(this.#shown, kind),
      onStart: () => this.onStart(),
      onLoaded: (data) => this.draw(data, this.#shown),
      erase: () => this.erase(),
    });
  }

  /** @returns {Route} */
  get #shown() {
    if (this.route === null) throw new Error('the page is hidden');
    return this.route;
  }

  /** @param {Route | null} route @param {URLSearchParams} [query] */
  show(route, query) {
    this.#section.hidden = route === null;
    this.loader.stop();
    const isOther = !route || !this.route || this.subjectOf(route) !== this.subjectOf(this.route);
    if (isOther) this.clear();
    this.route = route;
    if (!route) return;
    this.drawHead(route, query);
    this.loader.start();
  }

  /** The language, or what the studio's file says, changed. */
  reset() {
    if (!this.route) return;
    this.loader.reset();
    this.drawHead(this.route);
    if (this.loader.data) this.draw(this.loader.data, this.route);
  }

  /** The server answers again. */
  recover() {
    this.loader.recover();
  }

  /** Removes everything of the rooms: another access may not see them. */
  clear() {
    this.loader.clear();
    this.erase();
  }

  /** Removes the drawn report. */
  erase() {}

  /** A route with another subject is about something else, and nothing of the report before stays. @param {Route} route */
  subjectOf(route) {
    return JSON.stringify(route);
  }

  /** The present request: an answer to an earlier request is ignored. @param {Route} route */
  keyOf(route) {
    return JSON.stringify(route);
  }

  /** @param {Route} _route @returns {Promise<Data>} */
  load(_route) {
    throw new Error('a view names its request');
  }

  /** By default the text of the report that is shown. @param {Route} route @param {ExportKind} kind @returns {Promise<Blob>} */
  fileOf(route, kind) {
    const { data } = this.loader;
    return data
      ? Promise.resolve(new Blob([this.textOf(route, data, kind)], { type: 'text/csv' }))
      : Promise.reject(new Error('nothing is loaded'));
  }

  /** As comma-separated values. @param {Route} _route @param {Data} _data @param {ExportKind} _kind @returns {string} */
  textOf(_route, _data, _kind) {
    throw new Error('a view has a text or a file');
  }

  /** @param {Route} _route @param {ExportKind} _kind @returns {string} */
  fileName(_route, _kind) {
    throw new Error('a view names its file');
  }

  /** A request begins. */
  onStart() {}

  /** Draws the part that is known before the report. @param {Route} _route @param {URLSearchParams} [_query] of the address, where it is new */
  drawHead(_route, _query) {}

  /** @param {Data} _data @param {Route} _route */
  draw(_data, _route) {}
}

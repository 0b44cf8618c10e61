/**
 * The sample that a new owner can look at: rooms that exist in this page alone, in place of the studio's, until one click ends it. Its modules
 * are in the script of the views behind a click.
 */

import { html, setText } from '../ui/dom.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../link/types.js').Socket} Socket */
/** @typedef {import('../state/demo.js').SampleStudio} SampleStudio */

const loadLink = () => import('../link/demo_link.js');
const loadStudio = () => import('../state/demo.js');

export class Demo {
  /** @type {SampleStudio | null} */
  #studio = null;
  /** @type {Awaited<ReturnType<typeof loadLink>> | null} null until the sample was asked for */
  #link = null;
  #band = html('#demo');
  #words = html('#demo-words');

  /** @param {import('../link/types.js').Timers} timers @param {() => void} onFailed the sample cannot be loaded @param {() => void} onSwitch every figure on the page belongs to the other side now */
  constructor(timers, onFailed, onSwitch) {
    this.timers = timers;
    this.onSwitch = onSwitch;
    html('#demo-start').addEventListener('click', () => void this.#start().catch(onFailed));
    html('#demo-end').addEventListener('click', () => this.end());
  }

  get on() {
    return this.#studio !== null;
  }

  /** Shows the studio's own rooms again; without effect where they are shown. */
  end() {
    if (this.on) this.#set(null);
  }

  /** Ends without a switch, as when the page has been signed out. */
  forget() {
    this.#studio = null;
    this.#mark();
  }

  /** @param {string} url @param {string[]} protocols @returns {Socket} */
  openSocket(url, protocols) {
    const [link, studio] = [this.#link, this.#studio];
    return link && studio ? new link.DemoSocket(studio, this.timers) : new WebSocket(url, protocols);
  }

  /** Asks the side that is shown. An answer that comes after a switch is about the other side, and is refused. @param {RequestInfo | URL} url @param {RequestInit} [options] */
  async ask(url, options) {
    const [link, asked] = [this.#link, this.#studio];
    const response =
      link && asked ? link.answerOfSample(asked, String(url), this.timers.now()) : await fetch(url, options);
    if (asked !== this.#studio) throw new Error('the page shows other rooms now');
    return response;
  }

  /** @param {I18n} i18n */
  paint(i18n) {
    setText(this.#words, this.on ? i18n.t('demo_notice') : '');
  }

  async #start() {
    const [link, { SampleStudio }] = await Promise.all([loadLink(), loadStudio()]);
    if (this.on || html('#demo-start').offsetParent === null) return; // clicked twice, or a room has reported meanwhile
    this.#link = link;
    this.#set(new SampleStudio(this.timers.now()));
  }

  /** @param {SampleStudio | null} studio */
  #set(studio) {
    this.#studio = studio;
    this.#mark();
    this.onSwitch();
    scrollTo(0, 0);
    if (studio) html('#demo-end').focus();
    else html('#main').focus({ preventScroll: true });
  }

  #mark() {
    this.#band.hidden = !this.on;
    if (this.on) document.documentElement.dataset.demo = '';
    else delete document.documentElement.dataset.demo;
  }
}

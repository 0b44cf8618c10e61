/** Where a token is pasted: the form before anything is shown, and the line that renews access while everything is shown. */

import { tidy } from '../token.js';
import { find, html, write } from './dom.js';

/** @typedef {import('../i18n.js').Speech} Speech */
/** @typedef {import('../i18n.js').Phrase} Phrase */

export class Gate {
  #section = html('#gate');
  #input = find(document, '#gate-token', HTMLInputElement);
  #error = html('#gate-error');
  /** @type {Phrase | null} */
  #problem = null;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    html('#gate-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const token = tidy(this.#input.value);
      this.#problem = token ? null : this.#input.value.trim() ? 'gate_malformed' : 'gate_empty';
      if (!token) return void this.#input.focus();
      this.#input.value = '';
      onToken(token);
    });
  }

  /** @param {Phrase | null} problem */
  open(problem) {
    if (this.#section.hidden) {
      this.#section.hidden = false;
      this.#problem = problem;
      this.#input.focus();
    } else if (problem) this.#problem = problem;
  }

  close() {
    this.#section.hidden = true;
  }

  /** @param {Speech} speech */
  paint(speech) {
    write(this.#error, this.#problem ? speech.say(this.#problem) : '');
    this.#input.setAttribute('aria-invalid', String(this.#problem !== null));
  }
}

const RENEWED_SHOWN_MS = 6000;

export class Renewal {
  #form = html('#renew');
  #words = html('#renew-words');
  #input = find(document, '#renew-token', HTMLInputElement);
  #button = find(document, '#renew button', HTMLButtonElement);
  /** @type {{phrase: Phrase, expiresAt: number, done: boolean, untilMs: number} | null} */
  #state = null;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = tidy(this.#input.value);
      if (token) onToken(token);
      else this.#input.focus();
    });
  }

  /** @param {number} expiresAt Unix seconds */
  ask(expiresAt) {
    this.#state = { phrase: 'expiring', expiresAt, done: false, untilMs: Infinity };
  }

  refuse() {
    if (this.#state) this.#state.phrase = 'renew_refused';
  }

  /** @param {number} expiresAt @param {number} localMs */
  confirm(expiresAt, localMs) {
    this.#input.value = '';
    this.#state = { phrase: 'renewed', expiresAt, done: true, untilMs: localMs + RENEWED_SHOWN_MS };
  }

  dismiss() {
    this.#state = null;
  }

  /** @param {Speech} speech @param {number} localMs */
  paint(speech, localMs) {
    const state = this.#state;
    this.#form.hidden = state === null || localMs > state.untilMs;
    if (!state || this.#form.hidden) return;
    this.#input.hidden = this.#button.hidden = state.done;
    this.#form.dataset['tone'] = state.done ? 'good' : 'warn';
    write(this.#words, speech.say(state.phrase, { time: speech.hour.format(state.expiresAt * 1000) }));
  }
}

/** Where a token is pasted: the form before anything is shown, and the line that renews access while everything is shown. */

import { tidy } from '../link/token.js';
import { find, html, write } from '../ui/dom.js';

/** @typedef {import('../i18n/i18n.js').Speech} Speech */
/** @typedef {import('../i18n/i18n.js').Phrase} Phrase */

export class Gate {
  #section = html('#gate');
  #form = html('#gate-form');
  #input = find(document, '#gate-token', HTMLInputElement);
  #error = html('#gate-error');
  /** @type {Phrase | null} */
  #problem = null;

  /** @param {(token: string, keep: boolean) => void} onToken @param {() => void} onPair */
  constructor(onToken, onPair) {
    const keep = find(document, '#gate-keep', HTMLInputElement);
    const offer = (/** @type {string} */ token) => onToken(token, keep.checked);
    html('#gate-pair').addEventListener('click', onPair);
    onPaste(this.#input, offer);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = tidy(this.#input.value);
      this.#problem = token ? null : this.#input.value.trim() ? 'gate_malformed' : 'gate_empty';
      if (!token) return void this.#input.focus();
      this.#input.value = '';
      offer(token);
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

  /** Leaves the place to the letters of a pairing, for as long as they are shown. @param {boolean} covered */
  cover(covered) {
    this.#form.hidden = covered;
    if (!covered && !this.#section.hidden) this.#input.focus();
  }

  /** @param {Speech} speech */
  paint(speech) {
    write(this.#error, this.#problem ? speech.say(this.#problem) : '');
    this.#input.setAttribute('aria-invalid', String(this.#problem !== null));
  }
}

const RENEWED_SHOWN_MS = 6000;
/** How long ahead the end is said: long enough for a wall that somebody walks past now and then. */
const AHEAD_MS = 30 * 60_000;
/** Later is no more than this before the end. */
const LAST_MS = 5 * 60_000;

/** The end of access, said ahead and calmly: renewing changes nothing that is on the screen. */
export class Renewal {
  #form = html('#renew');
  #words = html('#renew-words');
  #detail = html('#renew-detail');
  #controls = html('#renew-controls');
  #later = find(document, '#renew-later', HTMLButtonElement);
  #input = find(document, '#renew-token', HTMLInputElement);
  /** @type {Phrase | null} what became of the last attempt */
  #answer = null;
  #snoozed = false;
  /** @type {number | null} until when success is said, on the local clock */
  #doneUntilMs = null;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    const offer = (/** @type {string} */ token) => {
      this.#answer = token ? 'renewing' : 'gate_malformed';
      this.#doneUntilMs = null;
      if (token) onToken(token);
    };
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#input.value.trim()) offer(tidy(this.#input.value));
      this.#input.focus();
    });
    onPaste(this.#input, offer);
    this.#later.addEventListener('click', () => {
      this.#snoozed = true;
      this.#form.hidden = true;
    });
  }

  /** A token is being tried. */
  wait() {
    this.#answer = 'renewing';
  }

  /** @param {Phrase} why */
  refuse(why) {
    this.#answer = why;
  }

  /** The server named a new end. @param {number} localMs */
  confirm(localMs) {
    this.dismiss();
    this.#doneUntilMs = localMs + RENEWED_SHOWN_MS;
  }

  /** A session began. Was it with the token that was being tried? @param {number} localMs */
  begin(localMs) {
    if (this.#answer === 'renewing') this.confirm(localMs);
  }

  dismiss() {
    this.#input.value = '';
    this.#answer = this.#doneUntilMs = null;
    this.#snoozed = false;
  }

  /** @param {Speech} speech @param {number | null} expiresAt Unix seconds @param {number} nowMs the server's clock @param {number} localMs */
  paint(speech, expiresAt, nowMs, localMs) {
    const done = this.#doneUntilMs !== null && localMs < this.#doneUntilMs;
    const leftMs = expiresAt === null ? Infinity : expiresAt * 1000 - nowMs;
    const due = leftMs < (this.#snoozed ? LAST_MS : AHEAD_MS) || this.#answer !== null;
    this.#form.hidden = !(done || due);
    if (expiresAt === null || this.#form.hidden) return;
    this.#controls.hidden = done;
    this.#later.hidden = leftMs < LAST_MS;
    this.#form.dataset.tone = done ? 'good' : leftMs < LAST_MS ? 'warn' : 'calm';
    const time = speech.hour.format(expiresAt * 1000);
    write(
      this.#words,
      done
        ? speech.say('renewed', { time })
        : this.#answer
          ? speech.say(this.#answer)
          : speech.say('expiring', { time }),
    );
    write(
      this.#detail,
      done
        ? ''
        : `${speech.say('expiring_in', { left: speech.span(Math.max(0, leftMs / 1000)) })} ${speech.say('expiring_how')}`,
    );
  }
}

/** A pasted link or token needs no further click. @param {HTMLInputElement} input @param {(token: string) => void} onToken */
function onPaste(input, onToken) {
  input.addEventListener('paste', (event) => {
    const token = tidy(event.clipboardData?.getData('text') ?? '');
    if (!token) return;
    event.preventDefault();
    onToken(token);
  });
}

/** Where a token is pasted: the form before anything is shown, and the line that renews access while everything is shown. */

import { normalizeToken } from '../link/token.js';
import { find, html, setText } from '../ui/dom.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

export class Gate {
  #section = html('#gate');
  #form = html('#gate-form');
  #input = find(document, '#gate-token', HTMLInputElement);
  #error = html('#gate-error');
  /** @type {MessageKey | null} */
  #problem = null;

  /** @param {(token: string, keep: boolean) => void} onToken @param {() => void} onPair */
  constructor(onToken, onPair) {
    const keep = find(document, '#gate-keep', HTMLInputElement);
    const renderChoices = (/** @type {string} */ token) => onToken(token, keep.checked);
    html('#gate-pair').addEventListener('click', onPair);
    onPaste(this.#input, renderChoices);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = normalizeToken(this.#input.value);
      this.#problem = token ? null : this.#input.value.trim() ? 'gate_malformed' : 'gate_empty';
      if (!token) return void this.#input.focus();
      this.#input.value = '';
      renderChoices(token);
    });
  }

  /** @param {MessageKey | null} problem */
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

  /** @param {I18n} i18n */
  paint(i18n) {
    setText(this.#error, this.#problem ? i18n.t(this.#problem) : '');
    this.#input.setAttribute('aria-invalid', String(this.#problem !== null));
  }
}

const RENEWED_SHOWN_MS = 6000;
/** How long ahead the end is said: long enough for a wall that somebody walks past now and then. */
const NOTICE_MS = 30 * 60_000;
/** Later is no more than this before the end. */
const URGENT_MS = 5 * 60_000;

/** The end of access, said ahead and calmly: renewing changes nothing that is on the screen. */
export class Renewal {
  #form = html('#renew');
  #words = html('#renew-words');
  #detail = html('#renew-detail');
  #controls = html('#renew-controls');
  #later = find(document, '#renew-later', HTMLButtonElement);
  #input = find(document, '#renew-token', HTMLInputElement);
  /** @type {MessageKey | null} what became of the last attempt */
  #answer = null;
  #snoozed = false;
  /** @type {number | null} until when success is said, on the local clock */
  #doneUntilMs = null;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    const renderChoices = (/** @type {string} */ token) => {
      this.#answer = token ? 'renewing' : 'gate_malformed';
      this.#doneUntilMs = null;
      if (token) onToken(token);
    };
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#input.value.trim()) renderChoices(normalizeToken(this.#input.value));
      this.#input.focus();
    });
    onPaste(this.#input, renderChoices);
    this.#later.addEventListener('click', () => {
      this.#snoozed = true;
      this.#form.hidden = true;
    });
  }

  /** A token is being tried. */
  wait() {
    this.#answer = 'renewing';
  }

  /** @param {MessageKey} why */
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

  /** @param {I18n} i18n @param {number | null} expiresAt Unix seconds @param {number} nowMs the server's clock @param {number} localMs */
  paint(i18n, expiresAt, nowMs, localMs) {
    const done = this.#doneUntilMs !== null && localMs < this.#doneUntilMs;
    const leftMs = expiresAt === null ? Infinity : expiresAt * 1000 - nowMs;
    const due = leftMs < (this.#snoozed ? URGENT_MS : NOTICE_MS) || this.#answer !== null;
    this.#form.hidden = !(done || due);
    if (expiresAt === null || this.#form.hidden) return;
    this.#controls.hidden = done;
    this.#later.hidden = leftMs < URGENT_MS;
    this.#form.dataset.tone = done ? 'good' : leftMs < URGENT_MS ? 'warn' : 'calm';
    const time = i18n.hour.format(expiresAt * 1000);
    setText(
      this.#words,
      done ? i18n.t('renewed', { time }) : this.#answer ? i18n.t(this.#answer) : i18n.t('expiring', { time }),
    );
    setText(
      this.#detail,
      done ? '' : `${i18n.t('expiring_in', { left: i18n.span(Math.max(0, leftMs / 1000)) })} ${i18n.t('expiring_how')}`,
    );
  }
}

/** A pasted link or token needs no further click. @param {HTMLInputElement} input @param {(token: string) => void} onToken */
function onPaste(input, onToken) {
  input.addEventListener('paste', (event) => {
    const token = normalizeToken(event.clipboardData?.getData('text') ?? '');
    if (!token) return;
    event.preventDefault();
    onToken(token);
  });
}

/** The line that warns before access ends, and renews it while everything stays on the screen. */

import { normalizeToken } from '../link/token.js';
import { find, html, setHidden, setText } from '../ui/dom.js';
import { onPaste } from '../ui/paste.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

const RENEWED_SHOWN_MS = 6000;
/** How long before the end the line appears: long enough for a wall that people pass only now and then. */
const NOTICE_MS = 30 * 60_000;
/** In the last minutes the line can no longer be postponed. */
const URGENT_MS = 5 * 60_000;

export class Renewal {
  #form = html('#renew');
  #words = html('#renew-words');
  #detail = html('#renew-detail');
  #controls = html('#renew-controls');
  #later = find(document, '#renew-later', HTMLButtonElement);
  #input = find(document, '#renew-token', HTMLInputElement);
  /** @type {MessageKey | null} the outcome of the last attempt */
  #answer = null;
  #snoozed = false;
  /** @type {number | null} until when success is shown, on the local clock */
  #doneUntilMs = null;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    const submit = (/** @type {string} */ token) => {
      this.#answer = token ? 'renewing' : 'gate_malformed';
      this.#doneUntilMs = null;
      if (token) onToken(token);
    };
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#input.value.trim()) submit(normalizeToken(this.#input.value));
      this.#input.focus();
    });
    onPaste(this.#input, submit);
    this.#later.addEventListener('click', () => {
      this.#snoozed = true;
      setHidden(this.#form, true);
    });
  }

  /** A token was sent to the server. */
  showPending() {
    this.#answer = 'renewing';
  }

  /** @param {MessageKey} reason */
  showError(reason) {
    this.#answer = reason;
  }

  /** The server accepted the token. @param {number} localMs */
  showSuccess(localMs) {
    this.reset();
    this.#doneUntilMs = localMs + RENEWED_SHOWN_MS;
  }

  /** A session began, perhaps with the token that was pending. @param {number} localMs */
  sessionStarted(localMs) {
    if (this.#answer === 'renewing') this.showSuccess(localMs);
  }

  reset() {
    this.#input.value = '';
    this.#answer = this.#doneUntilMs = null;
    this.#snoozed = false;
  }

  /** @param {I18n} i18n @param {number | null} expiresAt Unix seconds @param {number} nowMs the server's clock @param {number} localMs */
  paint(i18n, expiresAt, nowMs, localMs) {
    const done = this.#doneUntilMs !== null && localMs < this.#doneUntilMs;
    const leftMs = expiresAt === null ? Infinity : expiresAt * 1000 - nowMs;
    const due = leftMs < (this.#snoozed ? URGENT_MS : NOTICE_MS) || this.#answer !== null;
    setHidden(this.#form, !(done || due));
    if (expiresAt === null || this.#form.hidden) return;
    setHidden(this.#controls, done);
    setHidden(this.#later, leftMs < URGENT_MS);
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

/** Pairing of this screen: shows six letters and a QR code, and waits for approval. */

import { SignInFailed } from '../link/signin.js';
import { find, html, setText } from '../ui/dom.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('../link/signin.js').Pairing} Pairing */
/** @typedef {import('../link/signin.js').SignIn} SignIn */

const RETRY_MS = 5000;

export class PairingView {
  #section = html('#pairing');
  #letters = html('#pairing-letters');
  #image = find(document, '#pairing-qr', HTMLImageElement);
  #state = html('#pairing-state');
  #host = html('#pairing-host');
  /** @type {SignIn} */
  #signIn;
  /** @type {() => void} */
  #onSignedIn;
  /** @type {Pairing | null} */
  #pairing = null;
  /** @type {MessageKey} */
  #stateKey = 'pairing_waiting';
  /** Counts starts: an answer to an earlier one is not about this one. */
  #run = 0;
  /** @type {any} */
  #timer = null;

  /** @param {SignIn} signIn @param {() => void} onSignedIn @param {() => void} onChange */
  constructor(signIn, onSignedIn, onChange) {
    this.#signIn = signIn;
    this.#onSignedIn = onSignedIn;
    this.onChange = onChange;
    html('#pairing-back').addEventListener('click', () => this.stop());
  }

  get active() {
    return !this.#section.hidden;
  }

  /** Shows letters, new ones whenever they expire, until they are approved or the pairing is left. */
  start() {
    this.stop();
    this.#section.hidden = false;
    void this.#ask(this.#run);
    html('#pairing-back').focus();
    this.onChange();
  }

  stop() {
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#pairing = null;
    this.#section.hidden = true;
    this.onChange();
  }

  /** @param {number} run */
  async #ask(run) {
    try {
      const pairing = await this.#signIn.startPairing();
      if (run !== this.#run) return;
      this.#pairing = pairing;
      this.#image.src = `api/signin/pairings/${pairing.letters}/qr.svg`;
      this.#stateKey = 'pairing_waiting';
      this.#next(run, pairing.poll_seconds * 1000, () => this.#poll(run, pairing));
    } catch {
      if (run !== this.#run) return;
      this.#stateKey = 'pairing_unreachable';
      this.#next(run, RETRY_MS, () => this.#ask(run));
    }
    this.onChange();
  }

  /** @param {number} run @param {Pairing} pairing */
  async #poll(run, pairing) {
    try {
      const approved = await this.#signIn.claim(pairing);
      if (run !== this.#run) return;
      if (!approved) return this.#next(run, pairing.poll_seconds * 1000, () => this.#poll(run, pairing));
      this.stop();
      this.#onSignedIn();
    } catch (error) {
      if (run !== this.#run) return;
      const status = error instanceof SignInFailed ? error.status : 0;
      if (status === 410) return void this.#ask(run);
      this.#stateKey = status === 403 ? 'pairing_refused' : 'pairing_unreachable';
      this.#next(run, RETRY_MS, () => (status === 403 ? this.#ask(run) : this.#poll(run, pairing)));
      this.onChange();
    }
  }

  /** @param {number} run @param {number} afterMs @param {() => void} then */
  #next(run, afterMs, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (run === this.#run) then();
    }, afterMs);
  }

  /** @param {I18n} i18n */
  paint(i18n) {
    if (!this.active) return;
    const letters = this.#pairing?.letters ?? '';
    setText(this.#letters, letters ? `${letters.slice(0, 3)} ${letters.slice(3)}` : '··· ···');
    this.#letters.setAttribute('aria-label', letters.split('').join(' '));
    setText(this.#host, location.host);
    this.#image.hidden = !letters;
    setText(this.#state, i18n.t(this.#stateKey));
  }
}

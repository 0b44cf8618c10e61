/** The sign-in form: where a token is pasted before anything is shown. */

import { normalizeToken } from '../link/token.js';
import { find, html, setAttribute, setText } from '../ui/dom.js';
import { onPaste } from '../ui/paste.js';

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
    const submit = (/** @type {string} */ token) => onToken(token, keep.checked);
    html('#gate-pair').addEventListener('click', onPair);
    onPaste(this.#input, submit);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = normalizeToken(this.#input.value);
      this.#problem = token ? null : this.#input.value.trim() ? 'gate_malformed' : 'gate_empty';
      if (!token) return void this.#input.focus();
      this.#input.value = '';
      submit(token);
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

  /** Hides the form while the letters of a pairing are shown in its place. @param {boolean} isHidden */
  hideForm(isHidden) {
    this.#form.hidden = isHidden;
    if (!isHidden && !this.#section.hidden) this.#input.focus();
  }

  /** @param {I18n} i18n */
  paint(i18n) {
    setText(this.#error, this.#problem ? i18n.t(this.#problem) : '');
    setAttribute(this.#input, 'aria-invalid', String(this.#problem !== null));
  }
}

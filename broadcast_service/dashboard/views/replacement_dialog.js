/** Asks before a link replaces the access that this browser has: a link can come from anybody. */

import { find, html } from '../ui/dom.js';

export class ReplacementDialog {
  #dialog = find(document, '#replacement', HTMLDialogElement);

  /** Asks whether to use the access of the link instead of the present one. @returns {Promise<boolean>} */
  ask() {
    this.#dialog.returnValue = 'keep';
    if (!this.#dialog.open) this.#dialog.showModal();
    html('#replacement-keep').focus();
    return new Promise((resolve) => {
      this.#dialog.addEventListener('close', () => resolve(this.#dialog.returnValue === 'replace'), { once: true });
    });
  }
}

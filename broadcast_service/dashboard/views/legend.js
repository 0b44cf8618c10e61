/** What every number means, in one place: opened by its button or by `?`, closed by Escape, its button, or a click beside it. */

import { find, html } from './dom.js';

export class Legend {
  #box = find(document, '#legend', HTMLDialogElement);

  constructor() {
    html('#explain').addEventListener('click', () => this.#box.showModal());
    html('#legend-close').addEventListener('click', () => this.#box.close());
    this.#box.addEventListener('click', (event) => { if (event.target === this.#box) this.#box.close(); });
    document.addEventListener('keydown', (event) => {
      const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
      if (event.key === '?' && !typing && !this.#box.open) this.#box.showModal();
    });
  }
}

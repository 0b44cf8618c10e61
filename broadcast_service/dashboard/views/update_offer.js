/** The line that offers to reload a page that is older than its server. */

import { find, html, setHidden } from '../ui/dom.js';

export class UpdateOffer {
  #line = html('#update');

  /** @param {() => void} reload */
  constructor(reload) {
    find(document, '#update-reload', HTMLButtonElement).addEventListener('click', reload);
  }

  /** @param {boolean} isOffered */
  paint(isOffered) {
    setHidden(this.#line, !isOffered);
  }
}

/** The line that says that a changed studio file has a mistake. The server reports it to accesses of all rooms only. */

import { html, setHidden, setText } from '../ui/dom.js';

export class StudioNotice {
  #line = html('#studio-problem');
  #words = html('#studio-problem-words');

  /** @param {string | null} problem @param {import('../i18n/i18n.js').I18n} i18n */
  paint(problem, i18n) {
    setHidden(this.#line, problem === null);
    if (problem !== null) setText(this.#words, i18n.t('studio_problem', { problem }));
  }
}

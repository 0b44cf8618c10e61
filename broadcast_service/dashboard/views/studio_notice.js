/** The line that says that a changed studio file has a mistake. The server reports it to accesses of all rooms only. */

import { faultText } from '../i18n/faults.js';
import { html, setText } from '../ui/dom.js';

export class StudioNotice {
  #line = html('#studio-problem');
  #words = html('#studio-problem-words');

  /** @param {import('../state/studio.js').StudioFacts['problem']} found @param {import('../i18n/i18n.js').I18n} i18n */
  paint(found, i18n) {
    this.#line.hidden = found === null;
    if (!found) return;
    const problem = (found.fault && faultText(found.fault, i18n.language)) ?? found.problem;
    setText(this.#words, i18n.t('studio_problem', { problem }));
  }
}

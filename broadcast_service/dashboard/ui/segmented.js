/** A row of choices of which one holds, as radio buttons: the arrow keys work and a screen reader knows. */

import { find, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';

/**
 * Updates the row in place: a choice that is already there keeps its element, and so the focus.
 * @param {HTMLElement} root @param {string} name
 * @param {{value: string, words: string}[]} choices @param {string} chosen
 */
export function renderChoices(root, name, choices, chosen) {
  const known = new Map([...root.children].map((label) => [find(label, 'input', HTMLInputElement).value, label]));
  reconcile(
    root,
    choices.map(({ value, words }) => {
      const label = known.get(value) ?? create(name, value);
      const input = find(label, 'input', HTMLInputElement);
      if (input.checked !== (value === chosen)) input.checked = value === chosen;
      setText(find(label, 'span', HTMLElement), words);
      return label;
    }),
  );
}

/** @param {string} name @param {string} value */
function create(name, value) {
  return element('label', { class: 'chip' }, element('input', { type: 'radio', name, value }), element('span'));
}

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
  const [before, text] = [root.querySelector('input:checked'), root.textContent];
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
  const checked = root.querySelector('input:checked');
  if (checked && (checked !== before || root.textContent !== text)) reveal(root, checked);
}

/** Pushes a row that is wider than its place so far that a choice is in view. @param {Element} root @param {Element} choice */
function reveal(root, choice) {
  const [place, box] = [root.getBoundingClientRect(), choice.getBoundingClientRect()];
  if (box.left >= place.left && box.right <= place.right) return;
  root.scrollLeft += box.left + box.width / 2 - place.left - place.width / 2;
}

/** @param {string} name @param {string} value */
function create(name, value) {
  return element('label', { class: 'chip' }, element('input', { type: 'radio', name, value }), element('span'));
}

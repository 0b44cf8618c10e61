/** A row of choices of which one holds, as radio buttons: the arrow keys work and a screen reader knows. */

/**
 * @param {HTMLElement} root @param {string} name
 * @param {{value: string, words: string}[]} choices @param {string} chosen
 */
export function offer(root, name, choices, chosen) {
  root.replaceChildren(...choices.map(({ value, words }) => {
    const [label, input, text] = [document.createElement('label'), document.createElement('input'), document.createElement('span')];
    Object.assign(input, { type: 'radio', name, value, checked: value === chosen });
    label.className = 'chip';
    text.textContent = words;
    label.append(input, text);
    return label;
  }));
}

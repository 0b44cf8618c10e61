/**
 * Choices that are behind a button where there is no room for them: the style sheet hides them on a phone until the button is pressed.
 * Active choices stay in view, as chips that remove them.
 */

import { html, setData, setHidden, setText } from './dom.js';
import { element } from './element.js';

/** @typedef {{name: string, words: string}} Chosen */

const KEY = 'studio-pulse.open.';

export class Fold {
  /** What the chips were made from. */
  #made = '';
  /** Whether a chip that is taken away has the focus: the next one gets it, or the button. */
  #hadFocus = false;

  /**
   * @param {string} name of the view: the elements are `#name-fold`, the button, `#name-folded` and `#name-chosen`
   * @param {import('../state/storage.js').SafeStorage} settings remember whether it is open @param {(name: string) => void} onRemove
   */
  constructor(name, settings, onRemove) {
    const [button, folded, chosen] = [html(`#${name}-fold`), html(`#${name}-folded`), html(`#${name}-chosen`)];
    this.button = button;
    this.chosen = chosen;
    const open = (/** @type {boolean} */ isOpen) => {
      button.setAttribute('aria-expanded', String(isOpen));
      setData(folded, 'open', isOpen ? 'yes' : 'no');
    };
    open(settings.getItem(KEY + name) === 'yes');
    button.addEventListener('click', () => {
      const isOpen = folded.dataset.open === 'no';
      settings.setItem(KEY + name, isOpen ? 'yes' : 'no');
      open(isOpen);
    });
    chosen.addEventListener('click', ({ target }) => {
      const pressed = target instanceof Element ? target.closest('button') : null;
      this.#hadFocus = pressed !== null;
      if (pressed) onRemove(pressed.value);
    });
  }

  /** @param {Chosen[]} choices that differ from the default @param {import('../i18n/i18n.js').I18n} i18n */
  paint(choices, i18n) {
    const count = choices.length;
    setText(this.button, count ? `${i18n.t('filters')} (${i18n.number(count)})` : i18n.t('filters'));
    const made = JSON.stringify([i18n.language, choices]);
    if (made === this.#made) return;
    this.#made = made;
    setHidden(this.chosen, count === 0);
    this.chosen.replaceChildren(
      ...choices.map(({ name, words }) => {
        const label = i18n.t('filter_remove', { filter: words });
        const cross = element('span', { 'aria-hidden': 'true' }, '×');
        return element(
          'li',
          {},
          element('button', { type: 'button', class: 'button', value: name, 'aria-label': label }, words, ' ', cross),
        );
      }),
    );
    if (this.#hadFocus) (this.chosen.querySelector('button') ?? this.button).focus();
    this.#hadFocus = false;
  }
}

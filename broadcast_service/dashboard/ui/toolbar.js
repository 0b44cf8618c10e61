/** Search, filters and order: form controls in, a Filters value out. */

import { parseSort, REVERSED } from '../state/filters.js';
import { find } from './dom.js';
import { renderChoices } from './segmented.js';

/** @typedef {import('../state/filters.js').Filters} Filters */

export class Toolbar {
  /** @type {string} what the chips were built from */
  #chips = '';

  /** @param {HTMLFormElement} form @param {Filters} filters @param {(filters: Filters) => void} onChange */
  constructor(form, filters, onChange) {
    this.form = form;
    this.filters = filters;
    this.platforms = find(form, '#platforms', HTMLFieldSetElement);
    this.set(filters);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('input', () => {
      this.filters = this.#read();
      onChange(this.filters);
    });
  }

  /** @param {Filters} filters */
  set(filters) {
    this.filters = filters;
    for (const name of /** @type {const} */ (['search', 'status', 'group', 'sort'])) {
      /** @type {HTMLInputElement | HTMLSelectElement} */ (this.form.elements.namedItem(name)).value =
        name === 'sort' ? parseSort(filters.sort).by : filters[name];
    }
    for (const input of this.platforms.querySelectorAll('input')) input.checked = input.value === filters.platform;
  }

  /** @param {Iterable<{platform: string}>} feeds @param {import('../i18n/i18n.js').I18n} i18n */
  setPlatforms(feeds, i18n) {
    const platforms = [...new Set([...feeds].map(({ platform }) => platform))].sort();
    if (this.filters.platform && !platforms.includes(this.filters.platform)) platforms.push(this.filters.platform);
    const all = i18n.t('all_platforms');
    const chips = JSON.stringify([all, platforms]);
    if (chips === this.#chips) return;
    this.#chips = chips;
    renderChoices(
      this.platforms,
      'platform',
      [{ value: '', words: all }, ...platforms.map((value) => ({ value, words: value }))],
      this.filters.platform,
    );
  }

  /** An order stays turned round until another one is chosen. @param {string} chosen */
  #sort(chosen) {
    const { by, reversed } = parseSort(this.filters.sort);
    return reversed && by === chosen ? REVERSED + by : chosen;
  }

  /** @returns {Filters} */
  #read() {
    const data = new FormData(this.form);
    const text = (/** @type {string} */ name) => String(data.get(name) ?? '');
    return {
      search: text('search'),
      platform: text('platform'),
      status: text('status'),
      group: text('group'),
      sort: this.#sort(text('sort')),
    };
  }
}

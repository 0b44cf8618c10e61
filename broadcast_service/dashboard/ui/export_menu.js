/** The files of a view: a button and a menu, in which a line says what each file is for. By keyboard as menus are. */

import { translate } from '../i18n/i18n.js';
import { setHidden } from './dom.js';
import { element } from './element.js';

/** `sheet` is text with local times for a spreadsheet; `csv` and `readings` are for programs. @typedef {'xlsx' | 'sheet' | 'csv' | 'readings' | 'print'} ExportKind */

/** @param {HTMLElement} root is empty @param {ExportKind[]} kinds @param {import('../i18n/i18n.js').I18n} i18n @param {(kind: ExportKind) => void} onChoice */
export function connectExportMenu(root, kinds, i18n, onChoice) {
  const button = element('button', { type: 'button', class: 'button', 'data-i18n': 'export', 'aria-haspopup': 'menu' });
  const items = kinds.map((kind) => {
    const [name, use] = [`export_${kind}`, `export_${kind}_for`].map((key) => element('span', { 'data-i18n': key }));
    const attributes = { type: 'button', role: 'menuitem', tabindex: '-1', value: kind };
    return element('button', attributes, name ?? '', ' ', use ?? '');
  });
  const menu = element('div', { class: 'export-menu', role: 'menu', 'data-i18n-label': 'export' }, ...items);
  const show = (/** @type {boolean} */ isShown) => {
    button.setAttribute('aria-expanded', String(isShown));
    setHidden(menu, !isShown);
  };
  const open = (/** @type {number} */ item) => {
    show(true);
    menu.style.right = '';
    const { left } = menu.getBoundingClientRect();
    if (left < 0) menu.style.right = `${left}px`; // the button is at the left edge of the window
    items.at(item)?.focus();
  };
  const close = () => {
    show(false);
    button.focus();
  };

  root.replaceChildren(button, menu);
  translate(root, i18n);
  show(false);
  button.addEventListener('click', () => (menu.hidden ? open(0) : show(false)));
  menu.addEventListener('click', ({ target }) => {
    const item = items.find((one) => one.contains(/** @type {Node} */ (target)));
    if (!item) return;
    close();
    onChoice(/** @type {ExportKind} */ (item.value));
  });
  root.addEventListener('keydown', (event) => {
    const at = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Escape' && !menu.hidden) close();
    else if (to !== undefined && !menu.hidden) items.at(to % items.length)?.focus();
    else if (to !== undefined && event.key.startsWith('Arrow')) open(to);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the view has keys of its own
  });
  // A press or the focus elsewhere closes it.
  document.addEventListener('pointerdown', ({ target }) => {
    if (!root.contains(/** @type {Node} */ (target))) show(false);
  });
  root.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !root.contains(/** @type {Node} */ (relatedTarget))) show(false);
  });
}

/** What every number means, in one place: opened by its button or by `?`, closed by Escape, its button, or a click beside it. */

import { find, html } from '../ui/dom.js';

/** Connects the dialog with what opens and closes it. */
export function connectLegend() {
  const box = find(document, '#legend', HTMLDialogElement);
  html('#explain').addEventListener('click', () => box.showModal());
  html('#legend-close').addEventListener('click', () => box.close());
  box.addEventListener('click', (event) => {
    if (event.target === box) box.close();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
    if (event.key === '?' && !typing && !box.open) box.showModal();
  });
}

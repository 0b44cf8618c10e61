/** The button that switches between dark and light. boot/theme.js applies the stored choice before the first paint. */

import { html } from './ui/dom.js';

const STORAGE_KEY = 'studio-pulse.theme';

/** @param {import('./state/storage.js').SafeStorage} settings */
export function connectTheme(settings) {
  html('#theme').addEventListener('click', () => switchTheme(settings));
}

/** A choice equal to the system's theme is not stored: the page then follows the system again. @param {import('./state/storage.js').SafeStorage} settings */
function switchTheme(settings) {
  const { dataset } = document.documentElement;
  const systemTheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const next = (dataset.theme ?? systemTheme) === 'dark' ? 'light' : 'dark';
  if (next === systemTheme) delete dataset.theme;
  else dataset.theme = next;
  settings.setItem(STORAGE_KEY, dataset.theme ?? '');
}

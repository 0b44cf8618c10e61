/** The three themes. boot/theme.js applies the stored choice before the first paint. */

import { html } from './ui/dom.js';

const STORAGE_KEY = 'studio-pulse.theme';

/** In the order of the button: dark, light, and black and white with stronger colours. */
const THEMES = /** @type {const} */ (['dark', 'light', 'contrast']);

/** @typedef {(typeof THEMES)[number]} Theme */
/** @typedef {import('./state/storage.js').SafeStorage} SafeStorage */

/** @param {SafeStorage} settings */
export function connectTheme(settings) {
  html('#theme').addEventListener('click', () => {
    const { theme } = document.documentElement.dataset;
    const shown = THEMES.find((known) => known === theme) ?? systemTheme();
    chooseTheme(settings, THEMES[(THEMES.indexOf(shown) + 1) % THEMES.length] ?? 'dark');
  });
}

/** A choice equal to the system's theme is not stored: the page then follows the system again. @param {SafeStorage} settings @param {Theme | 'system'} theme */
export function chooseTheme(settings, theme) {
  const { dataset } = document.documentElement;
  if (theme === 'system' || theme === systemTheme()) delete dataset.theme;
  else dataset.theme = theme;
  settings.setItem(STORAGE_KEY, dataset.theme ?? '');
}

/** @returns {Theme} */
const systemTheme = () => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

/** Pasting a token into a field. */

import { normalizeToken } from '../link/token.js';

/** A pasted link or token needs no further click. @param {HTMLInputElement} input @param {(token: string) => void} onToken */
export function onPaste(input, onToken) {
  input.addEventListener('paste', (event) => {
    const token = normalizeToken(event.clipboardData?.getData('text') ?? '');
    if (!token) return;
    event.preventDefault();
    onToken(token);
  });
}

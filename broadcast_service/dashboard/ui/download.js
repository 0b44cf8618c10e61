/** Hands a file to the reader. The request carried the token in a header, which a plain link could not. */

import { element } from './element.js';

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = element('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

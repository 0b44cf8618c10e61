'use strict';

/**
 * The account mark: whose balance it is, without the name. HMAC-SHA-256 of platform and name, keyed with a secret of
 * the studio or of this installation, so that the mark cannot be found by trying a list of names.
 */

/**
 * @param {string} key
 * @param {string} platform
 * @param {string} name
 * @returns {Promise<string | undefined>} 16 hexadecimal digits; undefined without a key, and where a page is not
 *   served securely, because Chrome has no cryptography there
 */
async function accountMark(key, platform, name) {
  if (key === '' || !globalThis.crypto?.subtle) return;
  const bytes = new TextEncoder();
  const secret = await crypto.subtle.importKey('raw', bytes.encode(key), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
  ]);
  const mark = await crypto.subtle.sign(
    'HMAC',
    secret,
    bytes.encode(`${platform}:${name.normalize('NFC').toLowerCase()}`),
  );
  return [...new Uint8Array(mark, 0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The studio's code: address, room and key in one line, so that one thing is pasted once. `shared/auth/studio_code.py` makes it.
 *
 * `pulse1_` and base64url of a JSON object: `a` address, `r` room, `k` key; optional `n` the room's name as people write
 * it, `m` the secret of account marks. It holds a key, so it is as secret as one.
 */

const CODE = /pulse1_([\w-]+)/u;
const SHORTEST_CODE = 40;
const LONGEST_CODE = 3000;

/**
 * @param {string} pasted the code, alone or within a line; blanks and line breaks inside it do no harm
 * @returns {Partial<Settings> | null} null when there is no whole code in it
 */
export function readStudioCode(pasted) {
  const whole = decoded(CODE.exec(pasted)?.[1] ?? '');
  if (whole) return whole;
  const joined = CODE.exec(pasted.replaceAll(/[\s\u200b\ufeff]+/gu, ''))?.[1] ?? '';
  // Broken over lines, and more text after it: the object says where it ends.
  for (let end = Math.min(joined.length, LONGEST_CODE); end > SHORTEST_CODE; end -= 1) {
    const code = decoded(joined.slice(0, end));
    if (code) return code;
  }
  return null;
}

/** @param {string} pasted whether it was meant to be a code, whole or not */
export const looksLikeCode = (pasted) => /pulse1_/u.test(pasted);

/** @param {string} encoded @returns {Partial<Settings> | null} */
function decoded(encoded) {
  try {
    const bytes = Uint8Array.from(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
      letter.charCodeAt(0),
    );
    const { a, r, k, n, m } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (![a, r, k].every((value) => typeof value === 'string' && value !== '')) return null;
    return {
      endpoint: a,
      roomId: r,
      token: k,
      ...(typeof n === 'string' && { roomName: n }),
      ...(typeof m === 'string' && { accountKey: m }),
    };
  } catch {
    return null;
  }
}

/**
 * The studio's code: address, room and key in one line, so that one thing is pasted once. `shared/auth/studio_code.py` makes it.
 *
 * `pulse1_` and base64url of a JSON object: `a` address, `r` room, `k` key; optional `n` the room's name as people write
 * it, `m` the secret of account marks. It holds a key, so it is as secret as one.
 */

const CODE = /pulse1_([\w-]+)/u;
const MIN_CODE_LENGTH = 40;
const MAX_CODE_LENGTH = 3000;

/**
 * @param {string} pasted the code, alone or within a line; blanks and line breaks inside it do no harm
 * @returns {Partial<Settings> | null} null when there is no whole code in it
 */
export function readStudioCode(pasted) {
  const whole = decoded(CODE.exec(pasted)?.[1] ?? '');
  if (whole) return whole;
  const mergeRuns = CODE.exec(pasted.replaceAll(/[\s\u200b\ufeff]+/gu, ''))?.[1] ?? '';
  // Broken over lines, and more text after it: the object says where it ends.
  for (let end = Math.min(mergeRuns.length, MAX_CODE_LENGTH); end > MIN_CODE_LENGTH; end -= 1) {
    const code = decoded(mergeRuns.slice(0, end));
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

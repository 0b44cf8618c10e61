/** The plain id of a room that people write with accents. `shared/auth/studio_code.py` has the same rules. */

/** Letters that are no base letter with a mark. @type {Record<string, string>} */
const PLAIN = {
  ß: 'ss',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  ł: 'l',
  Ł: 'L',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'Th',
  ı: 'i',
};
const LENGTH = 64;
const HASH_LENGTH = 8;

/**
 * `Habitación 12` → `Habitacion 12`. Where letters have no plain form the id ends in a hash of the name, so that two rooms
 * never become one.
 *
 * @param {string} name
 * @returns {string}
 */
export function roomIdOf(name) {
  const text = name.normalize('NFC').replaceAll(/\s+/gu, ' ').trim();
  const plain = [...text.normalize('NFKD')]
    .map((letter) => PLAIN[letter] ?? letter)
    .join('')
    .replaceAll(/\p{M}/gu, '');
  const kept = plain.replaceAll(/[^\w .-]/gu, '');
  const id = kept.replaceAll(/ +/gu, ' ').trim();
  if (kept === plain && id.length > 0 && id.length <= LENGTH) return id;
  return `${id.slice(0, LENGTH - HASH_LENGTH - 1).trim()}-${hash(text)}`.replace(/^-/u, '');
}

/** FNV-1a, 32 bits, of the UTF-8 bytes. @param {string} text */
function hash(text) {
  let value = 0x81_1c_9d_c5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01_00_01_93) >>> 0;
  return value.toString(16).padStart(HASH_LENGTH, '0');
}

/** Finding commands and rooms by a few typed letters, pure. */

/** @template T @typedef {{label: string, value: T}} Choice */

/** Fewer letters, scattered over a label, match nearly everything. */
const MIN_SCATTERED = 3;

/** Small letters without accents: "tamano" finds "Tamaño". @param {string} text */
export const plain = (text) =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase();

/**
 * How well a label matches: 0 its beginning, 1 the beginning of a word, 2 within a word, 3 its letters in order; null not at all.
 * @param {string} label @param {string} query both plain
 */
function rankOf(label, query) {
  if (label.startsWith(query)) return 0;
  if (new RegExp(`(^|[^\\p{L}\\p{N}])${escapeRegExp(query)}`, 'u').test(label)) return 1;
  if (label.includes(query)) return 2;
  if (query.length < MIN_SCATTERED) return null;
  let at = 0;
  for (const letter of query) {
    at = label.indexOf(letter, at) + 1;
    if (at === 0) return null;
  }
  return 3;
}

/** @param {string} text */
const escapeRegExp = (text) => text.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&');

/**
 * The choices that match, best first, of equal matches in their own order.
 * @template T @param {Choice<T>[]} choices @param {string} query @param {number} limit
 * @returns {Choice<T>[]}
 */
export function matching(choices, query, limit) {
  const wanted = plain(query).trim();
  if (wanted === '') return choices.slice(0, limit);
  return choices
    .flatMap((choice, order) => {
      const rank = rankOf(plain(choice.label), wanted);
      return rank === null ? [] : [{ choice, rank, order }];
    })
    .sort((a, b) => a.rank - b.rank || a.order - b.order)
    .slice(0, limit)
    .map(({ choice }) => choice);
}

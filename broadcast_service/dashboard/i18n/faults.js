/** The faults of a studio file in the reader's language. */

import en from './faults_en.js';
import es from './faults_es.js';

/** @typedef {import('../state/studio.js').Fault} Fault */

/** @type {Record<import('./i18n.js').Language, Record<string, string>>} */
const WORDS = { en, es };
/** Values that are words of the server, by the names that they have here. @type {Record<string, string>} */
const NAMED = { 'a table': 'a_table', 'a list': 'a_list', 'a huge number': 'a_huge_number' };

/**
 * A line that names the file, the line, the key and a correct value, as the server's own does; null for a code that this page does not know.
 * @param {Fault} fault @param {import('./i18n.js').Language} language
 */
export function faultText({ file, line, key, code, values }, language) {
  const words = WORDS[language];
  const text = words[code];
  if (text === undefined) return null;
  const spelled = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, spell(name, value, words)]));
  const fill = (/** @type {string} */ template) => template.replace(/\{(\w+)\}/gu, (_, name) => spelled[name] ?? '');
  const ends = values.value === undefined ? '' : `; ${fill((values.value ? words.value : words.missing) ?? '')}`;
  const place = [file, line].filter((part) => part !== null).join(':');
  return `${place}: ${key === null ? '' : `${key} `}${fill(text)}${ends}`;
}

/** A value, in the reader's language where it is a word of the server and not of the file. @param {string} name @param {string} value @param {Record<string, string>} words */
function spell(name, value, words) {
  const isWord = name === 'day' || (name === 'known' && value === 'none');
  const key = name === 'value' ? NAMED[value] : isWord ? value : undefined;
  return (key && words[key]) ?? value;
}

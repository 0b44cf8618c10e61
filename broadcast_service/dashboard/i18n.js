/** Words and numbers in the reader's language. */

import en from './locales/en.js';
import es from './locales/es.js';

/** @typedef {keyof typeof en} Phrase */

const WORDS = { en, es };
/** @typedef {keyof typeof WORDS} Language */
export const LANGUAGES = /** @type {Language[]} */ (Object.keys(WORDS));

/** The first language of the reader that we speak. @param {readonly string[]} wanted @returns {Language} */
export function chooseLanguage(wanted) {
  const spoken = wanted.map((tag) => tag.toLowerCase().split('-')[0]);
  return LANGUAGES.find((language) => language === spoken.find((tag) => LANGUAGES.includes(/** @type {Language} */ (tag)))) ?? 'en';
}

export class Speech {
  /**
   * @param {Language} language
   * @param {readonly string[]} wanted the browser's languages: a regional variant of the chosen one decides how numbers look
   */
  constructor(language, wanted = []) {
    this.language = language;
    this.locale = wanted.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
    this.integer = new Intl.NumberFormat(this.locale, { maximumFractionDigits: 0 });
    this.percentage = new Intl.NumberFormat(this.locale, { style: 'percent', maximumFractionDigits: 0 });
    this.compact = new Intl.NumberFormat(this.locale, { notation: 'compact', maximumFractionDigits: 1 });
    this.plural = new Intl.PluralRules(this.locale);
    this.clock = new Intl.DateTimeFormat(this.locale, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
    this.hour = new Intl.DateTimeFormat(this.locale, { hour: 'numeric', minute: '2-digit' });
    this.moment = new Intl.DateTimeFormat(this.locale, { weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' });
    this.hourOfWeek = new Intl.DateTimeFormat(this.locale, { weekday: 'short', day: 'numeric', hour: 'numeric' });
    this.weekday = new Intl.DateTimeFormat(this.locale, { weekday: 'short', day: 'numeric' });
    this.units = Object.fromEntries(['second', 'minute', 'hour', 'day'].map((unit) =>
      [unit, new Intl.NumberFormat(this.locale, { style: 'unit', unit, unitDisplay: 'short' })]));
  }

  /** @param {Phrase} phrase @param {Record<string, string | number>} [values] `count` also chooses the plural form */
  say(phrase, values = {}) {
    const entry = WORDS[this.language][phrase];
    const text = typeof entry === 'string' ? entry : entry[this.plural.select(Number(values['count'])) === 'one' ? 'one' : 'other'];
    const said = text.replace(/\{(\w+)\}/g, (_, name) => this.#spell(values[name] ?? ''));
    return said.replace('..', '.'); // "a las 10:52 p. m." has a dot of its own
  }

  /** @param {number | null} value */
  number(value) {
    return value === null ? '—' : this.integer.format(value);
  }

  /** @param {number} seconds */
  age(seconds) {
    return seconds < 1 ? this.say('age_now') : this.say('age', { age: this.span(seconds) });
  }

  /** How long, in the unit a person would use. @param {number} seconds */
  span(seconds) {
    const [unit, size] = seconds < 60 ? ['second', 1] : seconds < 3600 ? ['minute', 60] : seconds < 86_400 ? ['hour', 3600] : ['day', 86_400];
    return /** @type {Intl.NumberFormat} */ (this.units[unit]).format(Math.floor(seconds / Number(size)));
  }

  /** @param {string | number} value */
  #spell(value) {
    return typeof value === 'number' ? this.integer.format(value) : value;
  }
}

/**
 * Writes every marked text of a document: `data-say` for content, `data-say-label` for the name of a control.
 * @param {ParentNode} root @param {Speech} speech
 */
export function translate(root, speech) {
  for (const element of root.querySelectorAll('[data-say]')) {
    element.textContent = speech.say(/** @type {Phrase} */ (element.getAttribute('data-say')));
  }
  for (const element of root.querySelectorAll('[data-say-label]')) {
    const words = speech.say(/** @type {Phrase} */ (element.getAttribute('data-say-label')));
    element.setAttribute('aria-label', words);
    if (element instanceof HTMLButtonElement) element.title = words;
    if (element instanceof HTMLInputElement) element.placeholder = words;
  }
}

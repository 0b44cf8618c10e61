/** Words and numbers in the reader's language. */

import { setText } from '../ui/dom.js';
import { en } from './en.js';
import { es } from './es.js';

/** @typedef {keyof typeof en} MessageKey */

const WORDS = { en, es };
/** @typedef {keyof typeof WORDS} Language */
export const LANGUAGES = /** @type {Language[]} */ (Object.keys(WORDS));

/** The language of a tag, however it is spelled: `es-CO`, `es_CO`, `en_US.UTF-8`, `en-US@posix`. @param {string} tag */
const languageOf = (tag) => tag.toLowerCase().split(/[^a-z]/u)[0] ?? '';

/** The first of the reader's languages that the page has. @param {readonly string[]} wanted @returns {Language} */
export function chooseLanguage(wanted) {
  for (const tag of strings(wanted)) {
    const known = LANGUAGES.find((language) => language === languageOf(tag));
    if (known) return known;
  }
  return 'en';
}

/**
 * The reader's regional variant of a language, as `Intl` takes it. Browsers and their launchers also give tags that `Intl` refuses with a
 * RangeError; of those, the part before the invalid subtag is used.
 * @param {Language} language @param {readonly string[]} wanted
 */
export function chooseLocale(language, wanted) {
  for (const tag of strings(wanted)) {
    if (languageOf(tag) !== language) continue;
    const whole = tag.split(/[.@]/u)[0]?.replace(/_/gu, '-') ?? '';
    for (const candidate of [
      tag,
      ...whole.split('-').map((_, i, parts) => parts.slice(0, parts.length - i).join('-')),
    ]) {
      if (isLocale(candidate)) return candidate;
    }
  }
  return language;
}

/** @param {unknown} tags what `navigator.languages` is, which an extension or an old browser may leave undefined @returns {string[]} */
const strings = (tags) => (Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : []);

/** @param {string} tag */
function isLocale(tag) {
  try {
    return Intl.NumberFormat.supportedLocalesOf([tag]).length > 0;
  } catch {
    return false;
  }
}

/** Times outside what a Date can hold throw in `format`; they are unknown. */
class Times {
  /** @param {string} locale @param {Intl.DateTimeFormatOptions} options */
  constructor(locale, options) {
    this.formatter = new Intl.DateTimeFormat(locale, options);
  }

  /** A line never ends within a time of day. @param {number} ms */
  format(ms) {
    if (Number.isNaN(new Date(ms).getTime())) return '—';
    return this.formatter.format(ms).replace(/ ([ap])\. (m\.)/gu, '\u00a0$1.\u00a0$2');
  }
}

/** A weekday and its date, the weekday first: CLDR's English has `27 Fri`. */
export class Weekdays {
  /** @param {string} locale @param {string | undefined} timeZone */
  constructor(locale, timeZone) {
    this.weekday = new Times(locale, { weekday: 'short', timeZone });
    this.day = new Times(locale, { day: 'numeric', timeZone });
  }

  /** @param {number} ms */
  format(ms) {
    const [weekday, day] = [this.weekday.format(ms), this.day.format(ms)];
    return weekday === day ? day : `${weekday} ${day}`; // both are a dash
  }
}

/** A number stays on one line with its unit. */
const NO_BREAK = '\u00a0';

/** How Spanish shortens numbers: CLDR writes `1 K` beside `30 k`, which readers in Colombia do not use. @type {[number, string][]} */
const SPANISH = [
  [1e12, ' B'],
  [1e9, ' mil M'],
  [1e6, ' M'],
  [1e3, ' mil'],
];

export class I18n {
  /**
   * @param {Language} language
   * @param {readonly string[]} wanted the browser's languages: a regional variant of the chosen one decides how numbers look
   * @param {string} [zone] the studio's time zone, for times of day and days; without one they are those of the browser
   */
  constructor(language, wanted = [], zone = '') {
    const timeZone = zone || undefined;
    this.zone = zone;
    this.language = language;
    this.locale = chooseLocale(language, wanted);
    this.integer = new Intl.NumberFormat(this.locale, { maximumFractionDigits: 0 });
    this.percentage = new Intl.NumberFormat(this.locale, { style: 'percent', maximumFractionDigits: 0 });
    this.plural = new Intl.PluralRules(this.locale);
    this.clock = new Times(this.locale, { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZone });
    this.hour = new Times(this.locale, { hour: 'numeric', minute: '2-digit', timeZone });
    this.moment = new Times(this.locale, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: 'numeric',
      minute: '2-digit',
      timeZone,
    });
    this.day = new Times(this.locale, { day: 'numeric', month: 'short', timeZone: 'UTC' });
    this.weekdayName = new Times(this.locale, { weekday: 'long', timeZone });
    this.weekday = new Weekdays(this.locale, timeZone);
    this.units = Object.fromEntries(
      ['second', 'minute', 'hour', 'day'].map((unit) => [
        unit,
        new Intl.NumberFormat(this.locale, { style: 'unit', unit, unitDisplay: 'short' }),
      ]),
    );
  }

  /** A date of the calendar. @param {string} day YYYY-MM-DD */
  date(day) {
    return this.day.format(Date.parse(`${day}T00:00Z`));
  }

  /** A number in few characters, to two decimals. @param {number} value */
  short(value) {
    if (this.language !== 'es')
      return new Intl.NumberFormat(this.locale, { notation: 'compact', maximumFractionDigits: 2 }).format(value);
    const decimal = new Intl.NumberFormat(this.locale, { maximumFractionDigits: 2 });
    const [size, unit] = SPANISH.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
    return `${decimal.format(value / size)}${unit}`;
  }

  /** The numbers along an axis: short where that leaves each of them exact, else whole. @param {number[]} ticks */
  axis(ticks) {
    const step = Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0));
    const unit = SPANISH.find(([least]) => Math.max(...ticks) >= least)?.[0] ?? 1;
    return ticks.map((tick) => (step * 100 < unit ? this.number(tick) : this.short(tick)));
  }

  /** @param {MessageKey} key @param {Record<string, string | number>} [values] `count` also chooses the plural form */
  t(key, values = {}) {
    const entry = WORDS[this.language][key];
    const text =
      typeof entry === 'string' ? entry : entry[this.plural.select(Number(values.count)) === 'one' ? 'one' : 'other'];
    const said = text.replace(/\{(\w+)\}/gu, (_, name) => this.#spell(values[name] ?? ''));
    return said.replace('..', '.'); // "a las 10:52 p. m." has a dot of its own
  }

  /** @param {number | null} value */
  number(value) {
    return value === null ? '—' : this.integer.format(value);
  }

  /** An amount of money, whole where the cents say nothing. @param {{code: string, amount: number}} money */
  money({ code, amount }) {
    const digits = amount < 100 && !Number.isInteger(amount) ? 2 : 0;
    const options = {
      style: /** @type {const} */ ('currency'),
      currency: code,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    };
    return new Intl.NumberFormat(this.locale, options).format(amount);
  }

  /** The remaining time of a shift in hours and minutes. @param {number} seconds */
  left(seconds) {
    return this.#hoursAndMinutes(Math.ceil(seconds / 60));
  }

  /** @param {number} minutes */
  #hoursAndMinutes(minutes) {
    const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
    const { hour, minute } = /** @type {Record<string, Intl.NumberFormat>} */ (this.units);
    return [hours > 0 && hour?.format(hours), (rest > 0 || hours === 0) && minute?.format(rest)]
      .filter(Boolean)
      .join(' ')
      .replaceAll(' ', NO_BREAK);
  }

  /** @param {number} seconds */
  age(seconds) {
    return seconds < 1 ? this.t('age_now') : this.t('age', { age: this.span(seconds) });
  }

  /** How long, in the unit a person would use. @param {number} seconds */
  span(seconds) {
    const [unit, size] =
      seconds < 60
        ? ['second', 1]
        : seconds < 3600
          ? ['minute', 60]
          : seconds < 86_400
            ? ['hour', 3600]
            : ['day', 86_400];
    const words = /** @type {Intl.NumberFormat} */ (this.units[unit]).format(Math.floor(seconds / Number(size)));
    return words.replaceAll(' ', NO_BREAK);
  }

  /** A time on air in hours and minutes, as people say it; from 100 hours on without the minutes. @param {number} hours */
  hours(hours) {
    const minutes = Math.round(hours * 60);
    return this.#hoursAndMinutes(minutes < 6000 ? minutes : Math.round(hours) * 60);
  }

  /** The name of a time zone in words; its identifier where there is none. @param {string} timeZone */
  zoneName(timeZone) {
    const identifier = timeZone.replaceAll('_', ' ');
    try {
      const named = new Intl.DateTimeFormat(this.locale, { timeZone, timeZoneName: 'longGeneric' });
      const words = named.formatToParts(0).find(({ type }) => type === 'timeZoneName')?.value ?? '';
      return !words || words.startsWith('GMT') ? identifier : words;
    } catch {
      return identifier; // browsers of 2021 do not know `longGeneric`
    }
  }

  /** A change by a part, with an arrow; a dash where it is unknown. @param {number | null} part */
  change(part) {
    if (part === null) return '—';
    const words = this.percentage.format(Math.abs(part));
    return Math.abs(part) < 0.005 ? `= ${words}` : `${part > 0 ? '▲' : '▼'} ${words}`;
  }

  /** @param {string | number} value */
  #spell(value) {
    return typeof value === 'number' ? this.integer.format(value) : value;
  }
}

/**
 * Writes every marked text of a document: `data-i18n` for content, `data-i18n-label` for the name of a control.
 * @param {ParentNode} root @param {I18n} i18n
 */
export function translate(root, i18n) {
  for (const element of root.querySelectorAll('[data-i18n]')) {
    setText(element, i18n.t(/** @type {MessageKey} */ (element.getAttribute('data-i18n'))));
  }
  for (const element of root.querySelectorAll('[data-i18n-label]')) {
    const words = i18n.t(/** @type {MessageKey} */ (element.getAttribute('data-i18n-label')));
    element.setAttribute('aria-label', words);
    if (element instanceof HTMLButtonElement) element.title = words;
    if (element instanceof HTMLInputElement) element.placeholder = words;
  }
}

/** Elements, words and numbers for both pages. */

/** @param {string} key @param {(string | number)[]} values */
export const t = (key, ...values) => chrome.i18n.getMessage(key, values.map(String));

/** Of the words, which need not be the browser's: where we do not speak that, we speak English. */
const language = t('language');
/** Grouped throughout: 1234 beside 12.345 looks like another kind of number. */
const counts = new Intl.NumberFormat(language, { useGrouping: 'always' });
const ages = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
const moments = new Intl.DateTimeFormat(language, { dateStyle: 'short', timeStyle: 'medium' });

/** @param {number} value */
export const count = (value) => counts.format(value);

/** @param {number} milliseconds since then */
export const age = (milliseconds) => ages.format(-Math.max(0, Math.round(milliseconds / 1000)), 'second');

const days = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
const hours = new Intl.DateTimeFormat(language, { timeStyle: 'short' });

/** @param {number} milliseconds since the epoch, to the day */
export const day = (milliseconds) => days.format(milliseconds);

/** @param {number} milliseconds since the epoch, to the minute */
export const time = (milliseconds) => hours.format(milliseconds);

/** @param {number} milliseconds as people say it */
export function duration(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return t('seconds', Math.max(0, Math.ceil(milliseconds / 1000)));
  if (minutes < 60) return t('minutes', minutes);
  return minutes < 2880
    ? t('hours', Math.floor(minutes / 60), minutes % 60)
    : t('days', count(Math.floor(minutes / 1440)), Math.floor(minutes / 60) % 24);
}

/** @param {number} milliseconds since the epoch */
export const moment = (milliseconds) => moments.format(milliseconds);

/** @param {string} id @returns {HTMLElement} */
export function at(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found;
}

/**
 * Replaces children only when something changed, so that focus, selection and screen readers are left in peace.
 *
 * @param {Element} parent
 * @param {Node[]} children
 */
export function show(parent, children) {
  const next = /** @type {Element} */ (parent.cloneNode(false));
  next.append(...children);
  if (!parent.isEqualNode(next)) parent.replaceChildren(...next.childNodes);
}

/** Fills in the words of the static page. */
export function translate() {
  document.documentElement.lang = language;
  for (const holder of document.querySelectorAll('[data-text]')) {
    holder.textContent = t(holder.getAttribute('data-text') ?? '');
  }
}

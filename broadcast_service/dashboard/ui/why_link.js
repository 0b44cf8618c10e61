/**
 * Figures of income, each a link to its reasons: the readings of one room, or the parts of a sum.
 *
 * Every view writes income by `showIncome` or points a link at its reasons by `pointAt`, and a test goes through all views: a figure of income
 * without a link fails it. On a wall, where nothing is clicked, the same elements are plain text.
 */

import { hrefOf, MAX_WHY_SECONDS, writeFeeds } from '../router.js';
import { DOT, setAttribute, setFigure, setText } from './dom.js';
import { element } from './element.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/**
 * What a figure is the income of, in Unix seconds: of these feeds, without them of all in scope or of a platform; with `account` of one account.
 * @typedef {{from: number, to: number, feeds?: {room: string, platform: string}[] | null, platform?: string, account?: string}} Reasons
 */

/** The minutes that end with the current one: all that a sum of the last `count` minutes covers. @param {number} asOfMs @param {number} count */
export function lastMinutes(asOfMs, count) {
  const next = Math.floor(asOfMs / 60_000) + 1;
  return { from: (next - count) * 60, to: next * 60 };
}

/** From a moment up to the end of the current minute. @param {number} fromSeconds @param {number} asOfMs */
export function minutesSince(fromSeconds, asOfMs) {
  const { to } = lastMinutes(asOfMs, 1);
  return { from: Math.min(to - 60, Math.floor(fromSeconds / 60) * 60), to };
}

/** @param {Reasons} reasons @returns {import('../router.js').WhyRoute | import('../router.js').SumRoute} */
export function whyRoute({ from, to, feeds = null, platform = '', account }) {
  const ofAccount = account === undefined ? {} : { account };
  const [only] = feeds ?? [];
  if (only && feeds?.length === 1 && to - from <= MAX_WHY_SECONDS)
    return { view: 'why', room: only.room, platform: only.platform, from, to, ...ofAccount };
  return {
    view: 'sum',
    from,
    to,
    ...(feeds ? { feeds: writeFeeds(feeds) } : {}),
    ...(platform ? { platform } : {}),
    ...ofAccount,
  };
}

/** Whether nothing on the page is clicked. */
export const isWall = () => 'wall' in document.documentElement.dataset;

/** Points a link at the reasons of a figure; null takes the link away. @param {HTMLElement} link @param {Reasons | null} reasons @param {string} [search] */
export function pointAt(link, reasons, search = '') {
  setAttribute(link, 'href', reasons && !isWall() ? hrefOf(whyRoute(reasons), search) : null);
}

/** Points a link at another page of the studio. @param {HTMLElement} link @param {import('../router.js').Route} route */
export function pointAtPage(link, route) {
  setAttribute(link, 'href', isWall() ? null : hrefOf(route, ''));
}

/**
 * Shows income in an element as a link to its reasons. A figure that is not known, or has no reasons, is text.
 * @param {HTMLElement} holder has nothing else in it @param {string} text @param {Reasons | null} reasons
 * @param {I18n} i18n @param {{name?: string, search?: string, tabIndex?: number}} [options] `name`: what the figure is, for who does not see where it stands
 */
export function showIncome(holder, text, reasons, i18n, { name = '', search = '' } = {}) {
  if (text === '') return holder.replaceChildren(); // what separates it from its neighbour is of a place that is not empty
  const link = linkIn(holder);
  setText(link, text);
  describe(link, text, reasons, i18n, name, search);
}

/** The same for a number that may be too long for its place. @param {HTMLElement} holder @param {number | null} value @param {Reasons | null} reasons @param {I18n} i18n @param {{name?: string, search?: string}} [options] */
export function showIncomeFigure(holder, value, reasons, i18n, { name = '', search = '' } = {}) {
  const link = linkIn(holder);
  setFigure(holder, value, i18n, link);
  describe(link, i18n.number(value), value === null ? null : reasons, i18n, name, search);
}

/** @param {HTMLElement} holder */
function linkIn(holder) {
  const present = holder.firstElementChild;
  if (present instanceof HTMLAnchorElement) return present;
  const link = element('a', { class: 'why-figure', 'data-income': '' });
  holder.replaceChildren(link);
  return link;
}

/** @param {HTMLElement} link @param {string} text @param {Reasons | null} reasons @param {I18n} i18n @param {string} name @param {string} search */
function describe(link, text, reasons, i18n, name, search) {
  pointAt(link, reasons, search);
  const label = link.hasAttribute('href') ? [i18n.t('why'), name, text].filter(Boolean).join(' ') : null;
  setAttribute(link, 'aria-label', label);
}

/**
 * Writes parts with a dot between two; those with reasons are links. The elements stay, and so the focus, as long as the same parts are links.
 * @param {HTMLElement} holder @param {{text: string, reasons?: Reasons | null}[]} parts @param {I18n} i18n @param {string} [search]
 */
export function showParts(holder, parts, i18n, search = '') {
  const shown = parts.filter(({ text }) => text !== '');
  const kinds = shown.map(({ reasons }) => (reasons ? 'A' : 'SPAN'));
  const present = [...holder.children];
  if (kinds.join() !== present.map(({ tagName }) => tagName).join() || (present.length === 0 && holder.firstChild)) {
    const created = kinds.map((kind) =>
      kind === 'A' ? element('a', { class: 'why-figure', 'data-income': '' }) : element('span'),
    );
    holder.replaceChildren(...created.flatMap((one, i) => (i > 0 ? [DOT, one] : [one])));
  }
  for (const [i, { text, reasons }] of shown.entries()) {
    const one = /** @type {HTMLElement} */ (holder.children[i]);
    setText(one, text);
    if (reasons) describe(one, text, reasons, i18n, '', search);
  }
}

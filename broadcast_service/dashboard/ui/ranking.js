/** A table of names by tokens earned. Rows are updated in place: a refresh takes neither the focus nor the place of a row that stays. */

import { setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';

/** @typedef {{key: string, words: string, earned: number, isName?: boolean, sub?: string, href?: string}} Rank */
/** @typedef {{row: HTMLTableRowElement, name: HTMLElement, sub: HTMLElement, bar: HTMLElement, amount: HTMLElement, share: HTMLElement}} Row */

export class Ranking {
  /** @type {Map<string, Row>} */
  #rows = new Map();

  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
  }

  clear() {
    this.#rows.clear();
    this.body.replaceChildren();
  }

  /** @param {Rank[]} ranks the first one earned most @param {number} total @param {import('../i18n/i18n.js').I18n} i18n */
  paint(ranks, total, i18n) {
    const most = ranks[0]?.earned ?? 0;
    const longest = Math.max(6, ...ranks.map(({ earned }) => i18n.number(earned).length));
    this.body.style.setProperty('--amount', String(longest));
    const rows = new Map(ranks.map((rank) => [rank.key, this.#rows.get(rank.key) ?? rowOf(rank)]));
    this.#rows = rows;
    for (const rank of ranks) {
      const row = /** @type {Row} */ (rows.get(rank.key));
      setText(row.name, rank.words);
      if (row.name instanceof HTMLAnchorElement) row.name.href = rank.href ?? '';
      setText(row.sub, rank.sub ?? '');
      row.bar.style.setProperty('--share', String(most ? (rank.earned / most) * 100 : 0));
      setText(row.amount, i18n.number(rank.earned));
      setText(row.share, total ? i18n.percentage.format(rank.earned / total) : '—');
    }
    reconcile(
      this.body,
      [...rows.values()].map(({ row }) => row),
    );
  }
}

/** @param {Rank} rank @returns {Row} */
function rowOf({ href, isName }) {
  const name = href === undefined ? element('span') : element('a');
  const [sub, bar] = [element('small'), element('div', { class: 'rank-bar' })];
  const [amount, share] = [element('td'), element('td')];
  const head = element('th', { scope: 'row', translate: isName ? 'no' : 'yes' }, name, ' ', sub);
  const row = element('tr', {}, head, element('td', {}, bar), amount, share);
  return { row, name, sub, bar, amount, share };
}

/** A table of names by what they earned. Rows are updated in place: a refresh takes neither the focus nor the place of a row that stays. */

import { write } from './dom.js';
import { reconcile } from './reconcile.js';

/** @typedef {{key: string, words: string, earned: number, isName?: boolean, sub?: string, href?: string}} Rank */
/** @typedef {{element: HTMLTableRowElement, name: HTMLElement, sub: HTMLElement, bar: HTMLElement, amount: HTMLElement, share: HTMLElement}} Row */

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

  /** @param {Rank[]} ranks the first one earned most @param {number} total @param {import('../i18n/i18n.js').Speech} speech */
  paint(ranks, total, speech) {
    const most = ranks[0]?.earned ?? 0;
    const longest = Math.max(6, ...ranks.map(({ earned }) => speech.number(earned).length));
    this.body.style.setProperty('--amount', String(longest));
    const rows = new Map(ranks.map((rank) => [rank.key, this.#rows.get(rank.key) ?? rowOf(rank)]));
    this.#rows = rows;
    for (const rank of ranks) {
      const row = /** @type {Row} */ (rows.get(rank.key));
      write(row.name, rank.words);
      if (row.name instanceof HTMLAnchorElement) row.name.href = rank.href ?? '';
      write(row.sub, rank.sub ?? '');
      row.bar.style.setProperty('--share', String(most ? (rank.earned / most) * 100 : 0));
      write(row.amount, speech.number(rank.earned));
      write(row.share, total ? speech.percentage.format(rank.earned / total) : '—');
    }
    reconcile(
      this.body,
      [...rows.values()].map(({ element }) => element),
    );
  }
}

/** @param {Rank} rank @returns {Row} */
function rowOf({ href, isName }) {
  const element = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.translate = !isName;
  const name = document.createElement(href === undefined ? 'span' : 'a');
  const [sub, bar, amount, share] = [
    document.createElement('small'),
    document.createElement('div'),
    document.createElement('td'),
    document.createElement('td'),
  ];
  head.append(name, ' ', sub);
  bar.className = 'rank-bar';
  const barCell = document.createElement('td');
  barCell.append(bar);
  element.append(head, barCell, amount, share);
  return { element, name, sub, bar, amount, share };
}

/**
 * The table of the analytics view. Headings are buttons that order it; rows keep their elements, so a refresh takes neither the focus nor the
 * place of the reader.
 */

import { hrefOf } from '../router.js';
import { changeOf, rateOf, sorted } from '../state/report_rows.js';
import { html, setData, setName, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';
import { pointAt, showIncome, showParts } from './why_link.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('../state/report_rows.js').Row} Row */
/** @typedef {import('../state/report_rows.js').Order} Order */
/** @typedef {import('../state/report_rows.js').Column} Column */
/**
 * @typedef {object} Words what the table needs to write a row
 * @property {(row: Row) => {name: string, sub: string, isName: boolean, href: string}} nameOf
 * @property {(tokens: number) => string} money empty where no currency is known
 * @property {boolean} hasMoney
 * @property {import('./why_link.js').Reasons} reasons of the report's total
 * @property {(part: import('../state/report_rows.js').Part, row: Row) => string} partName of a feed in which a row was earned
 * @property {I18n} i18n
 */
/** @typedef {{row: HTMLTableRowElement, name: HTMLElement, sub: HTMLElement, parts: {list: HTMLElement, rest: HTMLElement}, trend: SVGElement, cells: Record<string, HTMLElement>}} Parts */

const CELLS = ['earned', 'money', 'change', 'hours', 'rate', 'doubt'];
const SVG = 'http://www.w3.org/2000/svg';
const [TREND_WIDTH, TREND_HEIGHT] = [96, 22];
/** How long before and after a doubtful reading the explanation of it looks. */
const WHY_SECONDS = 300;
/** Of what a row earned: more than this share unsettled is worth a look. */
const MUCH_DOUBT = 0.05;

export class ReportTable {
  /** @type {Map<string, Parts>} */
  #rows = new Map();
  #body;
  #foot;

  /** @param {HTMLElement} table with headings and an empty body and foot @param {(column: Column) => void} onOrder */
  constructor(table, onOrder) {
    this.table = table;
    this.#body = html('#analytics-rows');
    this.#foot = html('#analytics-sum');
    table.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('button[data-column]') : null;
      if (button instanceof HTMLElement) onOrder(/** @type {Column} */ (button.dataset.column));
    });
  }

  clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#foot.replaceChildren();
  }

  /** @param {Row[]} rows @param {Order} order @param {Words} words @param {string} nameHeading */
  paint(rows, order, words, nameHeading) {
    this.table.toggleAttribute('data-money', words.hasMoney);
    for (const button of this.table.querySelectorAll('button[data-column]')) {
      const { column } = /** @type {HTMLElement} */ (button).dataset;
      const isOrder = column === order.column;
      button
        .closest('th')
        ?.setAttribute('aria-sort', isOrder ? (order.descending ? 'descending' : 'ascending') : 'none');
      if (column === 'name') setText(button, nameHeading);
    }
    const most = Math.max(0, ...rows.flatMap(({ steps }) => steps));
    const inOrder = sorted(rows, order, (row) => words.nameOf(row).name);
    this.#rows = new Map(
      inOrder.map((row) => [`${row.by}\n${row.key}`, this.#rows.get(`${row.by}\n${row.key}`) ?? create()]),
    );
    for (const row of inOrder)
      paintRow(/** @type {Parts} */ (this.#rows.get(`${row.by}\n${row.key}`)), row, most, words);
    reconcile(
      this.#body,
      [...this.#rows.values()].map(({ row }) => row),
    );
  }

  /** @param {{earned: number, before: number | null, onAirSeconds: number, paced: number, unsettled: number, setAside: number}} sum @param {Words} words */
  paintSum({ earned, before, onAirSeconds, paced, unsettled, setAside }, { i18n, money, reasons }) {
    const rate = rateOf(paced, onAirSeconds);
    /** @type {{text: string, reasons?: import('./why_link.js').Reasons | null}[]} */
    const texts = [
      { text: i18n.number(earned), reasons },
      { text: money(earned), reasons },
      { text: i18n.change(changeOf(earned, before)) },
      { text: i18n.hours(onAirSeconds / 3600) },
      { text: rateText(rate, i18n), reasons: rate === null ? null : reasons },
      { text: doubtText(unsettled, setAside, i18n), reasons },
    ];
    if (!this.#foot.firstElementChild) {
      const cells = CELLS.map((name) => element('td', { class: `col-${name}` }));
      this.#foot.append(
        element('tr', {}, element('th', { scope: 'row' }), element('td', { class: 'col-trend' }), ...cells),
      );
    }
    const [head, , ...cells] = /** @type {HTMLElement[]} */ ([...(this.#foot.firstElementChild?.children ?? [])]);
    if (head) setText(head, i18n.t('table_sum'));
    for (const [i, cell] of cells.entries()) showParts(cell, [texts[i] ?? { text: '' }], i18n, location.search);
  }
}

/** @returns {Parts} */
function create() {
  const [name, sub] = [element('a'), element('small')];
  const parts = { list: element('span', { class: 'row-parts' }), rest: element('small') };
  const trend = document.createElementNS(SVG, 'svg');
  for (const [key, value] of Object.entries({
    class: 'trend-bars',
    viewBox: `0 0 ${TREND_WIDTH} ${TREND_HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  }))
    trend.setAttribute(key, value);
  trend.append(document.createElementNS(SVG, 'path'));
  const cells = Object.fromEntries(CELLS.map((cell) => [cell, element('td', { class: `col-${cell}` })]));
  const row = element(
    'tr',
    {},
    element('th', { scope: 'row' }, name, ' ', sub, parts.list, parts.rest),
    element('td', { class: 'col-trend' }, trend),
    ...Object.values(cells),
  );
  return { row, name, sub, parts, trend, cells };
}

/** @param {Parts} parts @param {Row} row @param {number} most of all rows in a step @param {Words} words */
function paintRow({ name, sub, parts, trend, cells }, row, most, words) {
  const { nameOf, money, i18n } = words;
  const reasons = reasonsOf(row, words.reasons);
  const { name: text, sub: beside, isName, href } = nameOf(row);
  setName(name, text);
  name.setAttribute('translate', isName ? 'no' : 'yes');
  if (href && name.getAttribute('href') !== href) name.setAttribute('href', href);
  if (!href) name.removeAttribute('href');
  setText(sub, beside);
  paintParts(parts, row, words);
  trend.firstElementChild?.setAttribute('d', trendPath(row.steps, most));
  const change = changeOf(row.earned, row.before);
  const cell = (/** @type {string} */ of) => /** @type {HTMLElement} */ (cells[of]);
  setText(cell('change'), i18n.change(change));
  setText(cell('hours'), row.onAirSeconds ? i18n.hours(row.onAirSeconds / 3600) : '—');
  const options = { name: text, search: location.search };
  showIncome(cell('earned'), i18n.number(row.earned), reasons, i18n, options);
  showIncome(cell('money'), money(row.earned), reasons, i18n, options);
  showIncome(cell('rate'), rateText(row.rate, i18n), row.rate === null ? null : reasons, i18n, options);
  setData(
    /** @type {HTMLElement} */ (cells.change),
    'way',
    change === null || Math.abs(change) < 0.005 ? '' : change > 0 ? 'up' : 'down',
  );
  paintDoubt(cell('doubt'), row, i18n);
  setData(cell('doubt'), 'much', row.unsettled > MUCH_DOUBT * row.earned ? 'yes' : '');
}

/** What explains the income of a row: the readings of its feed, or the feeds of which it is the sum. @param {Row} row @param {import('./why_link.js').Reasons} of the report */
function reasonsOf(row, { from, to, feeds: all = null }) {
  const account = row.by === 'account' ? { account: row.id, platform: row.platform } : {};
  const isNamed = isOneFeed(row) || row.by === 'room';
  const ofPlatform = row.by === 'platform' && all ? all.filter(({ platform }) => platform === row.id) : null;
  const feeds = isNamed ? row.parts : ofPlatform;
  return { from, to, feeds, ...(row.by === 'platform' ? { platform: row.id } : {}), ...account };
}

/** @param {Row} row */
const isOneFeed = ({ parts, otherParts }) => parts.length === 1 && otherParts === 0;

/** The income of each of several feeds, as links to the readings. @param {Parts['parts']} parts @param {Row} row @param {Words} words */
function paintParts({ list, rest }, row, { reasons, partName, i18n }) {
  const shown = isOneFeed(row) ? [] : row.parts.filter(({ earned }) => earned > 0);
  const { from, to, account } = reasonsOf(row, reasons);
  const ofAccount = account === undefined ? {} : { account };
  while (list.children.length > shown.length) list.lastElementChild?.remove();
  for (const [i, part] of shown.entries()) {
    const link = /** @type {HTMLElement} */ (list.children[i] ?? element('a', { 'data-income': '' }));
    if (link.parentElement !== list) list.append(link);
    pointAt(link, { from, to, feeds: [part], ...ofAccount }, location.search);
    setText(link, `${partName(part, row)} ${i18n.number(part.earned)}`);
  }
  const others = row.earned - row.parts.reduce((sum, { earned }) => sum + earned, 0);
  const hasRest = shown.length > 0 && row.otherParts > 0;
  const words = hasRest ? `${i18n.t('needs_more', { count: row.otherParts })} ${i18n.number(others)}` : '';
  showParts(rest, [{ text: words, reasons: hasRest ? reasonsOf(row, reasons) : null }], i18n, location.search);
}

/** The unsettled tokens and the numbers set aside, as a link to the explanation of its first moment. @param {HTMLElement} cell @param {Row} row @param {I18n} i18n */
function paintDoubt(cell, row, i18n) {
  const first = row.firstUnsettled ?? row.firstSetAside;
  const words = doubtText(row.unsettled, row.setAside, i18n);
  if (!first) return cell.replaceChildren(words);
  const { room_id: room, platform, at } = first;
  const href = hrefOf({ view: 'why', room, platform, from: at - WHY_SECONDS, to: at + WHY_SECONDS }, location.search);
  const present = cell.firstElementChild;
  const link = present instanceof HTMLAnchorElement ? present : element('a');
  link.href = href;
  setText(link, words);
  link.title = i18n.t('report_first', { time: i18n.moment.format(at * 1000) });
  if (link !== present) cell.replaceChildren(link);
}

/** @param {number} unsettled @param {number} setAside @param {I18n} i18n */
function doubtText(unsettled, setAside, i18n) {
  return [
    ...(unsettled ? [i18n.number(unsettled)] : []),
    ...(setAside ? [i18n.t('set_aside_short', { count: setAside })] : []),
  ].join(' · ');
}

/** @param {number | null} rate @param {I18n} i18n */
const rateText = (rate, i18n) => i18n.number(rate === null ? null : Math.round(rate));

/** Bars of the steps, on the scale of all rows. @param {number[]} steps @param {number} most */
function trendPath(steps, most) {
  const slot = TREND_WIDTH / Math.max(1, steps.length);
  return steps
    .map((value, i) => {
      if (value <= 0 || most <= 0) return '';
      const tall = Math.max(1, (value / most) * TREND_HEIGHT);
      return `M${(i * slot).toFixed(2)} ${TREND_HEIGHT}v${(-tall).toFixed(2)}h${(slot * 0.8).toFixed(2)}v${tall.toFixed(2)}z`;
    })
    .join('');
}

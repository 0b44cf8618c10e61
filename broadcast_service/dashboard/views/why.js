/** How the income of a room in a span was calculated: the readings, counted or set aside, each with its rule in words. */

import { hrefOf } from '../router.js';
import { areTwoDesks, csvOf, isOdd, ofAccount, rowsOf, sentencesOf, widerThan } from '../state/explanation.js';
import { rateOf } from '../state/report_rows.js';
import { find, html, setFigure, setText } from '../ui/dom.js';
import { element } from '../ui/element.js';
import { replaceRows } from '../ui/reconcile.js';
import { ReportPage } from '../ui/report_page.js';
import { spanWords } from '../ui/span_words.js';

/** @typedef {import('../router.js').WhyRoute} WhyRoute */
/** @typedef {import('../link/api.js').Explanation} Explanation */
/** @typedef {import('../link/api.js').Line} Line */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */

const HOUR = 3600;
/** Figures of the page and of an explanation. */
const FIGURES = /** @type {const} */ (['earned', 'between_sessions', 'unsettled', 'set_aside', 'falls']);

/** @typedef {{explanation: Explanation, seconds: number}} Data `seconds` on air; 0 where they are not known */

/** @extends {ReportPage<WhyRoute, Data>} */
export class WhyView extends ReportPage {
  #body = html('#why-rows');
  #oddOnly = find(document, '#why-odd', HTMLInputElement);

  /**
   * @param {import('../link/api.js').Api} api @param {() => import('../ui/moment.js').Moment} moment
   * @param {(account: string | null, platform: string) => string} nameOf the name of an account @param {(room: string) => string} roomName
   */
  constructor(api, moment, nameOf, roomName) {
    super('why', moment, ['readings', 'print']);
    this.api = api;
    this.nameOf = nameOf;
    this.roomName = roomName;
    this.#oddOnly.addEventListener('change', () => this.reset());
  }

  /** @override */
  erase() {
    this.#body.replaceChildren();
  }

  /** @override @param {WhyRoute} route @returns {Promise<Data>} */
  async load(route) {
    const { room, platform, from, to, account } = route;
    const [start, end] = [Math.floor(from / 60) * 60, Math.ceil(to / 60) * 60];
    const narrow = { rooms: room, platforms: platform };
    const [found, report] = await Promise.all([
      this.api.explain(room, platform, route),
      this.api.analytics({ from: start, to: end, step: end - start }, narrow).catch(() => null),
    ]);
    const row = account === undefined ? report : report?.accounts?.find((one) => (one.account ?? '') === account);
    const explanation = account === undefined ? found : ofAccount(found, account);
    return { explanation, seconds: row?.on_air_seconds ?? 0 };
  }

  /** @override @param {WhyRoute} _route @param {Data} data */
  textOf(_route, { explanation }) {
    return csvOf(explanation);
  }

  /** @override @param {WhyRoute} route */
  fileName({ room, platform, from }) {
    return `why-${room}-${platform}-${from}.csv`;
  }

  /** @override @param {WhyRoute} route */
  drawHead(route) {
    const { i18n, nowMs } = this.moment();
    const { room, platform, from, to } = route;
    const links = /** @type {const} */ ({
      back: { view: 'room', room, platform },
      earlier: { ...route, from: Math.max(0, from - (to - from)), to: from },
      later: { ...route, from: to, to: to + (to - from) },
      wider: { ...route, ...widerThan(from, to, i18n.zone) },
    });
    for (const [name, target] of Object.entries(links))
      find(document, `#why-${name}`, HTMLAnchorElement).href = hrefOf(target, location.search);
    html('#why-later').hidden = to * 1000 > nowMs - 60_000; // nothing is known of the future
    setText(html('#why-room'), this.roomName(room));
    const account = route.account === undefined ? '' : this.nameOf(route.account || null, platform);
    setText(html('#why-platform'), [platform, account].filter(Boolean).join(' · '));
    setText(html('#why-span'), i18n.t('why_span', spanWords(from * 1000, to * 1000, i18n)));
  }

  /** @override @param {Data} data */
  draw({ explanation, seconds }) {
    const { i18n } = this.moment();
    const rate = rateOf(explanation.earned - explanation.between_sessions, seconds);
    const pace = { amount: Math.round(rate ?? 0), span: i18n.hours(seconds / HOUR) };
    setText(html('#why-pace'), rate === null ? '' : i18n.t('why_pace', pace));
    const isKnown = explanation.lines.length + explanation.omitted > 0;
    for (const name of FIGURES) setFigure(html(`#why-${name}`), isKnown ? explanation[name] : null, i18n);
    html('#why-desks').hidden = !areTwoDesks(explanation);
    const odd = explanation.lines.filter(isOdd).length;
    html('#why-odd-count').hidden = !isKnown;
    setText(html('#why-odd-count'), i18n.t('why_odd', { count: odd }));
    html('#why-odd-only').hidden = odd === 0 && !this.#oddOnly.checked;
    const rows = rowsOf(explanation, (ms) => i18n.weekday.format(ms), this.#oddOnly.checked);
    replaceRows(
      this.#body,
      rows.map((row) => {
        if (row.kind === 'day') return divider('day', i18n.weekday.format(row.atMs));
        if (row.kind === 'pause')
          return divider('pause', i18n.t('why_pause', { span: i18n.span((row.toMs - row.fromMs) / 1000) }));
        if (row.kind === 'account')
          return divider('account', i18n.t('why_account', { account: this.nameOf(row.account, explanation.platform) }));
        return this.#lineOf(row.line, explanation, i18n);
      }),
    );
    html('#why-empty').hidden = rows.length > 0;
    setText(html('#why-empty'), i18n.t(explanation.lines.length > 0 ? 'why_nothing_odd' : 'why_nothing'));
    html('#why-omitted').hidden = explanation.omitted === 0;
    setText(html('#why-omitted'), i18n.t('why_omitted', { count: explanation.omitted }));
  }

  /** @param {Line} line @param {Explanation} explanation @param {I18n} i18n */
  #lineOf(line, { room_id: room, platform, merged_seconds: merged }, i18n) {
    const account = this.route?.account;
    const many = (line.readings ?? 1) > 1;
    const clock = merged && many ? i18n.hour : i18n.clock;
    const time = many ? `${clock.format(line.from_ms)} – ${clock.format(line.at_ms)}` : clock.format(line.at_ms);
    const [from, to] = [Math.floor(line.from_ms / 60_000) * 60, Math.floor(line.at_ms / 60_000) * 60 + 60];
    const narrowed = account === undefined ? {} : { account };
    const href = hrefOf({ view: 'why', room, platform, from, to, ...narrowed }, location.search);
    const words = merged ? element('a', { href }, time) : time;
    const sentences = sentencesOf(line).map(({ key, values, spanMs = 0 }, i) =>
      element('p', i > 0 ? { class: 'why-doubt' } : {}, i18n.t(key, { ...values, span: i18n.span(spanMs / 1000) })),
    );
    return element(
      'tr',
      { 'data-verdict': isOdd(line) && line.verdict === 'income' ? 'confirmed' : line.verdict },
      element('th', { scope: 'row' }, words),
      element('td', { class: 'why-words' }, ...sentences),
      element('td', { class: 'why-balance' }, i18n.number(line.balance)),
      element('td', { class: 'why-counted' }, line.earned ? `+${i18n.number(line.earned)}` : '—'),
    );
  }
}

/** @param {'day' | 'pause' | 'account'} kind @param {string} words */
function divider(kind, words) {
  return element('tr', { 'data-row': kind }, element('td', { colspan: '4' }, words));
}

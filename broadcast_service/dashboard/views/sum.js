/** What a figure of several rooms consists of: each room with its income, which add up to the figure, and a link to the readings of each. */

import { readFeeds } from '../router.js';
import { rateOf } from '../state/report_rows.js';
import { localTime, MACHINE, requestOf, sumOf, textOfSum } from '../state/sum_parts.js';
import { zoneOrOwn } from '../state/zone.js';
import { html, setFigure, setText } from '../ui/dom.js';
import { element } from '../ui/element.js';
import { replaceRows } from '../ui/reconcile.js';
import { ReportPage } from '../ui/report_page.js';
import { meanPerHour } from '../ui/scales.js';
import { spanWords } from '../ui/span_words.js';
import { pointAt, showIncome } from '../ui/why_link.js';

/** @typedef {import('../router.js').SumRoute} SumRoute */
/** @typedef {import('../link/api.js').PeriodReport} PeriodReport */
/** @typedef {import('../state/sum_parts.js').Sum} Sum */
/** @typedef {import('../state/sum_parts.js').Part} Part */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */

const HOUR = 3600;
/** Of the columns of a file. */
const HEADS = /** @type {import('../i18n/i18n.js').MessageKey[]} */ (
  'column_room platform range_from range_to tokens_head why_unsettled why_set_aside'.split(' ')
);

/** @extends {ReportPage<SumRoute, PeriodReport>} */
export class SumView extends ReportPage {
  #body = html('#sum-rows');
  #foot = html('#sum-total');

  /**
   * @param {import('../link/api.js').Api} api @param {() => import('../ui/moment.js').Moment} moment @param {import('../state/studio.js').StudioFacts} facts
   * @param {(account: string | null, platform: string) => string} nameOf the name of an account
   */
  constructor(api, moment, facts, nameOf) {
    super('sum', moment, ['sheet', 'csv', 'print']);
    this.api = api;
    this.facts = facts;
    this.nameOf = nameOf;
  }

  /** @override */
  erase() {
    this.#body.replaceChildren();
    this.#foot.replaceChildren();
  }

  /** @override @param {SumRoute} route */
  load(route) {
    return this.api.report(requestOf(route, this.facts.zone));
  }

  /** @override @param {SumRoute} route @param {PeriodReport} data @param {import('../ui/export_menu.js').ExportKind} kind */
  textOf(route, data, kind) {
    return textOfSum(sumOf(data, route).parts, kind === 'sheet' ? this.#sheet() : MACHINE);
  }

  /** How a spreadsheet that is set to Spanish reads text: named columns, local times, semicolons. @returns {import('../state/sum_parts.js').Format} */
  #sheet() {
    const { i18n } = this.moment();
    const head = HEADS.map((key) => i18n.t(key));
    const zone = zoneOrOwn(this.facts.zone) || undefined;
    return { mark: '\uFEFF', separator: ';', head, moment: (seconds) => localTime(seconds, zone) };
  }

  /** @override @param {SumRoute} route @param {import('../ui/export_menu.js').ExportKind} kind */
  fileName({ from }, kind) {
    return `sum-${from}${kind === 'csv' ? '-utc' : ''}.csv`;
  }

  /** @override @param {SumRoute} route */
  drawHead(route) {
    const { i18n } = this.moment();
    setText(html('#sum-name'), this.#nameOf(route, i18n));
    setText(html('#sum-span'), i18n.t('why_span', spanWords(route.from * 1000, route.to * 1000, i18n)));
  }

  /** @param {SumRoute} route @param {I18n} i18n */
  #nameOf({ feeds = '', platform = '', account }, i18n) {
    if (account !== undefined) return [this.nameOf(account || null, platform), platform].filter(Boolean).join(' · ');
    const named = readFeeds(feeds);
    const [only] = named;
    if (only && named.length === 1) return `${this.facts.roomName(only.room)} · ${only.platform}`;
    if (only) return i18n.t('shown', { count: named.length });
    return platform || i18n.t('all_rooms');
  }

  /** @override @param {PeriodReport} data @param {SumRoute} route */
  draw(data, route) {
    const { i18n } = this.moment();
    const sum = sumOf(data, route);
    const { total } = sum;
    const minutes = (data.measured_minutes ?? []).reduce((all, count) => all + count, 0);
    const isKnown = minutes > 0 || total.earned > 0;
    const { perHour } = meanPerHour({
      ...{ from: data.from, step: data.to - data.from, earned: [total.earned], measured_minutes: [minutes] },
      between_sessions: total.betweenSessions,
    });
    const figures = {
      earned: isKnown ? total.earned : null,
      rate: perHour === null ? null : Math.round(perHour),
      between: isKnown ? total.betweenSessions : null,
      unsettled: isKnown ? total.unsettled : null,
      'set-aside': isKnown ? total.setAside : null,
    };
    for (const [name, value] of Object.entries(figures)) setFigure(html(`#sum-${name}`), value, i18n);
    const worth = isKnown ? this.facts.worth(total.earned) : null;
    setText(html('#sum-money'), worth ? i18n.money(worth) : '');
    setText(html('#sum-measured'), minutes ? i18n.t('per_hour_sub', { span: i18n.hours(minutes / 60) }) : '');
    setText(html('#sum-lead'), i18n.t(sum.isByTime ? 'sum_lead_months' : 'sum_lead'));
    setText(html('#sum-of'), i18n.t(sum.isByTime ? 'period_month' : 'column_room'));
    this.#drawRows(sum, i18n);
    html('#sum-table').hidden = sum.parts.length === 0;
    html('#sum-empty').hidden = sum.parts.length > 0;
    setText(html('#sum-empty'), i18n.t(isKnown ? 'sum_nothing' : 'sum_unknown'));
    const rest = html('#sum-rest');
    rest.hidden = sum.idle + sum.others.count === 0;
    const more = { count: sum.others.count, amount: sum.others.earned };
    setText(rest, sum.others.count > 0 ? i18n.t('sum_others', more) : i18n.t('sum_idle', { count: sum.idle }));
  }

  /** @param {Sum} sum @param {I18n} i18n */
  #drawRows({ parts, total }, i18n) {
    replaceRows(
      this.#body,
      parts.map((part) => this.#row(part, i18n)),
    );
    this.#foot.replaceChildren(
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, i18n.t('table_sum')),
        element('td', {}),
        element('td', {}, i18n.number(total.earned)),
        ...paceCells(total.earned - total.betweenSessions, total.onAirSeconds || null, i18n).map((cell) =>
          element('td', {}, cell),
        ),
        element('td', {}, total.unsettled ? i18n.number(total.unsettled) : '—'),
        element('td', {}, total.setAside ? i18n.number(total.setAside) : '—'),
      ),
    );
  }

  /** @param {Part} part @param {I18n} i18n */
  #row(part, i18n) {
    const { room, platform, from, to, earned, isKnown, betweenSessions, onAirSeconds, unsettled, setAside } = part;
    const account = this.route?.account;
    const reasons = { from, to, feeds: [{ room, platform }], ...(account === undefined ? {} : { account }) };
    const isMonth = to - from < (this.route?.to ?? 0) - (this.route?.from ?? 0) - 60;
    const words = isMonth ? this.#monthOf(from, i18n) : this.facts.roomName(room);
    const name = element('a', { translate: isMonth ? 'yes' : 'no' }, words);
    pointAt(name, isKnown ? reasons : null, location.search);
    const income = (/** @type {string} */ text) => {
      const cell = element('td');
      showIncome(cell, text, text === '—' ? null : reasons, i18n, { name: words, search: location.search });
      return cell;
    };
    const [hours, rate] = paceCells(earned - betweenSessions, onAirSeconds, i18n);
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      element('td', { translate: 'no' }, platform),
      income(i18n.number(isKnown ? earned : null)),
      element('td', {}, hours ?? '—'),
      income(rate ?? '—'),
      income(unsettled ? i18n.number(unsettled) : '—'),
      income(setAside ? i18n.number(setAside) : '—'),
    );
  }

  /** @param {number} from @param {I18n} i18n */
  #monthOf(from, i18n) {
    const zone = this.loader.data?.timezone || i18n.zone || undefined;
    return new Intl.DateTimeFormat(i18n.locale, { month: 'long', year: 'numeric', timeZone: zone }).format(from * 1000);
  }
}

/** Hours on air and tokens per hour; dashes where they are not known. @param {number} earned @param {number | null} seconds @param {I18n} i18n */
function paceCells(earned, seconds, i18n) {
  const rate = seconds === null ? null : rateOf(earned, seconds);
  return [seconds ? i18n.hours(seconds / HOUR) : '—', i18n.number(rate === null ? null : Math.round(rate))];
}

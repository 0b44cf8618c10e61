/** The studio's report of a period: income by room and account, over time, and compared with the equal period before. */

import { hrefOf } from '../router.js';
import { spanOf } from '../state/periods.js';
import { periodsOf, readChoice, requestOf, stepped, writeChoice } from '../state/report_periods.js';
import {
  BY,
  changeOf,
  comparable,
  damagedWords,
  reordered,
  rowsOf,
  secondsOnAir,
  seriesBy,
  stacked,
  startsOf,
  statesOf,
  wasMeasured,
} from '../state/report_rows.js';
import { zoneOrOwn } from '../state/zone.js';
import { find, html, setFigure, setHidden, setText } from '../ui/dom.js';
import { Fold } from '../ui/fold.js';
import { Hours } from '../ui/hours.js';
import { ReportLoader } from '../ui/report_loader.js';
import { ReportTable } from '../ui/report_table.js';
import { meanPerHour } from '../ui/scales.js';
import { renderChoices } from '../ui/segmented.js';
import { COLOURS, StackChart } from '../ui/stack_chart.js';
import { stepWords } from '../ui/step_words.js';
import { pointAt, showIncomeFigure, showParts, whyRoute } from '../ui/why_link.js';

/** @typedef {import('../link/api.js').PeriodReport} PeriodReport */
/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../state/report_rows.js').By} By */
/** @typedef {import('../state/report_rows.js').Row} Row */
/** @typedef {import('../ui/report_table.js').Words} Words */
/** @typedef {{report: PeriodReport, before: PeriodReport | null, week: Report, series: PeriodReport}} Loaded `series` has the steps of what the bars consist of */
/** @typedef {import('../state/studio.js').StudioFacts} Facts */
/** @typedef {import('../ui/export_menu.js').ExportKind} ExportKind */

const HOUR = 3600;
/** A report takes much longer to make than the live view's numbers, and changes less. */
const REFRESH_MS = 120_000;
const ROOMS_AT_FIRST = 50;
/** What the figures of income above the chart are called. @type {Record<string, import('../i18n/i18n.js').MessageKey>} */
const FACT_NAMES = { total: 'total_earned', rate: 'per_hour', unsettled: 'why_unsettled' };

export class AnalyticsView {
  #section = html('#analytics');
  #chart = new StackChart(html('#analytics-chart'), html('#analytics-legend'));
  #form = find(document, '#analytics-form', HTMLFormElement);
  #from = find(document, '#analytics-from', HTMLInputElement);
  #to = find(document, '#analytics-to', HTMLInputElement);
  #table;
  #hours = new Hours(html('#analytics-hours'));
  #choice = readChoice(new URLSearchParams());
  #platform = '';
  /** @type {By} */
  #by = 'room';
  /** @type {import('../state/report_rows.js').Order} */
  #order = { column: 'earned', descending: true };
  #allRows = false;
  #fold;
  /** @type {string[]} platforms to choose from */
  #known = [];
  /** @type {ReportLoader<Loaded>} */
  #loader;

  /**
   * @param {import('../link/api.js').Api} api @param {() => import('../ui/moment.js').Moment} moment @param {Facts} facts
   * @param {(change: (query: URLSearchParams) => void) => void} onChoice changes the address
   * @param {import('../state/storage.js').SafeStorage} settings
   */
  constructor(api, moment, facts, onChoice, settings) {
    this.api = api;
    this.moment = moment;
    this.facts = facts;
    this.onChoice = onChoice;
    this.#table = new ReportTable(html('#analytics-table'), (column) => {
      this.#order = reordered(this.#order, column);
      this.#paint();
    });
    this.#loader = new ReportLoader({
      name: 'analytics',
      body: html('#analytics-body'),
      moment,
      refreshMs: REFRESH_MS,
      key: () => JSON.stringify([this.#choice, this.#platform, this.#by, this.#zone]),
      load: () => this.#load(),
      kinds: ['xlsx', 'sheet', 'csv', 'print'],
      loadFile: (kind) => this.#file(kind),
      fileName: (kind) => this.#fileName(kind),
      onStart: () => this.#renderChoices(),
      onLoaded: ({ week }) => {
        if (!this.#platform) this.#known = week.platforms.map(({ platform }) => platform).sort();
        this.#paint();
      },
      erase: () => this.#erase(),
    });
    this.#fold = new Fold('analytics', settings, (name) => this.#choose({ name, value: '' }));
    this.#form.addEventListener('input', (event) => this.#choose(/** @type {HTMLInputElement} */ (event.target)));
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    html('#analytics-by').addEventListener('input', (event) => {
      this.#by = BY.find((by) => by === /** @type {HTMLInputElement} */ (event.target).value) ?? 'room';
      this.#changed();
    });
    for (const [id, by] of /** @type {const} */ ([
      ['#analytics-earlier', 1],
      ['#analytics-later', -1],
    ]))
      html(id).addEventListener('click', () => {
        this.#choice = stepped(this.#choice, by) ?? this.#choice;
        this.#changed();
      });
    html('#analytics-all').addEventListener('click', () => {
      this.#allRows = true;
      this.#paint();
    });
  }

  /** @param {boolean} shown @param {URLSearchParams} query */
  show(shown, query) {
    this.#section.hidden = !shown;
    if (!shown) return this.#loader.stop();
    this.#choice = readChoice(query);
    this.#platform = query.get('of') ?? '';
    this.#by = BY.find((by) => by === query.get('by')) ?? 'room';
    this.#loader.start();
  }

  /** The language, or what the studio's file says, changed. */
  reset() {
    if (this.#section.hidden) return;
    this.#loader.reset();
    this.#paint();
  }

  /** The server answers again. */
  recover() {
    this.#loader.recover();
  }

  /** Removes everything of the rooms: another access may not see them. */
  clear() {
    this.#loader.clear();
    this.#known = [];
    this.#erase();
  }

  #erase() {
    this.#chart.clear();
    this.#table.clear();
    this.#hours.clear();
  }

  /** @param {{name: string, value: string}} input */
  #choose(input) {
    if (input.name === 'of') this.#platform = input.value;
    else if (input.name === 'shift')
      this.#choice = { period: 'shift', from: '', to: '', back: 0, ...(input.value ? { shift: input.value } : {}) };
    else if (input.name === 'period') {
      const period = periodsOf(true).find((known) => known === input.value) ?? 'day';
      const [from, to] = [this.#from.value, this.#to.value];
      this.#choice = { period, from, to, back: 0 };
      if (period === 'range' && !(from && to)) return this.#offerRange();
    } else {
      if (!this.#from.value || !this.#to.value || this.#from.value > this.#to.value) return;
      this.#choice = { period: 'range', from: this.#from.value, to: this.#to.value, back: 0 };
    }
    this.#changed();
  }

  /** A range begins as the dates of the report that is shown. */
  #offerRange() {
    const shown = this.#loader.data?.report;
    const zone = shown?.timezone ?? this.#zone;
    const date = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone || undefined,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    const [from, to] = shown
      ? [shown.from, Math.min(shown.to, this.moment().nowMs / 1000) - 1]
      : [this.moment().nowMs / 1000, this.moment().nowMs / 1000];
    this.#choice = {
      period: 'range',
      from: date.format(from * 1000),
      to: date.format(Math.max(from, to) * 1000),
      back: 0,
    };
    this.#changed();
  }

  #changed() {
    this.#allRows = false;
    this.onChoice((query) => {
      writeChoice(this.#choice, query);
      for (const [name, value, unsaid] of [
        ['of', this.#platform, ''],
        ['by', this.#by, 'room'],
      ])
        if (name && value && value !== unsaid) query.set(name, value);
        else query.delete(/** @type {string} */ (name));
    });
    void this.#loader.load();
  }

  get #zone() {
    return zoneOrOwn(this.facts.zone);
  }

  get #filter() {
    return this.#platform ? { platforms: this.#platform } : {};
  }

  /** @param {{before?: boolean}} [options] */
  #request(options) {
    return { ...requestOf(this.#choice, this.#zone, this.moment().nowMs, options), ...this.#filter };
  }

  /** @returns {Promise<Loaded>} */
  async #load() {
    const { nowMs } = this.moment();
    const [report, before, week] = await Promise.all([
      this.api.report({ ...this.#request(), by: this.#by }),
      this.api.report({ ...this.#request({ before: true }), by: this.#by }).catch(() => null),
      this.api.analytics(spanOf('week', nowMs, HOUR, this.moment().i18n.zone), this.#filter),
    ]);
    return { report, before, week, series: await this.#loadSeries(report) };
  }

  /** The same report with the steps of what the bars consist of. @param {PeriodReport} report */
  async #loadSeries(report) {
    const by = seriesBy(report, this.#by, COLOURS);
    if (by === this.#by) return report;
    const found = await this.api.report({ ...this.#request(), by }).catch(() => null);
    return found?.from === report.from && found.to === report.to ? found : report;
  }

  /** @param {ExportKind} kind */
  #file(kind) {
    const format = kind === 'sheet' ? 'csv-local' : kind;
    return this.api.reportFile({ ...this.#request(), format, lang: this.moment().i18n.language });
  }

  /** @param {ExportKind} kind */
  #fileName(kind) {
    const report = this.#loader.data?.report;
    const date = new Intl.DateTimeFormat('en-CA', { timeZone: report?.timezone });
    const dates = report ? [report.from, report.to - 1].map((second) => date.format(second * 1000)) : [];
    return `${['studio-pulse', this.#choice.period, ...new Set(dates), ...(kind === 'csv' ? ['utc'] : [])].join('-')}.${kind === 'xlsx' ? kind : 'csv'}`;
  }

  #renderChoices() {
    const { i18n } = this.moment();
    renderChoices(
      html('#analytics-period'),
      'period',
      periodsOf(this.facts.hasShifts || this.#choice.period === 'shift').map((period) => ({
        value: period,
        words: i18n.t(`period_${period}`),
      })),
      this.#choice.period,
    );
    renderChoices(
      html('#analytics-by'),
      'by',
      BY.map((by) => ({ value: by, words: i18n.t(`by_${by}`) })),
      this.#by,
    );
    const platforms = [...new Set([...this.#known, ...(this.#platform ? [this.#platform] : [])])];
    renderChoices(
      html('#analytics-platform'),
      'of',
      [{ value: '', words: i18n.t('all_platforms') }, ...platforms.map((value) => ({ value, words: value }))],
      this.#platform,
    );
    html('#analytics-platform').hidden = platforms.length < 2;
    this.#renderShifts(i18n);
    setHidden(html('#analytics-fold'), platforms.length < 2 && html('#analytics-shift').hidden === true);
    this.#fold.paint(
      Object.entries({ shift: this.#choice.shift ?? '', of: this.#platform }).flatMap(([name, words]) =>
        words ? { name, words } : [],
      ),
      i18n,
    );
    html('#analytics-range').hidden = this.#choice.period !== 'range';
    if (this.#choice.period === 'range') [this.#from.value, this.#to.value] = [this.#choice.from, this.#choice.to];
    for (const [id, by] of /** @type {const} */ ([
      ['#analytics-earlier', 1],
      ['#analytics-later', -1],
    ])) {
      const button = find(document, id, HTMLButtonElement);
      button.hidden = this.#choice.period === 'range';
      button.disabled = stepped(this.#choice, by) === null;
    }
  }

  /** Shifts of which one is chosen, where there are several: rooms may work different ones. @param {I18n} i18n */
  #renderShifts(i18n) {
    const { period, shift = '' } = this.#choice;
    const names = [...new Set([...this.facts.shiftNames, ...(shift ? [shift] : [])])];
    const root = html('#analytics-shift');
    root.hidden = period !== 'shift' || names.length < 2;
    if (root.hidden) return;
    const choices = [{ value: '', words: i18n.t('shift_latest') }, ...names.map((value) => ({ value, words: value }))];
    renderChoices(root, 'shift', choices, shift);
  }

  /** What the total of a report is of: with a shift, the feeds of the rooms that work it. @param {PeriodReport} report @returns {import('../ui/why_link.js').Reasons} */
  #reasons({ from, to, feeds }) {
    if (this.#choice.period !== 'shift') return { from, to, platform: this.#platform };
    return { from, to, feeds: feeds.map(({ room_id: room, platform }) => ({ room, platform })) };
  }

  #paint() {
    if (!this.#loader.data) return;
    const { i18n, nowMs } = this.moment();
    const { report, week, series } = this.#loader.data;
    const before = comparable(report, this.#loader.data.before);
    const rows = rowsOf(report, before, this.#by);
    const words = this.#words(report, i18n);
    const isKnown = wasMeasured(report);
    html('#analytics-empty').hidden = isKnown;
    for (const id of ['#analytics-chart', '#analytics-legend', '#analytics-table-panel']) html(id).hidden = !isKnown;
    this.#renderChoices();
    this.#paintFacts(report, before, words);
    const bars = series === report ? rows : rowsOf(series, null, 'platform');
    this.#paintChart(bars, series, before, nowMs, words);
    this.#paintTable(rows, report, before, words);
    html('#analytics-hours-panel').hidden = !wasMeasured(week);
    this.#hours.paint(week, nowMs, this.#platform, i18n);
  }

  /** @param {PeriodReport} report @param {I18n} i18n @returns {Words} */
  #words(report, i18n) {
    const facts = this.facts;
    const currency = facts.view?.currency ?? null;
    return {
      i18n,
      hasMoney: currency !== null,
      money: (tokens) => (currency ? i18n.money({ code: currency.code, amount: tokens * currency.per_token }) : ''),
      reasons: this.#reasons(report),
      nameOf: (row) => nameOf(row, facts, i18n),
      partName: ({ room, platform }, { by }) => (by === 'room' ? platform : facts.roomName(room)),
    };
  }

  /** @param {PeriodReport} report @param {PeriodReport | null} before @param {Words} words */
  #paintFacts(report, before, { i18n, money, reasons }) {
    const { perHour, minutes } = meanPerHour({ ...report, step: HOUR });
    const seconds = secondsOnAir(report);
    const change = changeOf(report.total, before?.total ?? null);
    const { unsettled = 0, set_aside: setAside = 0, between_sessions: between = 0 } = report;
    const isKnown = wasMeasured(report);
    const unknown = [{ text: i18n.t('not_measured') }];
    const earning = report.rooms.filter(({ earned }) => earned > 0).length;
    /** @type {Record<string, [number | null, {text: string, reasons?: import('../ui/why_link.js').Reasons | null}[]]>} */
    const figures = {
      total: [
        isKnown ? report.total : null,
        isKnown
          ? [
              { text: money(report.total), reasons },
              { text: change === null ? '' : i18n.t('versus_before', { change: i18n.change(change) }) },
              { text: i18n.t('rooms_earning', { count: earning }) },
            ]
          : unknown,
      ],
      rate: [
        perHour === null ? null : Math.round(perHour),
        minutes ? [{ text: i18n.t('per_hour_sub', { span: i18n.hours(minutes / 60) }) }] : unknown,
      ],
      air: [
        seconds ? Math.round(seconds / HOUR) : null,
        isKnown ? [{ text: i18n.t('kpi_live_of', { count: report.rooms.length }) }] : unknown,
      ],
      unsettled: [
        isKnown ? unsettled : null,
        isKnown
          ? [
              { text: setAside ? i18n.t('set_aside', { count: setAside }) : '', reasons },
              { text: between ? i18n.t('between_sessions', { amount: between }) : '', reasons },
            ]
          : unknown,
      ],
    };
    const search = location.search;
    for (const [name, [value, sub]] of Object.entries(figures)) {
      const figure = html(`#fact-${name}`);
      if (name === 'air') setFigure(figure, value, i18n);
      else {
        const hasNothing = name === 'unsettled' && value === 0; // no reading to lead to
        const options = { name: i18n.t(FACT_NAMES[name] ?? 'total_earned'), search };
        showIncomeFigure(figure, value, hasNothing ? null : reasons, i18n, options);
      }
      showParts(html(`#fact-${name}-sub`), sub, i18n, search);
    }
    html('#fact-total-why').hidden = !isKnown;
    pointAt(html('#fact-total-why'), reasons, search);
    const { span } = stepWords(report, this.#zone, i18n);
    const damaged = damagedWords(report, (room) => this.facts.roomName(room), i18n);
    setText(html('#analytics-span'), [span, damaged].filter(Boolean).join('. '));
  }

  /** @param {Row[]} rows @param {PeriodReport} report @param {PeriodReport | null} before @param {number} nowMs @param {Words} words */
  #paintChart(rows, report, before, nowMs, { i18n, nameOf: name }) {
    const { rows: shown, values, rest } = stacked(rows, report.earned, COLOURS);
    const parts = shown.map((row, i) => ({
      name: [name(row).name, row.platform].filter(Boolean).join(' · '),
      values: values[i] ?? [],
    }));
    if (rest) parts.push({ name: i18n.t('all_others'), values: rest });
    const isCalendar = typeof report.step === 'string';
    const title = i18n.t(isCalendar ? 'earned_day' : 'earned_hour');
    setText(html('#analytics-chart-title'), title);
    const { labels, moments } = stepWords(report, this.#zone, i18n);
    const knowsBefore = before?.measured_minutes?.some(Boolean) && startsOf(before).length > 1;
    this.#chart.show(
      {
        name: title,
        parts,
        totals: report.earned,
        states: statesOf(report, nowMs),
        before: knowsBefore && before ? before.earned.slice(0, report.earned.length) : null,
        beforeName: i18n.t('before'),
        labels,
        moments,
        hrefOf: (step) => this.#stepHref(report, step),
        beforeHrefOf: (step) => (before ? this.#stepHref(before, step) : ''),
      },
      i18n,
    );
  }

  /** What explains a step of a report. @param {PeriodReport} report @param {number} step */
  #stepHref(report, step) {
    const starts = startsOf(report);
    const [from = 0, to = 0] = [starts[step], starts[step + 1]].map((ms = 0) => ms / 1000);
    return hrefOf(whyRoute({ ...this.#reasons(report), from, to }), location.search);
  }

  /** @param {Row[]} rows @param {PeriodReport} report @param {PeriodReport | null} before @param {Words} words */
  #paintTable(rows, report, before, words) {
    const { i18n } = words;
    const shown = this.#allRows ? rows : rows.slice(0, ROOMS_AT_FIRST);
    this.#table.paint(shown, this.#order, words, i18n.t(`report_${this.#by}`));
    this.#table.paintSum(
      {
        earned: report.total,
        before: rows.some(({ before: earlier }) => earlier !== null) ? (before?.total ?? null) : null,
        onAirSeconds: rows.reduce((sum, { onAirSeconds }) => sum + onAirSeconds, 0),
        paced: report.total - (report.between_sessions ?? 0),
        unsettled: report.unsettled ?? 0,
        setAside: report.set_aside ?? 0,
      },
      words,
    );
    const more = html('#analytics-all');
    more.hidden = shown.length === rows.length;
    setText(more, i18n.t('show_rows', { count: rows.length }));
  }
}

/** @param {Row} row @param {Facts} facts @param {I18n} i18n */
function nameOf(row, facts, i18n) {
  if (row.by === 'platform') return { name: row.id, sub: '', isName: true, href: '' };
  if (row.by === 'room') {
    const name = facts.roomName(row.id);
    return { name, sub: name === row.id ? '' : row.id, isName: true, href: roomHref(row) };
  }
  const name = row.id ? facts.accountName(row.platform, row.id) : '';
  const sub = [row.platform, name ? row.id : ''].filter(Boolean).join(' · ');
  return { name: name || row.id || i18n.t('account_unknown'), sub, isName: row.id !== '', href: '' };
}

/** The room's page on the platform on which it earned most. @param {Row} row */
function roomHref({ id, feed }) {
  return feed ? hrefOf({ view: 'room', room: id, platform: feed }, location.search) : '';
}

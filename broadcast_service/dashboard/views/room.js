/** The page of one room on one platform: its numbers now, and a span of its past with accounts and shows. */

import { hrefOf } from '../router.js';
import { clockError } from '../state/lag.js';
import { CHARTED, COUNTS } from '../state/metrics.js';
import { PERIODS, periodNamed, spanOf } from '../state/periods.js';
import { comparable, wasMeasured } from '../state/report_rows.js';
import { marksOf, offAirMs, offAirOf, showsOf, stepsOf, weekBefore, weekLater, zoomedTo } from '../state/room_story.js';
import { feedKey, statusOf } from '../state/store.js';
import { zoneOrOwn } from '../state/zone.js';
import { clockText } from '../ui/clock_text.js';
import { find, html, setData, setFigure, setName, setText } from '../ui/dom.js';
import { element } from '../ui/element.js';
import { Lanes } from '../ui/lanes.js';
import { replaceRows } from '../ui/reconcile.js';
import { ReportPage } from '../ui/report_page.js';
import { meanPerHour, measuredPoints } from '../ui/scales.js';
import { renderChoices } from '../ui/segmented.js';
import { showIncome, showIncomeFigure, showParts, whyRoute } from '../ui/why_link.js';

/** @typedef {import('../state/periods.js').Period} Period */
/** @typedef {import('../ui/moment.js').Moment} Moment */
/** @typedef {import('../ui/export_menu.js').ExportKind} ExportKind */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../link/api.js').Point} Point */
/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('../link/api.js').RoomHistory} RoomHistory */
/** @typedef {{room: string, platform: string}} FeedName */
/** @typedef {{from: number, to: number}} Zoom Unix seconds */
/**
 * `explanation` is null where the server has none, and `before` where the week before could not be loaded.
 * @typedef {{history: RoomHistory, report: Report, explanation: import('../link/api.js').Explanation | null,
 *   before: {history: RoomHistory, report: Report} | null}} Data
 */

const QUARTER = 900;
const HOUR = 3600;
/** Less time on air gives no hourly rate. */
const PACE_SECONDS = 900;

/** @extends {ReportPage<FeedName, Data>} */
export class RoomView extends ReportPage {
  #section = html('#room');
  #periods = html('#room-period');
  #lanes = new Lanes(html('#room-lanes'), {
    onZoom: (fromMs, toMs) => this.#zoomInto(fromMs, toMs),
    onZoomOut: () => this.#setZoom(null),
  });
  /** @type {Period} */
  #period = 'day';
  /** @type {Zoom | null} */
  #zoom = null;
  /** The week before, which does not change: cached by its request. @type {{key: string, data: Data['before']} | null} */
  #before = null;
  #neighbours = '';

  /**
   * @param {import('../state/store.js').Store} store @param {import('../link/api.js').Api} api @param {() => Moment} moment
   * @param {(period: Period, zoom: Zoom | null) => void} onChoice
   * @param {(account: string | null, platform: string) => string} nameOf the name of an account
   */
  constructor(store, api, moment, onChoice, nameOf) {
    super('room', moment, ['xlsx', 'sheet', 'readings', 'print']);
    this.store = store;
    this.api = api;
    this.onChoice = onChoice;
    this.nameOf = nameOf;
    this.#periods.addEventListener('input', (event) => {
      this.#period = periodNamed(/** @type {HTMLInputElement} */ (event.target).value, this.#period);
      this.#setZoom(null);
    });
    html('#room-zoom-in').addEventListener('click', () => this.#zoomIn());
    html('#room-zoom-out').addEventListener('click', () => {
      this.#setZoom(null);
      html('#room-zoom-in').focus(); // the button that was pressed is gone
    });
  }

  /** @override @param {FeedName} feed */
  subjectOf({ room, platform }) {
    return feedKey(room, platform);
  }

  /** @override */
  keyOf() {
    return JSON.stringify([this.#period, this.#zoom]);
  }

  /** @override @param {FeedName} feed @param {URLSearchParams} [query] */
  drawHead(feed, query) {
    if (query) [this.#period, this.#zoom] = [periodNamed(query.get('period'), 'day'), zoomOf(query)];
    setText(html('#room-name'), this.store.studio.roomName(feed.room));
    setText(html('#room-platform'), feed.platform);
    this.#neighbours = '';
  }

  /** @override */
  erase() {
    this.#lanes.clear();
    this.#before = null;
    this.#neighbours = '';
    const { i18n } = this.moment();
    for (const id of ['earned-total', 'rate', 'doubts']) showIncomeFigure(html(`#room-${id}`), null, null, i18n);
    setText(html('#room-on-air'), '—');
    showParts(html('#room-earned-before'), [], i18n);
    for (const id of ['#room-accounts', '#room-shows']) html(id).replaceChildren();
  }

  /** The numbers of now; called every frame while the page is shown. @param {Moment} moment */
  paint(moment) {
    if (!this.route) return;
    const { i18n, nowMs, asOfMs, trusted } = moment;
    const feed = this.store.feeds.get(feedKey(this.route.room, this.route.platform));
    const status = feed ? statusOf(feed, asOfMs, this.store, trusted) : 'expired';
    setData(this.#section, 'status', status);
    setText(html('#room-badge'), i18n.t(`status_${status}`));
    setData(html('#room-badge'), 'explain', `explain_${status}`);
    const clock = clockError(feed?.lag ?? null);
    html('#room-clock').hidden = clock === null;
    setText(html('#room-clock'), clock === null ? '' : clockText(clock, i18n));
    html('#room-gone').hidden = feed !== undefined || !this.store.complete;
    setFigure(html('#room-tokens'), feed?.tokens ?? null, i18n);
    for (const { name } of COUNTS) setFigure(html(`#room-${name}`), feed?.[name] ?? null, i18n);
    setFigure(html('#room-goal'), feed?.goal ?? null, i18n);
    setText(
      html('#room-goal-share'),
      feed?.goal
        ? feed.tokens === null
          ? '—'
          : i18n.percentage.format(Math.floor(Math.min(1, feed.tokens / feed.goal) * 100) / 100)
        : feed
          ? i18n.t('no_goal')
          : '',
    );
    setText(html('#room-age'), feed ? i18n.age(Math.max(0, nowMs / 1000 - feed.readAt)) : '—');
    this.#paintNeighbours(this.route);
  }

  /** The rooms before and after this one by name. @param {FeedName} shown */
  #paintNeighbours(shown) {
    const key = `${feedKey(shown.room, shown.platform)} ${this.store.feeds.size}`;
    if (key === this.#neighbours) return;
    this.#neighbours = key;
    const compare = (/** @type {FeedName} */ one, /** @type {FeedName} */ other) =>
      one.room.localeCompare(other.room, undefined, { numeric: true }) || one.platform.localeCompare(other.platform);
    const others = [...this.store.feeds.values()].sort(compare);
    const before = others.filter((feed) => compare(feed, shown) < 0).at(-1);
    const after = others.find((feed) => compare(feed, shown) > 0);
    for (const [id, feed] of /** @type {const} */ ([
      ['#room-previous', before],
      ['#room-next', after],
    ])) {
      const link = find(document, id, HTMLAnchorElement);
      link.hidden = feed === undefined;
      setName(find(link, '.room-neighbour', HTMLElement), this.store.studio.roomName(feed?.room ?? ''));
      if (feed) link.href = hrefOf({ view: 'room', room: feed.room, platform: feed.platform }, location.search);
    }
  }

  /** The span on screen: the zoomed part, or the whole period. */
  #spans() {
    const { nowMs } = this.moment();
    const whole = spanOf(this.#period, nowMs, HOUR, this.store.studio.zone);
    const { from, to } = this.#zoom ?? whole;
    const { bar, point } = stepsOf(to - from);
    return { bars: { from, to, step: bar }, points: { from, to, step: point } };
  }

  /** @override @param {FeedName} feed @returns {Promise<Data>} */
  async load({ room, platform }) {
    const { bars, points } = this.#spans();
    const narrow = { rooms: room, platforms: platform };
    const [history, report, explanation, before] = await Promise.all([
      this.api.history(room, platform, points),
      this.api.analytics(bars, narrow),
      this.api.explain(room, platform, bars).catch(() => null),
      this.#loadBefore(bars.step, points.step),
    ]);
    return { history, report, explanation, before };
  }

  /** The week before: the chart is drawn without it where it fails. @param {number} bar @param {number} point */
  async #loadBefore(bar, point) {
    if (!this.route) return null;
    const { room, platform } = this.route;
    const span = weekBefore(this.#spans().bars, this.store.studio.zone);
    const key = JSON.stringify([room, platform, span, bar, point]);
    if (this.#before?.key === key) return this.#before.data;
    const data = await Promise.all([
      this.api.history(room, platform, { ...span, step: point }),
      this.api.analytics({ ...span, step: bar }, { rooms: room, platforms: platform }),
    ]).then(
      ([history, report]) => ({ history, report }),
      () => null,
    );
    if (data) this.#before = { key, data };
    return data;
  }

  /** @override @param {FeedName} feed @param {ExportKind} kind */
  fileOf({ room, platform }, kind) {
    const { bars, points } = this.#spans();
    if (kind === 'readings') return this.api.historyCsv(room, platform, { ...points, step: 60 });
    const narrow = { rooms: room, platforms: platform, tz: zoneOrOwn(this.store.studio.zone) };
    const format = kind === 'xlsx' ? kind : 'csv-local';
    return this.api.reportFile({ ...bars, ...narrow, format, lang: this.moment().i18n.language });
  }

  /** @override @param {FeedName} feed @param {ExportKind} kind */
  fileName({ room, platform }, kind) {
    const name = `${room}-${platform}`;
    return kind === 'readings' ? `${name}.csv` : `${name}-tokens.${kind === 'xlsx' ? kind : 'csv'}`;
  }

  /** @param {number} fromMs @param {number} toMs */
  #zoomInto(fromMs, toMs) {
    if (!this.loader.data) return;
    const { report } = this.loader.data;
    const span = { fromMs: report.from * 1000, toMs: report.to * 1000 };
    this.#setZoom(zoomedTo(fromMs, toMs, span, report.step * 1000));
  }

  /** Into a quarter of the span on screen, around the crosshair or at the end. */
  #zoomIn() {
    if (!this.loader.data) return;
    const { from, to } = this.loader.data.report;
    const at = this.#lanes.at ?? Math.min(this.moment().nowMs, to * 1000) - (to - from) * 125;
    this.#zoomInto(at - (to - from) * 125, at + (to - from) * 125);
  }

  /** @param {Zoom | null} zoom */
  #setZoom(zoom) {
    this.#zoom = zoom;
    this.onChoice(this.#period, zoom);
    void this.loader.load();
  }

  /** @override */
  onStart() {
    const { i18n } = this.moment();
    renderChoices(
      this.#periods,
      'room-period',
      PERIODS.map((period) => ({ value: period, words: i18n.t(`range_${period}`) })),
      this.#zoom ? '' : this.#period,
    );
    html('#room-zoom-out').hidden = this.#zoom === null;
  }

  /** @override @param {Data} data */
  draw(data) {
    const { i18n, nowMs } = this.moment();
    this.onStart(); // the choices have words
    this.#drawFigures(data, i18n);
    this.#drawLanes(data, i18n, nowMs);
    this.#drawAccounts(data, i18n);
    this.#drawShows(data, i18n, nowMs);
  }

  /** @param {Data} data @param {I18n} i18n */
  #drawFigures({ report, before }, i18n) {
    const { perHour } = meanPerHour(report);
    const { on_air_seconds: onAir = 0, unsettled = 0, set_aside: setAside = 0 } = report;
    const isKnown = wasMeasured(report);
    const search = location.search;
    const reasons = isKnown ? this.#reasons(report) : null;
    const income = (
      /** @type {string} */ id,
      /** @type {number | null} */ value,
      /** @type {import('../i18n/i18n.js').MessageKey} */ name,
    ) =>
      showIncomeFigure(html(`#room-${id}`), value, id === 'doubts' && value === 0 ? null : reasons, i18n, {
        name: i18n.t(name),
        search,
      });
    income('earned-total', isKnown ? report.total : null, 'total_earned');
    const money = isKnown ? this.store.studio.worth(report.total) : null;
    const earlier = comparable(report, before?.report ?? null);
    const beside = [
      { text: isKnown ? '' : i18n.t('not_measured') },
      { text: money ? i18n.money(money) : '', reasons },
      {
        text: earlier ? i18n.t('lanes_before', { amount: earlier.total }) : '',
        reasons: earlier?.total ? this.#reasons(earlier) : null,
      },
    ];
    showParts(html('#room-earned-before'), beside, i18n, search);
    find(document, '#room-why', HTMLAnchorElement).href = this.#why(report.from, report.to);
    income('rate', perHour === null ? null : Math.round(perHour), 'per_hour');
    setText(html('#room-on-air'), isKnown ? i18n.hours(onAir / HOUR) : '—');
    income('doubts', isKnown ? unsettled : null, 'why_unsettled');
    showParts(
      html('#room-set-aside'),
      [{ text: isKnown ? i18n.t('set_aside', { count: setAside }) : '', reasons: setAside ? reasons : null }],
      i18n,
      search,
    );
    find(document, '#room-why', HTMLAnchorElement).hidden = !isKnown;
  }

  /** @param {Data} data @param {I18n} i18n @param {number} nowMs */
  #drawLanes({ history, report, explanation, before }, i18n, nowMs) {
    const [fromMs, toMs, stepMs] = [report.from * 1000, report.to * 1000, report.step * 1000];
    const earned =
      report.step === HOUR
        ? i18n.t('earned_hour')
        : report.step === QUARTER
          ? i18n.t('earned_quarter')
          : i18n.t('earned_minutes', { count: report.step / 60 });
    const isEmpty = [{ report, history }, ...(before ? [before] : [])].every(
      (data) => !wasMeasured(data.report) && data.history.points.length === 0,
    );
    html('#room-lanes-empty').hidden = !isEmpty;
    for (const id of ['#room-lanes', '#room-legend', '#room-zoom-in']) html(id).hidden = isEmpty;
    const gapMs = offAirMs(history.points, history.step);
    const later = (/** @type {{t: number, value: number}[]} */ points) => weekLater(points, this.store.studio.zone);
    setText(html('#room-earned-title'), i18n.t('lanes_title'));
    this.#lanes.show(
      {
        fromMs,
        toMs,
        stepMs,
        endMs: nowMs,
        lanes: [
          {
            kind: 'bars',
            name: earned,
            unit: i18n.t('tokens'),
            share: 1.4,
            points: measuredPoints(report),
            ...(before ? { before: later(measuredPoints(before.report)) } : {}),
          },
          ...CHARTED.map(({ name }) => ({
            kind: /** @type {const} */ ('line'),
            ...(name === 'viewers' ? { of: /** @type {const} */ ('audience') } : {}),
            name: i18n.t(`kpi_${name}`),
            unit: i18n.t(name),
            share: 1,
            gapMs,
            points: valuesOf(history.points, name),
            ...(before ? { before: later(valuesOf(before.history.points, name)) } : {}),
          })),
          {
            kind: 'line',
            name: i18n.t('balance'),
            unit: i18n.t('balance_unit'),
            share: 1,
            gapMs,
            fromZero: false,
            points: valuesOf(history.points, 'tokens'),
          },
        ],
        offAir: offAirOf(history.points, { fromMs, toMs }, nowMs, gapMs),
        marks: marksOf(explanation?.lines ?? []).map((mark) => ({ ...mark, words: i18n.t(`mark_${mark.kind}`) })),
        hrefOf: (atMs) => this.#why(atMs / 1000, Math.min(atMs / 1000 + report.step, report.to)),
      },
      i18n,
    );
    html('#room-legend-before').hidden = before === null || before.report.total + before.history.points.length === 0;
  }

  /** @param {Data} data @param {I18n} i18n */
  #drawAccounts({ report }, i18n) {
    const rows = (report.accounts ?? []).filter(({ account, earned }) => account !== null || earned > 0);
    html('#room-accounts-panel').hidden = rows.length === 0;
    replaceRows(
      html('#room-accounts'),
      rows.map((row) => {
        const { on_air_seconds: seconds } = row;
        const pace = row.earned - row.between_sessions;
        const why = (/** @type {number} */ amount) =>
          this.#income(i18n.number(amount), { ...this.#reasons(report), account: row.account ?? '' }, i18n);
        return tableRow(
          element('span', { translate: row.account === null ? 'yes' : 'no' }, this.nameOf(row.account, row.platform)),
          why(row.earned),
          i18n.hours(seconds / HOUR),
          seconds < PACE_SECONDS ? '—' : why(Math.round((pace * HOUR) / seconds)),
          row.unsettled ? why(row.unsettled) : '—',
          row.set_aside ? why(row.set_aside) : '—',
        );
      }),
    );
  }

  /** @param {Data} data @param {I18n} i18n @param {number} nowMs */
  #drawShows({ explanation, history, report }, i18n, nowMs) {
    const shows = explanation ? showsOf(explanation.lines, history.points, nowMs) : [];
    html('#room-shows-panel').hidden = shows.length === 0;
    const isLong = report.to - report.from > 86_400;
    replaceRows(
      html('#room-shows'),
      shows.reverse().map(({ account, fromMs, toMs, earned, peak, isOpen }) => {
        const seconds = (toMs - fromMs) / 1000;
        const start = isLong ? `${i18n.weekday.format(fromMs)}, ${i18n.hour.format(fromMs)}` : i18n.hour.format(fromMs);
        const end = isOpen ? i18n.t('show_open') : i18n.hour.format(toMs);
        const span = { from: Math.floor(fromMs / 60_000) * 60, to: Math.floor(toMs / 60_000) * 60 + 60 };
        const reasons = { ...this.#reasons(span), account: account ?? '' };
        const why = (/** @type {number} */ amount) => this.#income(i18n.number(amount), reasons, i18n);
        return tableRow(
          this.#income(`${start} – ${end}`, reasons, i18n),
          element(
            'span',
            { translate: account === null ? 'yes' : 'no' },
            this.nameOf(account, this.route?.platform ?? ''),
          ),
          i18n.hours(seconds / HOUR),
          why(earned),
          seconds < PACE_SECONDS ? '—' : why(Math.round((earned * HOUR) / seconds)),
          i18n.number(peak),
        );
      }),
    );
  }

  /** A span of this room. @param {{from: number, to: number}} span @returns {import('../ui/why_link.js').Reasons} */
  #reasons({ from, to }) {
    return { from, to, feeds: this.route && [this.route] };
  }

  /** @param {string} text @param {import('../ui/why_link.js').Reasons} reasons @param {I18n} i18n */
  #income(text, reasons, i18n) {
    const holder = element('span');
    showIncome(holder, text, reasons, i18n, { search: location.search });
    return holder;
  }

  /** What explains a span of this room. @param {number} from @param {number} to Unix seconds */
  #why(from, to) {
    if (!this.route) return '';
    return hrefOf(whyRoute(this.#reasons({ from, to })), location.search);
  }
}

/** @param {Node | string} head @param {(Node | string)[]} cells */
function tableRow(head, ...cells) {
  return element('tr', {}, element('th', { scope: 'row' }, head), ...cells.map((cell) => element('td', {}, cell)));
}

/** @param {URLSearchParams} query @returns {Zoom | null} */
function zoomOf(query) {
  const [from = NaN, to = NaN] = ['from', 'to'].map((name) => Number(query.get(name) ?? NaN));
  return Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to < 1e11 ? { from, to } : null;
}

/** @param {Point[]} points @param {import('../state/metrics.js').MetricName} name */
function valuesOf(points, name) {
  return points.flatMap((point) => {
    const value = point[name];
    return value === null ? [] : [{ t: point.t * 1000, value }];
  });
}

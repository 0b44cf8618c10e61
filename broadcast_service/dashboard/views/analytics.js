/** The studio's report: tokens earned by hour, room and platform. */

import { hrefOf } from '../router.js';
import { openFrom, PERIODS, periodNamed, spanOf } from '../state/periods.js';
import { Chart } from '../ui/chart.js';
import { find, html, setFigure, setText } from '../ui/dom.js';
import { Hours } from '../ui/hours.js';
import { Ranking } from '../ui/ranking.js';
import { ReportLoader } from '../ui/report_loader.js';
import { meanPerHour, measuredPoints } from '../ui/scales.js';
import { renderChoices } from '../ui/segmented.js';

/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../state/periods.js').Period} Period */

const HOUR = 3600;
const ROOMS_AT_FIRST = 12;
const TOP_HOURS = 6;

export class AnalyticsView {
  #section = html('#analytics');
  #chart = new Chart(html('#analytics-chart'));
  #periods = html('#analytics-period');
  #platforms = html('#analytics-platform');
  #byPlatform = new Ranking(html('#analytics-platforms'));
  #topHours = new Ranking(html('#analytics-top'));
  #byRoom = new Ranking(html('#analytics-rooms'));
  #byAccount = new Ranking(html('#analytics-accounts'));
  #hours = new Hours(html('#analytics-hours'));
  /** @type {Period} */
  #period = 'day';
  #platform = '';
  #allRooms = false;
  /** @type {string[]} platforms to choose from */
  #known = [];
  /** @type {ReportLoader<{report: Report, week: Report}>} */
  #loader;

  /**
   * @param {import('../link/api.js').Api} api @param {() => import('../ui/moment.js').Moment} moment
   * @param {(period: Period, platform: string) => void} onChoice
   */
  constructor(api, moment, onChoice) {
    this.api = api;
    this.moment = moment;
    this.#loader = new ReportLoader({
      name: 'analytics',
      body: html('#analytics-body'),
      i18n: () => moment().i18n,
      key: () => `${this.#period} ${this.#platform}`,
      load: () => this.#load(),
      loadFile: () => api.analyticsCsv(spanOf(this.#period, moment().nowMs, HOUR), this.#filter),
      fileName: () => `studio-pulse-${this.#period}.csv`,
      onStart: () => this.#renderChoices(),
      onLoaded: ({ week }) => {
        if (!this.#platform) this.#known = week.platforms.map(({ platform }) => platform).sort();
        this.#paint();
      },
    });
    find(document, '#analytics-form', HTMLFormElement).addEventListener('input', (event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      if (input.name === 'period') this.#period = periodNamed(input.value, this.#period);
      else this.#platform = input.value;
      onChoice(this.#period, this.#platform);
      void this.#loader.load();
    });
    html('#analytics-all').addEventListener('click', () => {
      this.#allRooms = true;
      this.#paint();
    });
  }

  /** @param {boolean} shown @param {URLSearchParams} query */
  show(shown, query) {
    this.#section.hidden = !shown;
    if (!shown) return this.#loader.stop();
    this.#period = periodNamed(query.get('period'), 'day');
    this.#platform = query.get('of') ?? '';
    this.#loader.start();
  }

  /** The language changed. */
  reset() {
    if (!this.#section.hidden) this.#paint();
  }

  /** Removes everything of the rooms: another access may not see them. */
  clear() {
    this.#loader.clear();
    this.#known = [];
    this.#chart.clear();
    for (const table of [this.#byPlatform, this.#topHours, this.#byRoom, this.#byAccount, this.#hours]) table.clear();
    for (const id of ['#fact-room', '#fact-room-sub']) setText(html(id), '');
  }

  get #filter() {
    return this.#platform ? { platforms: this.#platform } : {};
  }

  async #load() {
    const { nowMs } = this.moment();
    const filter = this.#filter;
    const [report, week] = await Promise.all([
      this.api.analytics(spanOf(this.#period, nowMs, HOUR), filter),
      this.api.analytics(spanOf('week', nowMs, HOUR), filter),
    ]);
    return { report, week };
  }

  #renderChoices() {
    const { i18n } = this.moment();
    renderChoices(
      this.#periods,
      'period',
      PERIODS.map((period) => ({ value: period, words: i18n.t(`range_${period}`) })),
      this.#period,
    );
    const platforms = [...new Set([...this.#known, ...(this.#platform ? [this.#platform] : [])])];
    renderChoices(
      this.#platforms,
      'of',
      [{ value: '', words: i18n.t('all_platforms') }, ...platforms.map((value) => ({ value, words: value }))],
      this.#platform,
    );
    this.#platforms.hidden = platforms.length < 2;
  }

  #paint() {
    if (!this.#loader.data) return;
    const { i18n, nowMs } = this.moment();
    const { report, week } = this.#loader.data;
    this.#renderChoices();
    this.#paintFacts(report, i18n, nowMs);
    this.#chart.show(
      {
        kind: 'bars',
        fromMs: report.from * 1000,
        toMs: report.to * 1000,
        stepMs: report.step * 1000,
        name: i18n.t('earned_hour'),
        unit: i18n.t('tokens'),
        points: measuredPoints(report),
        openFromMs: openFrom(report.step, nowMs),
      },
      i18n,
    );
    this.#paintPlatforms(report, i18n);
    this.#paintTopHours(report, i18n);
    this.#paintRooms(report, i18n);
    this.#paintAccounts(report, i18n);
    this.#hours.paint(week, nowMs, i18n);
  }

  /** @param {Report} report @param {I18n} i18n @param {number} nowMs */
  #paintFacts(report, i18n, nowMs) {
    const { perHour, minutes } = meanPerHour(report);
    const best = report.earned.indexOf(Math.max(...report.earned));
    const bestMs = (report.from + best * report.step) * 1000;
    const open = bestMs >= openFrom(report.step, nowMs) ? ` · ${i18n.t('so_far')}` : '';
    const [room] = report.rooms;
    const earning = report.rooms.filter(({ earned }) => earned > 0).length;
    const none = i18n.t('best_none');
    /** @type {Record<string, [number | null, string]>} */
    const figures = {
      total: [report.total, [i18n.t('rooms_earning', { count: earning }), ...besideOf(report, i18n)].join(' · ')],
      rate: [
        perHour === null ? null : Math.round(perHour),
        minutes ? i18n.t('per_hour_sub', { span: i18n.hours(minutes / 60) }) : i18n.t('not_measured'),
      ],
      hour: report.total ? [report.earned[best] ?? 0, i18n.moment.format(bestMs) + open] : [null, none],
    };
    for (const [name, [value, sub]] of Object.entries(figures)) {
      setFigure(html(`#fact-${name}`), value, i18n);
      setText(html(`#fact-${name}-sub`), sub);
    }
    setText(html('#fact-room'), room?.earned ? room.room_id : '—');
    html('#fact-room').title = room?.earned ? room.room_id : '';
    setText(html('#fact-room-sub'), room?.earned ? `${i18n.number(room.earned)} ${i18n.t('tokens')}` : none);
  }

  /** @param {Report} report @param {I18n} i18n */
  #paintPlatforms({ platforms, total }, i18n) {
    this.#byPlatform.paint(
      platforms.map(({ platform, earned }) => ({ key: platform, words: platform, isName: true, earned })),
      total,
      i18n,
    );
  }

  /** @param {Report} report @param {I18n} i18n */
  #paintAccounts({ accounts = [], total }, i18n) {
    html('#analytics-by-account').hidden = !accounts.some(({ account }) => account !== null);
    this.#byAccount.paint(
      accounts.map((row) => ({
        key: `${row.platform}\n${row.account ?? ''}`,
        words: row.account ?? i18n.t('account_unknown'),
        isName: row.account !== null,
        sub: [
          row.platform,
          i18n.t('on_air_for', { span: i18n.hours(row.on_air_seconds / 3600) }),
          ...besideOf(row, i18n),
        ].join(' · '),
        earned: row.earned,
      })),
      total,
      i18n,
    );
  }

  /** @param {Report} report @param {I18n} i18n */
  #paintTopHours({ earned, from, step, total }, i18n) {
    const ranked = earned
      .map((amount, i) => ({ amount, at: (from + i * step) * 1000 }))
      .sort((a, b) => b.amount - a.amount);
    const shown = ranked.filter(({ amount }) => amount > 0).slice(0, TOP_HOURS);
    this.#topHours.paint(
      shown.map(({ amount, at }) => ({ key: String(at), words: i18n.hourOfWeek.format(at), earned: amount })),
      total,
      i18n,
    );
  }

  /** @param {Report} report @param {I18n} i18n */
  #paintRooms({ feeds, total }, i18n) {
    const shown = this.#allRooms ? feeds : feeds.slice(0, ROOMS_AT_FIRST);
    this.#byRoom.paint(
      shown.map(({ room_id: room, platform, earned }) => ({
        key: `${room}\n${platform}`,
        words: room,
        isName: true,
        sub: platform,
        href: hrefOf({ view: 'room', room, platform }, location.search),
        earned,
      })),
      total,
      i18n,
    );
    const more = html('#analytics-all');
    more.hidden = shown.length === feeds.length;
    setText(more, i18n.t('show_all', { count: feeds.length }));
  }
}

/**
 * What is reported beside income and is not part of it.
 * @param {{unsettled?: number, set_aside?: number}} figures @param {I18n} i18n
 */
function besideOf({ unsettled = 0, set_aside: setAside = 0 }, i18n) {
  return [
    ...(unsettled ? [i18n.t('unsettled', { amount: unsettled })] : []),
    ...(setAside ? [i18n.t('set_aside', { count: setAside })] : []),
  ];
}

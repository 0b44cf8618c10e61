/** The page of one room on one platform: its numbers now, and its day or week. */

import { clockError } from '../state/lag.js';
import { CHARTED, COUNTS } from '../state/metrics.js';
import { openFrom, PERIODS, periodNamed, spanOf } from '../state/periods.js';
import { feedKey, statusOf } from '../state/store.js';
import { Chart } from '../ui/chart.js';
import { clockText } from '../ui/clock_text.js';
import { html, setData, setFigure, setText } from '../ui/dom.js';
import { ReportLoader } from '../ui/report_loader.js';
import { measuredPoints } from '../ui/scales.js';
import { renderChoices } from '../ui/segmented.js';

/** @typedef {import('../state/periods.js').Period} Period */
/** @typedef {import('../ui/moment.js').Moment} Moment */
/** @typedef {import('../link/api.js').Point} Point */

const QUARTER = 900;
const HOUR = 3600;

export class RoomView {
  #section = html('#room');
  #periods = html('#room-period');
  #earned = new Chart(html('#room-earned'));
  #counts = CHARTED.map(({ name }) => new Chart(html(`#room-${name}-chart`)));
  #balance = new Chart(html('#room-balance'));
  /** @type {Period} */
  #period = 'day';
  /** @type {{room: string, platform: string} | null} */
  #feed = null;
  /** @type {ReportLoader<{history: import('../link/api.js').RoomHistory, report: import('../link/api.js').Report}>} */
  #loader;

  /**
   * @param {import('../state/store.js').Store} store @param {import('../link/api.js').Api} api @param {() => Moment} moment
   * @param {(period: Period) => void} onChoice
   */
  constructor(store, api, moment, onChoice) {
    this.store = store;
    this.api = api;
    this.moment = moment;
    this.#loader = new ReportLoader({
      name: 'room',
      body: html('#room-charts'),
      i18n: () => moment().i18n,
      key: () => this.#period,
      load: () => this.#load(),
      loadFile: () => this.#loadFile(),
      fileName: () => `${this.#feed?.room}-${this.#feed?.platform}.csv`,
      onStart: () => this.#renderChoices(),
      onLoaded: () => this.#draw(),
    });
    this.#periods.addEventListener('input', (event) => {
      this.#period = periodNamed(/** @type {HTMLInputElement} */ (event.target).value, this.#period);
      onChoice(this.#period);
      void this.#loader.load();
    });
  }

  /** @param {{room: string, platform: string} | null} feed @param {URLSearchParams} query */
  show(feed, query) {
    this.#section.hidden = feed === null;
    this.#loader.stop();
    if (feed?.room !== this.#feed?.room || feed?.platform !== this.#feed?.platform) this.clear();
    this.#feed = feed;
    if (!feed) return;
    this.#period = periodNamed(query.get('period'), 'day');
    setText(html('#room-name'), feed.room);
    setText(html('#room-platform'), feed.platform);
    this.#loader.start();
  }

  /** The language changed. */
  reset() {
    this.#draw();
  }

  /** Removes everything of the room: another access may not see it. */
  clear() {
    this.#loader.clear();
    for (const chart of [this.#earned, this.#balance, ...this.#counts]) chart.clear();
  }

  /** The numbers of now; called every frame while the page is shown. @param {Moment} moment */
  paint(moment) {
    if (!this.#feed) return;
    const { i18n, nowMs, asOfMs, trusted } = moment;
    const feed = this.store.feeds.get(feedKey(this.#feed.room, this.#feed.platform));
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
        : i18n.t('no_goal'),
    );
    setText(html('#room-age'), feed ? i18n.age(Math.max(0, nowMs / 1000 - feed.readAt)) : '—');
  }

  async #load() {
    if (!this.#feed) throw new Error('no room is shown');
    const { room, platform } = this.#feed;
    const { nowMs } = this.moment();
    const isWeek = this.#period === 'week';
    const [history, report] = await Promise.all([
      this.api.history(room, platform, spanOf(this.#period, nowMs, isWeek ? 600 : 60)),
      this.api.analytics(spanOf(this.#period, nowMs, isWeek ? HOUR : QUARTER), { rooms: room, platforms: platform }),
    ]);
    return { history, report };
  }

  #loadFile() {
    if (!this.#feed) throw new Error('no room is shown');
    return this.api.historyCsv(this.#feed.room, this.#feed.platform, spanOf(this.#period, this.moment().nowMs, 60));
  }

  #renderChoices() {
    const { i18n } = this.moment();
    renderChoices(
      this.#periods,
      'room-period',
      PERIODS.map((period) => ({ value: period, words: i18n.t(`range_${period}`) })),
      this.#period,
    );
  }

  #draw() {
    if (!this.#loader.data) return;
    const { i18n } = this.moment();
    const { history, report } = this.#loader.data;
    const { from, to, step, points } = history;
    this.#renderChoices();
    const earned = i18n.t(report.step === HOUR ? 'earned_hour' : 'earned_quarter');
    setText(html('#room-earned-title'), earned);
    setText(html('#room-earned-total'), i18n.number(report.total));
    this.#earned.show(
      {
        kind: 'bars',
        fromMs: from * 1000,
        toMs: to * 1000,
        stepMs: report.step * 1000,
        name: earned,
        unit: i18n.t('tokens'),
        points: measuredPoints(report),
        openFromMs: openFrom(report.step, this.moment().nowMs),
      },
      i18n,
    );
    const line = /** @type {const} */ ({
      kind: 'line',
      fromMs: from * 1000,
      toMs: to * 1000,
      stepMs: Math.max(step, 300) * 1000,
    });
    for (const [i, { name }] of CHARTED.entries())
      this.#counts[i]?.show({ ...line, name: i18n.t(name), unit: i18n.t(name), points: series(points, name) }, i18n);
    this.#balance.show(
      {
        ...line,
        fromZero: false,
        name: i18n.t('balance'),
        unit: i18n.t('tokens'),
        points: series(points, 'tokens'),
      },
      i18n,
    );
  }
}

/** @param {Point[]} points @param {import('../state/metrics.js').MetricName} name */
function series(points, name) {
  return points.flatMap((point) => {
    const value = point[name];
    return value === null ? [] : [{ t: point.t * 1000, value }];
  });
}

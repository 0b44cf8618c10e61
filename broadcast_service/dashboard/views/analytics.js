/** The studio page: what was earned, when, by whom and on which platform. */

import { RequestFailed } from '../link/api.js';
import { hrefOf } from '../router.js';
import { openFrom, PERIODS, periodNamed, spanOf } from '../state/periods.js';
import { Chart } from '../ui/chart.js';
import { find, html, write, writeFigure } from '../ui/dom.js';
import { download } from '../ui/download.js';
import { Hours } from '../ui/hours.js';
import { Ranking } from '../ui/ranking.js';
import { meanPerHour, measuredPoints } from '../ui/scales.js';
import { offer } from '../ui/segmented.js';

/** @typedef {import('../link/api.js').Report} Report */
/** @typedef {import('../i18n/i18n.js').Speech} Speech */
/** @typedef {import('../state/periods.js').Period} Period */

const HOUR = 3600;
const ROOMS_AT_FIRST = 12;
const TOP_HOURS = 6;
const REFRESH_MS = 60_000;

export class AnalyticsView {
  #section = html('#analytics');
  #state = html('#analytics-state');
  #body = html('#analytics-body');
  #chart = new Chart(html('#analytics-chart'));
  #periods = html('#analytics-period');
  #platforms = html('#analytics-platform');
  #retry = find(document, '#analytics-retry', HTMLButtonElement);
  #byPlatform = new Ranking(html('#analytics-platforms'));
  #topHours = new Ranking(html('#analytics-top'));
  #byRoom = new Ranking(html('#analytics-rooms'));
  #hours = new Hours(html('#analytics-hours'));
  /** @type {Period} */
  #period = 'day';
  #platform = '';
  #allRooms = false;
  /** @type {{report: Report, week: Report} | null} */
  #shown = null;
  /** @type {string[]} */
  #known = [];
  /** Answers that were asked for before the last `clear` belong to another token. */
  #round = 0;
  /** @type {any} */
  #timer = null;

  /**
   * @param {import('../link/api.js').Api} api @param {() => import('../ui/moment.js').Moment} moment
   * @param {(period: Period, platform: string) => void} onChoice
   */
  constructor(api, moment, onChoice) {
    this.api = api;
    this.moment = moment;
    find(document, '#analytics-form', HTMLFormElement).addEventListener('input', (event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      if (input.name === 'period') this.#period = periodNamed(input.value, this.#period);
      else this.#platform = input.value;
      onChoice(this.#period, this.#platform);
      void this.#load();
    });
    html('#analytics-csv').addEventListener('click', () => void this.#export());
    html('#analytics-all').addEventListener('click', () => {
      this.#allRooms = true;
      this.#paint();
    });
    this.#retry.addEventListener('click', () => void this.#load());
  }

  /** @param {boolean} shown @param {URLSearchParams} query */
  show(shown, query) {
    this.#section.hidden = !shown;
    clearInterval(this.#timer);
    if (!shown) return;
    this.#period = periodNamed(query.get('period'), 'day');
    this.#platform = query.get('of') ?? '';
    this.#timer = setInterval(() => void this.#load(), REFRESH_MS);
    void this.#load();
  }

  /** The language changed. */
  reset() {
    if (!this.#section.hidden) this.#paint();
  }

  /** Nothing of another token's rooms stays. */
  clear() {
    this.#round++;
    this.#shown = null;
    this.#known = [];
    this.#chart.clear();
    this.#body.hidden = true;
    for (const table of [this.#byPlatform, this.#topHours, this.#byRoom, this.#hours]) table.clear();
    for (const id of ['#fact-room', '#fact-room-sub']) write(html(id), '');
  }

  async #load() {
    const { nowMs } = this.moment();
    const narrow = this.#platform ? { platforms: this.#platform } : {};
    const key = () => `${this.#round} ${this.#period} ${this.#platform}`;
    const asked = key();
    this.#offer();
    this.#say('loading');
    try {
      const [report, week] = await Promise.all([
        this.api.analytics(spanOf(this.#period, nowMs, HOUR), narrow),
        this.api.analytics(spanOf('week', nowMs, HOUR), narrow),
      ]);
      if (asked !== key()) return;
      this.#shown = { report, week };
      if (!this.#platform) this.#known = week.platforms.map(({ platform }) => platform).sort();
      this.#say(null);
      this.#paint();
    } catch (error) {
      if (asked === key())
        this.#say(error instanceof RequestFailed && error.status === 403 ? 'failed_scope' : 'failed');
    }
  }

  async #export() {
    const span = spanOf(this.#period, this.moment().nowMs, HOUR);
    const narrow = this.#platform ? { platforms: this.#platform } : {};
    await this.api.analyticsCsv(span, narrow).then(
      (blob) => download(blob, `studio-pulse-${this.#period}.csv`),
      () => this.#say('failed'),
    );
  }

  /** @param {import('../i18n/i18n.js').Phrase | null} phrase */
  #say(phrase) {
    const failed = phrase !== null && phrase !== 'loading';
    this.#retry.hidden = !failed;
    write(
      this.#state,
      phrase === null || (phrase === 'loading' && this.#shown) ? '' : this.moment().speech.say(phrase),
    );
    this.#body.hidden = !this.#shown;
    this.#body.classList.toggle('dimmed', failed);
  }

  #offer() {
    const { speech } = this.moment();
    offer(
      this.#periods,
      'period',
      PERIODS.map((period) => ({ value: period, words: speech.say(`range_${period}`) })),
      this.#period,
    );
    const platforms = [...new Set([...this.#known, ...(this.#platform ? [this.#platform] : [])])];
    offer(
      this.#platforms,
      'of',
      [{ value: '', words: speech.say('all_platforms') }, ...platforms.map((value) => ({ value, words: value }))],
      this.#platform,
    );
    this.#platforms.hidden = platforms.length < 2;
  }

  #paint() {
    if (!this.#shown) return;
    const { speech, nowMs } = this.moment();
    const { report, week } = this.#shown;
    this.#offer();
    this.#paintFacts(report, speech, nowMs);
    this.#chart.show(
      {
        kind: 'bars',
        fromMs: report.from * 1000,
        toMs: report.to * 1000,
        stepMs: report.step * 1000,
        name: speech.say('earned_hour'),
        unit: speech.say('tokens'),
        points: measuredPoints(report),
        openFromMs: openFrom(report.step, nowMs),
      },
      speech,
    );
    this.#paintPlatforms(report, speech);
    this.#paintTopHours(report, speech);
    this.#paintRooms(report, speech);
    this.#hours.paint(week, nowMs, speech);
  }

  /** @param {Report} report @param {Speech} speech @param {number} nowMs */
  #paintFacts(report, speech, nowMs) {
    const { perHour, minutes } = meanPerHour(report);
    const best = report.earned.indexOf(Math.max(...report.earned));
    const bestMs = (report.from + best * report.step) * 1000;
    const open = bestMs >= openFrom(report.step, nowMs) ? ` · ${speech.say('so_far')}` : '';
    const [room] = report.rooms;
    const earning = report.rooms.filter(({ earned }) => earned > 0).length;
    const none = speech.say('best_none');
    /** @type {Record<string, [number | null, string]>} */
    const figures = {
      total: [report.total, speech.say('rooms_earning', { count: earning })],
      rate: [
        perHour === null ? null : Math.round(perHour),
        minutes ? speech.say('per_hour_sub', { span: speech.hours(minutes / 60) }) : speech.say('not_measured'),
      ],
      hour: report.total ? [report.earned[best] ?? 0, speech.moment.format(bestMs) + open] : [null, none],
    };
    for (const [name, [value, sub]] of Object.entries(figures)) {
      writeFigure(html(`#fact-${name}`), value, speech);
      write(html(`#fact-${name}-sub`), sub);
    }
    write(html('#fact-room'), room?.earned ? room.room_id : '—');
    html('#fact-room').title = room?.earned ? room.room_id : '';
    write(html('#fact-room-sub'), room?.earned ? `${speech.number(room.earned)} ${speech.say('tokens')}` : none);
  }

  /** @param {Report} report @param {Speech} speech */
  #paintPlatforms({ platforms, total }, speech) {
    this.#byPlatform.paint(
      platforms.map(({ platform, earned }) => ({ key: platform, words: platform, isName: true, earned })),
      total,
      speech,
    );
  }

  /** @param {Report} report @param {Speech} speech */
  #paintTopHours({ earned, from, step, total }, speech) {
    const ranked = earned
      .map((amount, i) => ({ amount, at: (from + i * step) * 1000 }))
      .sort((a, b) => b.amount - a.amount);
    const shown = ranked.filter(({ amount }) => amount > 0).slice(0, TOP_HOURS);
    this.#topHours.paint(
      shown.map(({ amount, at }) => ({ key: String(at), words: speech.hourOfWeek.format(at), earned: amount })),
      total,
      speech,
    );
  }

  /** @param {Report} report @param {Speech} speech */
  #paintRooms({ feeds, total }, speech) {
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
      speech,
    );
    const more = html('#analytics-all');
    more.hidden = shown.length === feeds.length;
    write(more, speech.say('show_all', { count: feeds.length }));
  }
}

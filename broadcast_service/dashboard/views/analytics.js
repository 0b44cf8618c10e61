/** The studio page: what was earned, when, by whom and on which platform. */

import { RequestFailed } from '../api.js';
import { PERIODS, openFrom, periodNamed, spanOf } from '../periods.js';
import { hourOfWeek, hoursOfWeek, meanPerHour, measuredPoints, quantileLevels } from '../scales.js';
import { Chart } from './chart.js';
import { find, html, write } from './dom.js';
import { download } from './download.js';
import { hrefOf } from './route.js';
import { offer } from './segmented.js';

/** @typedef {import('../api.js').Report} Report */
/** @typedef {import('../i18n.js').Speech} Speech */
/** @typedef {import('../periods.js').Period} Period */

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
   * @param {import('../api.js').Api} api @param {() => import('./moment.js').Moment} moment
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
    html('#analytics-all').addEventListener('click', () => { this.#allRooms = true; this.#paint(); });
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
    for (const id of ['#analytics-platforms', '#analytics-top', '#analytics-rooms', '#analytics-hours']) html(id).replaceChildren();
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
      if (asked === key()) this.#say(error instanceof RequestFailed && error.status === 403 ? 'failed_scope' : 'failed');
    }
  }

  async #export() {
    const span = spanOf(this.#period, this.moment().nowMs, HOUR);
    const narrow = this.#platform ? { platforms: this.#platform } : {};
    await this.api.analyticsCsv(span, narrow).then((blob) => download(blob, `studio-pulse-${this.#period}.csv`), () => this.#say('failed'));
  }

  /** @param {import('../i18n.js').Phrase | null} phrase */
  #say(phrase) {
    const failed = phrase !== null && phrase !== 'loading';
    this.#retry.hidden = !failed;
    write(this.#state, phrase === null || (phrase === 'loading' && this.#shown) ? '' : this.moment().speech.say(phrase));
    this.#body.hidden = !this.#shown;
    this.#body.classList.toggle('dimmed', failed);
  }

  #offer() {
    const { speech } = this.moment();
    offer(this.#periods, 'period', PERIODS.map((period) => ({ value: period, words: speech.say(`range_${period}`) })), this.#period);
    const platforms = [...new Set([...this.#known, ...(this.#platform ? [this.#platform] : [])])];
    offer(this.#platforms, 'of', [{ value: '', words: speech.say('all_platforms') }, ...platforms.map((value) => ({ value, words: value }))], this.#platform);
    this.#platforms.hidden = platforms.length < 2;
  }

  #paint() {
    if (!this.#shown) return;
    const { speech, nowMs } = this.moment();
    const { report, week } = this.#shown;
    this.#offer();
    this.#paintFacts(report, speech, nowMs);
    this.#chart.show({
      kind: 'bars', fromMs: report.from * 1000, toMs: report.to * 1000, stepMs: report.step * 1000, name: speech.say('earned_hour'), unit: speech.say('tokens'),
      points: measuredPoints(report), openFromMs: openFrom(report.step, nowMs),
    }, speech);
    this.#paintPlatforms(report, speech);
    this.#paintTopHours(report, speech);
    this.#paintRooms(report, speech);
    paintHours(html('#analytics-hours'), week, nowMs, speech);
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
    const facts = {
      total: [speech.number(report.total), speech.say('rooms_earning', { count: earning })],
      rate: [speech.number(perHour === null ? null : Math.round(perHour)), minutes ? speech.say('per_hour_sub', { span: speech.hours(minutes / 60) }) : speech.say('not_measured')],
      hour: report.total ? [speech.number(report.earned[best] ?? 0), speech.moment.format(bestMs) + open] : ['—', none],
      room: room?.earned ? [room.room_id, `${speech.number(room.earned)} ${speech.say('tokens')}`] : ['—', none],
    };
    for (const [name, [value, sub]] of Object.entries(facts)) {
      write(html(`#fact-${name}`), value ?? '');
      write(html(`#fact-${name}-sub`), sub ?? '');
    }
  }

  /** @param {Report} report @param {Speech} speech */
  #paintPlatforms({ platforms, total }, speech) {
    const rows = platforms.map(({ platform, earned }) => rankRow(document.createTextNode(platform), earned, total, platforms[0]?.earned ?? 0, speech));
    html('#analytics-platforms').replaceChildren(...rows);
  }

  /** @param {Report} report @param {Speech} speech */
  #paintTopHours({ earned, from, step, total }, speech) {
    const ranked = earned.map((amount, i) => ({ amount, at: (from + i * step) * 1000 })).sort((a, b) => b.amount - a.amount);
    const rows = ranked.filter(({ amount }) => amount > 0).slice(0, TOP_HOURS).map(({ amount, at }) =>
      rankRow(document.createTextNode(speech.hourOfWeek.format(at)), amount, total, ranked[0]?.amount ?? 0, speech));
    html('#analytics-top').replaceChildren(...rows);
  }

  /** @param {Report} report @param {Speech} speech */
  #paintRooms({ feeds, total }, speech) {
    const shown = this.#allRooms ? feeds : feeds.slice(0, ROOMS_AT_FIRST);
    const rows = shown.map(({ room_id: room, platform, earned }) => {
      const link = document.createElement('a');
      link.href = hrefOf({ view: 'room', room, platform }, location.search);
      link.textContent = room;
      const name = document.createElement('span');
      name.translate = false;
      const sub = document.createElement('small');
      sub.textContent = platform;
      name.append(link, ' ', sub);
      return rankRow(name, earned, total, feeds[0]?.earned ?? 0, speech);
    });
    html('#analytics-rooms').replaceChildren(...rows);
    const more = html('#analytics-all');
    more.hidden = shown.length === feeds.length;
    write(more, speech.say('show_all', { count: feeds.length }));
  }
}

/** One line of a ranking: name, bar, amount, share. @param {Node} name @param {number} earned @param {number} total @param {number} most @param {Speech} speech */
function rankRow(name, earned, total, most, speech) {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.append(name);
  const [barCell, amount, share] = [document.createElement('td'), document.createElement('td'), document.createElement('td')];
  const bar = document.createElement('div');
  bar.className = 'rank-bar';
  bar.style.setProperty('--share', String(most ? (earned / most) * 100 : 0));
  barCell.append(bar);
  amount.textContent = speech.number(earned);
  share.textContent = total ? speech.percentage.format(earned / total) : '—';
  row.append(head, barCell, amount, share);
  return row;
}

/** Seven days of 24 hours as a real table: colour for the eye, numbers for everyone else. @param {HTMLElement} table @param {Report} week @param {number} nowMs @param {Speech} speech */
function paintHours(table, week, nowMs, speech) {
  const hours = hoursOfWeek(week);
  const level = quantileLevels(hours.flat().filter((value) => value !== null));
  const now = hourOfWeek(nowMs);
  const day = new Intl.DateTimeFormat(speech.locale, { weekday: 'short' });
  const dayName = (/** @type {number} */ i) => day.format(new Date(2024, 0, 1 + i)); // 1 January 2024 was a Monday
  const head = document.createElement('tr');
  head.append(document.createElement('td'), ...Array.from({ length: 24 }, (_, hour) => headCell('col', String(hour).padStart(2, '0'))));
  const rows = hours.map((values, i) => {
    const row = document.createElement('tr');
    row.append(headCell('row', dayName(i)), ...values.map((value, hour) => hourCell(value, level, now.day === i && now.hour === hour, dayName(i), hour, speech)));
    return row;
  });
  table.replaceChildren(head, ...rows);
}

/** @param {string} scope @param {string} words */
function headCell(scope, words) {
  const cell = document.createElement('th');
  cell.scope = scope;
  cell.textContent = words;
  return cell;
}

/** @param {number | null} value @param {(value: number) => number} level @param {boolean} isNow @param {string} day @param {number} hour @param {Speech} speech */
function hourCell(value, level, isNow, day, hour, speech) {
  const cell = document.createElement('td');
  const words = document.createElement('span');
  words.className = 'unseen';
  words.textContent = value === null ? speech.say('not_measured') : speech.number(Math.round(value));
  cell.dataset['level'] = value === null ? 'none' : String(level(value));
  if (isNow) cell.dataset['now'] = '';
  const at = { day, hour: `${String(hour).padStart(2, '0')}:00` };
  const meaning = value === null ? speech.say('best_hours_unknown', at) : speech.say('best_hours_cell', { ...at, value: Math.round(value) });
  cell.title = isNow ? `${meaning} · ${speech.say('so_far')}` : meaning;
  cell.append(words);
  return cell;
}

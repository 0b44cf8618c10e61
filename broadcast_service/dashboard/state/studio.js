/**
 * What the studio file says, as far as this access may know it: names, shifts, targets, currency, and what today is. Pure.
 *
 * Times come from the server, calculated in the studio's time zone. Without a studio file the day is that of the reader's browser.
 */

/** @typedef {{from: number, to: number}} Span Unix seconds; `to` is the first second after it */
/** @typedef {{name: string, from: number, to: number, rooms: string[], target: number | null}} Shift */
/** @typedef {{file: string, line: number | null, key: string | null, code: string, text: Record<string, string>}} Fault `text` by language */
/**
 * The answer of `GET api/studio`.
 * @typedef {object} StudioView
 * @property {boolean} configured
 * @property {string} timezone
 * @property {string | null} [locale] absent from servers of before
 * @property {{code: string, per_token: number} | null} currency
 * @property {Record<'yesterday' | 'today' | 'week' | 'half_month' | 'month', Span>} periods
 * @property {Shift[]} shifts of yesterday, today and tomorrow, in order
 * @property {{room_id: string, name: string | null, target: number | null}[]} rooms
 * @property {{platform: string, account: string, name: string | null, target: number | null}[]} accounts
 * @property {string[]} problems of a changed file that is not in use, in English
 * @property {Fault[]} [faults] the same in each language of the page; absent from servers of before
 */
/** @typedef {{untilMs: number, midnightMs: number}} Then a moment, and the beginning of its day */
/** @typedef {{tokens: number, isAccount: boolean}} Target `isAccount`: of the account, and not of the room on all its platforms */

import { daysBefore, midnightOf, nextMidnightOf } from './zone.js';

const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

export class StudioFacts {
  /** @type {StudioView | null} null before the server has answered */
  view = null;
  /** The studio's time zone for calculations; empty for the reader's own, also where the browser does not know the studio's. */
  zone = '';
  #day = { fromMs: 0, toMs: 0 };
  /** @type {Map<string, string>} */
  #rooms = new Map();
  /** @type {Map<string, string>} */
  #accounts = new Map();
  /** @type {Map<string, number>} */
  #roomTargets = new Map();
  /** @type {Map<string, number>} */
  #accountTargets = new Map();

  /** @param {StudioView | null} view */
  set(view) {
    this.view = view;
    this.zone = knownZone(this.timeZone) ?? '';
    this.#day = { fromMs: 0, toMs: 0 };
    const [rooms, accounts] = [view?.rooms ?? [], view?.accounts ?? []];
    this.#rooms = new Map(rooms.flatMap(({ room_id: id, name }) => (name === null ? [] : [[id, name]])));
    this.#accounts = new Map(accounts.flatMap((each) => (each.name === null ? [] : [[idOf(each), each.name]])));
    this.#roomTargets = new Map(rooms.flatMap(({ room_id: id, target }) => (target === null ? [] : [[id, target]])));
    this.#accountTargets = new Map(
      accounts.flatMap((each) => (each.target === null ? [] : [[idOf(each), each.target]])),
    );
  }

  get hasShifts() {
    return (this.view?.shifts.length ?? 0) > 0;
  }

  /** The names of the shifts, in order of the day. */
  get shiftNames() {
    return [...new Set((this.view?.shifts ?? []).map(({ name }) => name))];
  }

  /** The first mistake of a changed file, in a language if the server has it in that one. @param {string} language */
  problemIn(language) {
    return this.view?.faults?.[0]?.text[language] ?? this.view?.problems[0] ?? null;
  }

  /** The time zone for clocks and dates; undefined for the browser's own. */
  get timeZone() {
    return this.view?.configured ? this.view.timezone : undefined;
  }

  /** Whose forms numbers and times have, where the page speaks its language; empty for the reader's own. */
  get locale() {
    return this.view?.locale ?? '';
  }

  /** @param {string} room */
  roomName(room) {
    return this.#rooms.get(room) ?? room;
  }

  /** The name of an account, empty where there is none. @param {string} platform @param {string} account */
  accountName(platform, account) {
    return this.#accounts.get(idOf({ platform, account })) ?? '';
  }

  /** When the day of a moment began. @param {number} nowMs */
  midnightMs(nowMs) {
    const today = this.view?.configured && !this.zone ? this.view.periods.today : null;
    if (!today) return this.#midnightMs(nowMs);
    if (nowMs < today.from * 1000) return (this.view?.periods.yesterday ?? today).from * 1000;
    const days = Math.max(0, Math.floor((nowMs - today.to * 1000) / DAY_MS)); // the server has not sent the new day yet
    return nowMs < today.to * 1000 ? today.from * 1000 : today.to * 1000 + days * DAY_MS;
  }

  /** @param {number} nowMs */
  #midnightMs(nowMs) {
    if (nowMs < this.#day.fromMs || nowMs >= this.#day.toMs)
      this.#day = { fromMs: midnightOf(nowMs, this.zone), toMs: nextMidnightOf(nowMs, this.zone) };
    return this.#day.fromMs;
  }

  /** The same time of day a week before, and when that day began. @param {number} nowMs @returns {Then} */
  weekBefore(nowMs) {
    if (this.view?.configured && !this.zone) {
      const weekMs = WEEK_DAYS * DAY_MS; // without the rules of the zone, an hour off in the week of a clock change
      return { untilMs: nowMs - weekMs, midnightMs: this.midnightMs(nowMs) - weekMs };
    }
    const untilMs = daysBefore(nowMs, WEEK_DAYS, this.zone);
    return { untilMs, midnightMs: midnightOf(untilMs, this.zone) };
  }

  /** The shift that a room works at a moment. @param {string} room @param {number} nowMs @returns {Shift | null} */
  shiftOf(room, nowMs) {
    const now = nowMs / 1000;
    return this.view?.shifts.find(({ from, to, rooms }) => from <= now && now < to && covers(rooms, room)) ?? null;
  }

  /** All shifts that are on at a moment. @param {number} nowMs */
  shiftsAt(nowMs) {
    const now = nowMs / 1000;
    return this.view?.shifts.filter(({ from, to }) => from <= now && now < to) ?? [];
  }

  /**
   * The most specific target: of the account, the room or the shift.
   * @param {Shift} shift @param {{room: string, platform: string, account: string}} feed @returns {Target | null}
   */
  targetOf(shift, { room, platform, account }) {
    const own = this.#accountTargets.get(idOf({ platform, account }));
    if (own !== undefined) return { tokens: own, isAccount: true };
    const tokens = this.#roomTargets.get(room) ?? shift.target;
    return tokens === null ? null : { tokens, isAccount: false };
  }

  /** What tokens are worth to the studio. @param {number} tokens @returns {{code: string, amount: number} | null} */
  worth(tokens) {
    const currency = this.view?.currency;
    return currency ? { code: currency.code, amount: tokens * currency.per_token } : null;
  }
}

/** @param {{platform: string, account: string}} account */
const idOf = ({ platform, account }) => `${platform}\n${account}`;

/** @param {string[]} patterns ids, or prefixes ending in `*` @param {string} room */
const covers = (patterns, room) =>
  patterns.some((pattern) => (pattern.endsWith('*') ? room.startsWith(pattern.slice(0, -1)) : pattern === room));

/** A zone, undefined if this browser does not know it: times would be shown in the wrong one. @param {string | undefined} zone */
export function knownZone(zone) {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone && zone;
  } catch {
    return;
  }
}

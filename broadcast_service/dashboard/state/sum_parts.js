/** Which feeds a figure of several consists of, as an address spells them, and what each earned. Pure. */

import { MAX_WHY_SECONDS, readFeeds } from '../router.js';
import { safe } from './explanation.js';

/** @typedef {import('../link/api.js').PeriodReport} Report */
/** @typedef {import('../router.js').SumRoute} SumRoute */
/**
 * @typedef {object} Part
 * @property {string} room
 * @property {string} platform
 * @property {number} from
 * @property {number} to
 * @property {number} earned
 * @property {boolean} isKnown whether anything was read: else its income is unknown, and not zero
 * @property {number} betweenSessions part of it that was earned while no page read the account
 * @property {number | null} onAirSeconds null where the report does not say it of the part
 * @property {number} unsettled
 * @property {number} setAside
 */
/** @typedef {Pick<Part, 'earned' | 'betweenSessions' | 'unsettled' | 'setAside'> & {onAirSeconds: number}} Total */
/**
 * `others` are the parts that the server does not name: an account worked in more rooms than it lists. `idle` counts feeds that were read and
 * earned nothing. `isByTime`: the parts are months of one feed.
 * @typedef {{parts: Part[], others: {count: number, earned: number}, idle: number, isByTime: boolean, total: Total}} Sum
 */

/** Of more rooms the whole report is asked for. */
const MAX_NARROWED = 20;
/** Whether the parts of the only feed of a figure are calendar months: its span is too long to be explained at once. @param {SumRoute} route */
const isByTime = ({ from, to, feeds = '' }) => to - from > MAX_WHY_SECONDS && readFeeds(feeds).length === 1;

/** The parameters of the report that has the parts of a sum. @param {SumRoute} route @param {string} zone @returns {Record<string, string | number>} */
export function requestOf(route, zone) {
  const { from, to, feeds = '', platform = '', account } = route;
  const [start, end] = [Math.floor(from / 60) * 60, Math.ceil(to / 60) * 60];
  const named = readFeeds(feeds);
  const rooms = [...new Set(named.map(({ room }) => room))];
  const platforms = [...new Set(named.map((feed) => feed.platform))];
  return {
    from: start,
    to: end,
    ...(isByTime(route) ? { step: 'month', ...(zone ? { tz: zone } : {}) } : { step: end - start }),
    ...(account === undefined ? {} : { by: 'account' }),
    ...(rooms.length > 0 && rooms.length <= MAX_NARROWED
      ? { rooms: rooms.join(','), platforms: platforms.join(',') }
      : platform
        ? { platforms: platform }
        : {}),
  };
}

/** @param {Report} report @param {SumRoute} route @returns {Sum} the part that earned most first, or the first month */
export function sumOf(report, route) {
  if (isByTime(route)) return monthsOf(report, route);
  return route.account === undefined ? feedsOf(report, route) : accountRoomsOf(report, route);
}

const NO_OTHERS = { count: 0, earned: 0 };

/** @param {import('../router.js').FeedName} feed */
const keyOf = ({ room, platform }) => `${room}\n${platform}`;

/** @param {Report} report @param {SumRoute} route @returns {Sum} */
function feedsOf(report, { feeds = '' }) {
  const { from, to } = report;
  const wanted = new Set(readFeeds(feeds).map(keyOf));
  const all = report.feeds
    .map((feed) => ({
      room: feed.room_id,
      platform: feed.platform,
      from,
      to,
      earned: feed.earned,
      isKnown: true,
      ...figuresOf(feed),
    }))
    .filter((feed) => wanted.size === 0 || wanted.has(keyOf(feed)));
  const parts = all.filter(({ earned, unsettled, setAside }) => earned > 0 || unsettled > 0 || setAside > 0);
  const rooms = [...new Set(all.map((feed) => feed.room))];
  const ofRoom = rooms.length === 1 ? report.rooms.find((one) => one.room_id === rooms[0]) : undefined;
  const add = (/** @type {(part: Part) => number} */ of) => all.reduce((sum, part) => sum + of(part), 0);
  const total = {
    earned: add(({ earned }) => earned),
    betweenSessions: add((part) => part.betweenSessions),
    // on two platforms at once a room is on air once
    onAirSeconds: ofRoom?.on_air_seconds ?? add(({ onAirSeconds }) => onAirSeconds ?? 0),
    unsettled: add(({ unsettled }) => unsettled),
    setAside: add(({ setAside }) => setAside),
  };
  return { parts, others: NO_OTHERS, idle: all.length - parts.length, isByTime: false, total };
}

/** @param {Report} report @param {SumRoute} route @returns {Sum} */
function accountRoomsOf(report, route) {
  const { from, to } = report;
  const row = accountOf(report, route);
  const platform = route.platform ?? '';
  const parts = (row?.rooms ?? []).map(({ room_id: room, earned }) => ({
    room,
    platform,
    from,
    to,
    earned,
    ...UNKNOWN,
  }));
  const total = { earned: row?.earned ?? 0, ...figuresOf(row ?? {}) };
  const rest = total.earned - parts.reduce((sum, { earned }) => sum + earned, 0);
  const others = row?.other_rooms ? { count: row.other_rooms, earned: rest } : NO_OTHERS;
  return { parts, others, idle: 0, isByTime: false, total: { ...total, onAirSeconds: total.onAirSeconds ?? 0 } };
}

/** @param {Report} report @param {SumRoute} route */
function accountOf({ accounts = [] }, { account, platform }) {
  return accounts.find((row) => (row.account ?? '') === account && row.platform === platform);
}

/** @param {Report} report @param {SumRoute} route @returns {Sum} */
function monthsOf(report, route) {
  const { room = '', platform = '' } = readFeeds(route.feeds ?? '')[0] ?? {};
  const account = route.account === undefined ? null : accountOf(report, { ...route, platform });
  const steps = (account === null ? report.earned : account?.steps) ?? [];
  const starts = [...(report.starts ?? [report.from]), report.to];
  const parts = steps.map((amount, i) => ({
    ...{ room, platform, from: starts[i] ?? report.from, to: starts[i + 1] ?? report.to, earned: amount },
    ...UNKNOWN,
    isKnown: amount > 0 || report.measured_minutes?.[i] !== 0,
  }));
  const figures = figuresOf((account === null ? report : account) ?? {});
  const earned = parts.reduce((sum, part) => sum + part.earned, 0);
  const total = { ...figures, earned, onAirSeconds: figures.onAirSeconds ?? 0 };
  return { parts, others: NO_OTHERS, idle: 0, isByTime: true, total };
}

/** Figures that a report does not have of a part. */
const UNKNOWN = { isKnown: true, betweenSessions: 0, onAirSeconds: null, unsettled: 0, setAside: 0 };

/** @param {import('../link/api.js').Figures} figures those that are absent are 0 */
function figuresOf({ between_sessions: between = 0, on_air_seconds: seconds, unsettled = 0, set_aside: setAside = 0 }) {
  return { betweenSessions: between, onAirSeconds: seconds ?? null, unsettled, setAside };
}

/** How the text of a file is written. @typedef {{mark: string, separator: string, head: string[], moment: (seconds: number) => string}} Format */

/** For programs: UTC and commas. @type {Format} */
export const MACHINE = {
  mark: '',
  separator: ',',
  head: ['room', 'platform', 'from', 'to', 'earned', 'unsettled', 'set_aside'],
  moment: (seconds) => new Date(seconds * 1000).toISOString(),
};

/** `2026-11-27 14:05:00`, as spreadsheets read it in every language. @param {number} seconds @param {string} [timeZone] an IANA name */
export const localTime = (seconds, timeZone) =>
  new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone }).format(seconds * 1000);

/** @param {Part[]} parts @param {Format} format */
export function textOfSum(parts, { mark, separator, head, moment }) {
  const lines = parts.map(({ room, platform, from, to, earned, unsettled, setAside }) =>
    [safe(room), platform, moment(from), moment(to), earned, unsettled, setAside].join(separator),
  );
  return `${mark}${[head.join(separator), ...lines, ''].join('\r\n')}`;
}

/** What the analytics view makes of a report: rows of a table, their order, and the series of its chart. Pure. */

/** @typedef {import('../link/api.js').PeriodReport} Report */
/** @typedef {import('../link/api.js').Doubtful} Doubtful */
/** @typedef {'room' | 'account' | 'platform'} By */
/** @typedef {'name' | 'earned' | 'change' | 'hours' | 'rate' | 'unsettled'} Column */
/** @typedef {{column: Column, descending: boolean}} Order */
/** @typedef {{room: string, platform: string, earned: number}} Part the income of one feed */
/**
 * @typedef {object} Row
 * @property {string} key
 * @property {By} by
 * @property {string} id the room, account or platform; empty for readings without an account
 * @property {string} platform of an account
 * @property {string} feed the platform on which a room earned most
 * @property {Part[]} parts the feeds in which it was earned, most first: all of them, or the first ones
 * @property {number} otherParts how many feeds are not among them
 * @property {number} earned
 * @property {number[]} steps
 * @property {number | null} before its income in the period before; null where that is unknown
 * @property {number} onAirSeconds
 * @property {number | null} rate tokens per hour on air, without income between sessions
 * @property {number} unsettled
 * @property {number} setAside
 * @property {Doubtful | null} firstUnsettled
 * @property {Doubtful | null} firstSetAside
 */

/** Of the minutes that were measured in a period, at least this share has to be measured in the one that it is compared with. */
const MIN_COMPARABLE = 0.8;
/** Of a platform's many rooms, as many are listed as the server lists of an account's. */
const MAX_PARTS = 8;
/** So many damaged days are named. */
const MAX_DAMAGED = 4;
/** Less time on air gives no hourly rate. */
const PACE_SECONDS = 900;
export const BY = /** @type {By[]} */ (['room', 'account', 'platform']);
export const COLUMNS = /** @type {Column[]} */ (['name', 'earned', 'change', 'hours', 'rate', 'unsettled']);

/** @typedef {{room_id?: string, platform?: string, account?: string | null, earned: number} & Partial<import('../link/api.js').Figures>} Listed */

/** @param {Report} report @param {By} by @returns {Listed[]} */
function listOf(report, by) {
  if (by === 'account') return report.accounts ?? [];
  return by === 'room' ? report.rooms : report.platforms;
}

/** @param {Listed} row @param {By} by */
function keyOf(row, by) {
  if (by === 'account') return `${row.platform}\n${row.account ?? ''}`;
  return (by === 'room' ? row.room_id : row.platform) ?? '';
}

/**
 * The days of rooms that the report lacks because their archive is damaged, as words; empty for none.
 * @param {Pick<Report, 'damaged'>} report @param {(room: string) => string} roomName @param {import('../i18n/i18n.js').I18n} i18n
 */
export function damagedWords({ damaged = [] }, roomName, i18n) {
  const days = [...new Set(damaged.map(({ day, room_id: room }) => `${roomName(room)} ${i18n.date(day)}`))];
  if (days.length === 0) return '';
  const shown = days.slice(0, MAX_DAMAGED).join(', ') + (days.length > MAX_DAMAGED ? ', …' : '');
  return i18n.t('damaged_days', { count: days.length, days: shown });
}

/**
 * The period before, or null where it was measured too little to be compared with: an income of a few recorded minutes makes any other look
 * like a multiple of it. Nor is one compared that lacks damaged days.
 * @param {Report} report @param {Report | null} before
 */
export function comparable(report, before) {
  const measured = (/** @type {Report} */ { measured_minutes: minutes = [] }) => minutes.reduce((sum, n) => sum + n, 0);
  const enough = before !== null && measured(before) > 0 && measured(before) >= MIN_COMPARABLE * measured(report);
  return enough && !report.damaged?.length && !before.damaged?.length ? before : null;
}

/** @param {Report} report @param {Report | null} before of the period before @param {By} by @returns {Row[]} */
export function rowsOf(report, before, by) {
  const feeds = new Map([...report.feeds].reverse().map((feed) => [feed.room_id, feed.platform])); // the first one earned most
  const earlier = new Map((before ? listOf(before, by) : []).map((row) => [keyOf(row, by), row.earned]));
  const knowsBefore = before !== null && before.measured_minutes?.some(Boolean) === true;
  return listOf(report, by).map((row) => {
    const key = keyOf(row, by);
    const onAirSeconds = row.on_air_seconds ?? 0;
    return {
      key,
      by,
      id: (by === 'account' ? row.account : key) ?? '',
      platform: by === 'account' ? (row.platform ?? '') : '',
      feed: by === 'room' ? (feeds.get(key) ?? '') : '',
      ...partsOf(row, report, by),
      earned: row.earned,
      steps: row.steps ?? [],
      before: knowsBefore ? (earlier.get(key) ?? 0) : null,
      onAirSeconds,
      rate: rateOf(row.earned - (row.between_sessions ?? 0), onAirSeconds),
      unsettled: row.unsettled ?? 0,
      setAside: row.set_aside ?? 0,
      firstUnsettled: row.first_unsettled ?? null,
      firstSetAside: row.first_set_aside ?? null,
    };
  });
}

/**
 * In which feeds a row was earned: its readings explain it.
 * @param {Listed & {rooms?: {room_id: string, earned: number}[], other_rooms?: number}} row @param {Report} report @param {By} by
 * @returns {{parts: Part[], otherParts: number}}
 */
function partsOf(row, report, by) {
  if (by === 'account') {
    const parts = (row.rooms ?? []).map(({ room_id: room, earned }) => ({
      room,
      platform: row.platform ?? '',
      earned,
    }));
    return { parts, otherParts: row.other_rooms ?? 0 };
  }
  const name = by === 'room' ? 'room_id' : 'platform';
  const parts = report.feeds
    .filter((feed) => feed[name] === row[name])
    .map(({ room_id: room, platform, earned }) => ({ room, platform, earned }));
  return { parts: parts.slice(0, MAX_PARTS), otherParts: Math.max(0, parts.length - MAX_PARTS) };
}

/**
 * Whether any minute of a report has a reading; without one its figures are unknown. An older server does not report the minutes.
 * @param {Pick<Report, 'measured_minutes' | 'rooms'>} report
 */
export const wasMeasured = ({ measured_minutes: minutes, rooms }) => minutes?.some(Boolean) ?? rooms.length > 0;

/** Tokens per hour on air. @param {number} earned @param {number} seconds */
export function rateOf(earned, seconds) {
  return seconds >= PACE_SECONDS ? (earned * 3600) / seconds : null;
}

/** By what part income changed; null where nothing was earned or known before. @param {number} now @param {number | null} before */
export function changeOf(now, before) {
  return before ? (now - before) / before : null;
}

/** Room-hours of a report: a room on three platforms is one room. @param {Report} report */
export function secondsOnAir(report) {
  return report.rooms.reduce((sum, { on_air_seconds: seconds = 0 }) => sum + seconds, 0);
}

/** @param {Row} row @param {Column} column */
function columnValue(row, column) {
  switch (column) {
    case 'earned':
      return row.earned;
    case 'change':
      return changeOf(row.earned, row.before);
    case 'hours':
      return row.onAirSeconds;
    case 'rate':
      return row.rate;
    default:
      return row.unsettled * 1000 + row.setAside;
  }
}

/**
 * Rows in order; unknown values come last in either direction, and equal ones stay in the order of their names.
 * @param {Row[]} rows @param {Order} order @param {(row: Row) => string} nameOf
 */
export function sorted(rows, { column, descending }, nameOf) {
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
  const byName = (/** @type {Row} */ a, /** @type {Row} */ b) => collator.compare(nameOf(a), nameOf(b));
  const sign = descending ? -1 : 1;
  if (column === 'name') return [...rows].sort((a, b) => sign * byName(a, b));
  return [...rows].sort((a, b) => {
    const [left, right] = [columnValue(a, column), columnValue(b, column)];
    if (left === null || right === null) return Number(left === null) - Number(right === null) || byName(a, b);
    return sign * (left - right) || byName(a, b);
  });
}

/** The order after a click on a column's heading: numbers begin with the largest, names with the first. @param {Order} order @param {Column} column @returns {Order} */
export function reordered(order, column) {
  return column === order.column
    ? { column, descending: !order.descending }
    : { column, descending: column !== 'name' };
}

/**
 * The series of a stacked chart: the rows that earned most, and one of all others. The sum of a step is that of the report.
 * @param {Row[]} rows the one that earned most first @param {number[]} totals by step @param {number} most
 * @returns {{rows: Row[], values: number[][], rest: number[] | null}}
 */
export function stacked(rows, totals, most) {
  const earning = rows.filter(({ earned }) => earned > 0);
  const shown = earning.slice(0, earning.length > most ? most - 1 : most);
  const values = shown.map(({ steps }) => totals.map((_, i) => steps[i] ?? 0));
  const rest = totals.map((total, i) => total - values.reduce((sum, one) => sum + (one[i] ?? 0), 0));
  return { rows: shown, values, rest: rest.some((amount) => amount > 0) ? rest : null };
}

/**
 * What the bars of a chart consist of: the rows of the table, or the platforms where so many rows earned that most of each bar would be of all
 * others.
 * @param {Report} report @param {By} by of the table @param {number} most series of a chart @returns {By}
 */
export function seriesBy(report, by, most) {
  const earning = listOf(report, by).filter(({ earned }) => earned > 0);
  if (earning.length <= most || report.platforms.filter(({ earned }) => earned > 0).length < 2) return by;
  const named = earning.slice(0, most - 1).reduce((sum, { earned }) => sum + earned, 0);
  return named * 2 < report.total ? 'platform' : by;
}

/** When the steps of a report begin, and when the last one ends, in milliseconds. @param {Report} report */
export function startsOf({ from, to, step, earned, starts }) {
  const begins = starts ?? earned.map((_, i) => from + i * Number(step));
  return [...begins, to].map((second) => second * 1000);
}

/**
 * The state of each step: it has not begun, has no reading, is not over, or is over.
 * @param {Report} report @param {number} nowMs @returns {('future' | 'unknown' | 'open' | 'over')[]}
 */
export function statesOf(report, nowMs) {
  const starts = startsOf(report);
  return report.earned.map((amount, i) => {
    if ((starts[i] ?? 0) > nowMs) return 'future';
    if (!(report.measured_minutes ? report.measured_minutes[i] : amount)) return 'unknown';
    return (starts[i] ?? 0) <= nowMs && nowMs < (starts[i + 1] ?? 0) ? 'open' : 'over';
  });
}

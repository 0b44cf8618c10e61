/**
 * The periods of the analytics view, and the requests for each. The server knows the calendar: the page names a period and the zone, and never
 * calculates where a day, a week or a shift begins. Pure.
 */

/** @typedef {'shift' | 'today' | 'yesterday' | 'day' | 'week' | 'half_month' | 'month' | 'range'} ReportPeriod */
/**
 * Dates only with `range`; `back` counts periods before the current one; `shift` is a name, only with `shift`: absent, it is the one that began last.
 * @typedef {{period: ReportPeriod, from: string, to: string, back: number, shift?: string}} Choice
 */

const ALL = /** @type {ReportPeriod[]} */ ([
  'shift',
  'today',
  'yesterday',
  'day',
  'week',
  'half_month',
  'month',
  'range',
]);
const DATE = /^\d{4}-\d{2}-\d{2}$/u;
const MAX_BACK = 59;
const [HOUR, DAY] = [3600, 86_400];
/** It has figures at any time of the day. */
const DEFAULT = 'day';

/** The periods on offer: a shift only where the studio has some. @param {boolean} hasShifts */
export const periodsOf = (hasShifts) => ALL.filter((period) => hasShifts || period !== 'shift');

/** What the address asks for, by default the last 24 hours. @param {URLSearchParams} query @returns {Choice} */
export function readChoice(query) {
  const name = query.get('period');
  const [from, to] = [query.get('from') ?? '', query.get('to') ?? ''];
  const period = ALL.find((known) => known === name) ?? DEFAULT;
  const back = /^\d{1,2}$/u.test(query.get('back') ?? '') ? Math.min(MAX_BACK, Number(query.get('back'))) : 0;
  const shift = query.get('shift') ?? '';
  const named = period === 'shift' && shift ? { shift } : {};
  if (period !== 'range') return { period, from: '', to: '', back, ...named };
  return DATE.test(from) && DATE.test(to) && from <= to
    ? { period, from, to, back: 0 }
    : { period: DEFAULT, from: '', to: '', back: 0 };
}

/** @param {Choice} choice @param {URLSearchParams} query */
export function writeChoice({ period, from, to, back, shift }, query) {
  for (const name of ['from', 'to', 'back', 'shift']) query.delete(name);
  query.set('period', period);
  if (shift) query.set('shift', shift);
  if (period === 'range') {
    query.set('from', from);
    query.set('to', to);
  }
  if (back) query.set('back', String(back));
}

/**
 * The parameters of a report of the choice, and with `before` of the equal period before it.
 * @param {Choice} choice @param {string} zone an IANA name, or empty for the studio's @param {number} nowMs @param {{before?: boolean}} [options]
 * @returns {Record<string, string | number>}
 */
export function requestOf({ period, from, to, back, shift }, zone, nowMs, { before = false } = {}) {
  const times = back + (before ? 1 : 0);
  const named = zone ? { tz: zone } : {};
  const isCut = before && back === 0;
  if (period === 'day') {
    const hour = Math.floor(nowMs / 1000 / HOUR) * HOUR; // whole hours, up to the end of the current one
    const end = hour + HOUR - times * DAY;
    return { from: end - DAY, to: isCut ? Math.max(end - DAY + 60, Math.floor(nowMs / 1000) - DAY) : end, ...named };
  }
  return {
    ...(period === 'range' ? { from, to } : { period, ...(shift ? { shift } : {}) }),
    ...(times ? { back: times } : {}),
    ...(isCut ? { elapsed: 1 } : {}),
    ...named,
  };
}

/** A step towards the past (1) or the present (-1); null where there is none. @param {Choice} choice @param {number} by @returns {Choice | null} */
export function stepped(choice, by) {
  const back = choice.back + by;
  return choice.period === 'range' || back < 0 || back > MAX_BACK ? null : { ...choice, back };
}

/**
 * The periods of the analytics view, and the requests for each. The server knows the calendar: the page names a period and the zone, and never
 * calculates where a day, a week or a shift begins. Pure.
 */

/** @typedef {'shift' | 'today' | 'yesterday' | 'week' | 'half_month' | 'month' | 'range'} ReportPeriod */
/** @typedef {{period: ReportPeriod, from: string, to: string, back: number}} Choice dates only with `range`; `back` counts periods before the current one */

const ALL = /** @type {ReportPeriod[]} */ (['shift', 'today', 'yesterday', 'week', 'half_month', 'month', 'range']);
const DATE = /^\d{4}-\d{2}-\d{2}$/u;
const MAX_BACK = 59;

/** The periods on offer: a shift only where the studio has some. @param {boolean} hasShifts */
export const periodsOf = (hasShifts) => ALL.filter((period) => hasShifts || period !== 'shift');

/** What the address asks for; names of before are read too. @param {URLSearchParams} query @returns {Choice} */
export function readChoice(query) {
  const name = query.get('period') === 'day' ? 'today' : query.get('period');
  const [from, to] = [query.get('from') ?? '', query.get('to') ?? ''];
  const period = ALL.find((known) => known === name) ?? 'today';
  const back = /^\d{1,2}$/u.test(query.get('back') ?? '') ? Math.min(MAX_BACK, Number(query.get('back'))) : 0;
  if (period !== 'range') return { period, from: '', to: '', back };
  return DATE.test(from) && DATE.test(to) && from <= to
    ? { period, from, to, back: 0 }
    : { period: 'today', from: '', to: '', back: 0 };
}

/** @param {Choice} choice @param {URLSearchParams} query */
export function writeChoice({ period, from, to, back }, query) {
  for (const name of ['from', 'to', 'back']) query.delete(name);
  query.set('period', period);
  if (period === 'range') {
    query.set('from', from);
    query.set('to', to);
  }
  if (back) query.set('back', String(back));
}

/**
 * The parameters of a report of the choice, and with `before` of the equal period before it.
 * @param {Choice} choice @param {string} zone an IANA name, or empty for the studio's @param {{before?: boolean}} [options]
 * @returns {Record<string, string | number>}
 */
export function requestOf({ period, from, to, back }, zone, { before = false } = {}) {
  const span = period === 'range' ? { from, to } : { period };
  const times = back + (before ? 1 : 0);
  return {
    ...span,
    ...(times ? { back: times } : {}),
    ...(before && back === 0 ? { elapsed: 1 } : {}),
    ...(zone ? { tz: zone } : {}),
  };
}

/** A step towards the past (1) or the present (-1); null where there is none. @param {Choice} choice @param {number} by @returns {Choice | null} */
export function stepped(choice, by) {
  const back = choice.back + by;
  return choice.period === 'range' || back < 0 || back > MAX_BACK ? null : { ...choice, back };
}

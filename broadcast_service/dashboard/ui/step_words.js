/** What a report's span and steps are called, in the zone of the report. */

import { Weekdays } from '../i18n/i18n.js';
import { startsOf } from '../state/report_rows.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../link/api.js').PeriodReport} PeriodReport */

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const LABELS = {
  hour: { hour: 'numeric' },
  date: { day: 'numeric' },
  month: { month: 'short' },
};
/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const MOMENTS = {
  hour: { weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' },
  day: { weekday: 'short', day: 'numeric', month: 'short' },
  date: { weekday: 'short', day: 'numeric', month: 'short' },
  month: { month: 'long', year: 'numeric' },
};
const WEEK_OF_DAYS = 10;

/** @param {PeriodReport} report @param {string} zone where the report names none @param {I18n} i18n */
export function stepWords(report, zone, i18n) {
  const timeZone = report.timezone || zone || undefined;
  const starts = startsOf(report).slice(0, -1);
  const kind =
    typeof report.step === 'number'
      ? 'hour'
      : report.step === 'month'
        ? 'month'
        : starts.length > WEEK_OF_DAYS
          ? 'date'
          : 'day';
  const label =
    kind === 'day'
      ? new Weekdays(i18n.locale, timeZone)
      : new Intl.DateTimeFormat(i18n.locale, { ...LABELS[kind], timeZone });
  const moment = new Intl.DateTimeFormat(i18n.locale, { ...MOMENTS[kind], timeZone });
  const end = new Intl.DateTimeFormat(i18n.locale, {
    ...MOMENTS[report.to - report.from < 86_400 ? 'hour' : 'day'],
    timeZone,
  });
  const last = report.to - (report.to - report.from < 86_400 ? 0 : 1);
  return {
    labels: starts.map((at) => label.format(at)),
    moments: starts.map((at) => moment.format(at)),
    span: `${end.formatRange(report.from * 1000, last * 1000)}${timeZone ? ` · ${i18n.zoneName(timeZone)}` : ''}`,
  };
}

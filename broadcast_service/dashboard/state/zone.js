/**
 * Times of day in a time zone, pure. Without the name of a zone they are those of the reader's browser.
 *
 * A time of day that a change of the clocks skips is the moment of the change, and one that occurs twice is the first of the two, as in
 * the server's calendar.
 */

const DAY_MS = 86_400_000;
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} zone */
function formatOf(zone) {
  const known = formats.get(zone);
  if (known) return known;
  const options = /** @type {const} */ ({
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  });
  const format = new Intl.DateTimeFormat('en', { ...options, timeZone: zone });
  formats.set(zone, format);
  return format;
}

/** What a clock of the zone shows, as the Unix milliseconds at which one in UTC shows the same. @param {number} ms @param {string} zone */
export function localOf(ms, zone) {
  if (!zone) return ms - new Date(ms).getTimezoneOffset() * 60_000;
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (ms - Math.floor(ms / 1000) * 1000);
}

/** @param {number} ms @param {string} zone */
const offsetOf = (ms, zone) => localOf(ms, zone) - ms;

/** The moment at which a clock of the zone shows a time, which is given as by `localOf`. @param {number} local @param {string} zone */
export function momentOf(local, zone) {
  const [before, after] = [offsetOf(local - DAY_MS, zone), offsetOf(local + DAY_MS, zone)];
  const [first, second] = [local - before, local - after];
  if (before === after || offsetOf(first, zone) === before) return first;
  if (offsetOf(second, zone) === after) return second;
  let [low, high] = [second, first]; // the clocks skip this time
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetOf(middle, zone) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** When the day of a moment began. @param {number} ms @param {string} zone */
export const midnightOf = (ms, zone) => momentOf(Math.floor(localOf(ms, zone) / DAY_MS) * DAY_MS, zone);

/** When the day after the one of a moment begins. @param {number} ms @param {string} zone */
export const nextMidnightOf = (ms, zone) => momentOf((Math.floor(localOf(ms, zone) / DAY_MS) + 1) * DAY_MS, zone);

/** The same time of day some days before; with a negative number, after. @param {number} ms @param {number} days @param {string} zone */
export const daysBefore = (ms, days, zone) => momentOf(localOf(ms, zone) - days * DAY_MS, zone);

/** The day of the week, 0 for Monday, and the hour of a moment. @param {number} ms @param {string} zone */
export function hourOfWeek(ms, zone) {
  const local = new Date(localOf(ms, zone));
  return { day: (local.getUTCDay() + 6) % 7, hour: local.getUTCHours() };
}

/** A zone, or the reader's own in place of an empty one; empty where the browser does not know its own. @param {string} zone */
export function zoneOrOwn(zone) {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone || (own && own !== 'Etc/Unknown' ? own : '');
}

/** The numbers of a reading, each declared once: what the store copies, the list sorts by, the totals add up and the cards show derives from here. */

/**
 * @typedef {object} Metric
 * @property {'tokens' | 'tips' | 'viewers' | 'goal'} name in an event's `data`, in a feed, in the query and on the page
 * @property {boolean} isActivity a change is worth a flash of the card
 * @property {boolean} isSorted the list can be sorted by it, highest first
 * @property {boolean} isSummed the totals add it up over the rooms on air
 */

/** @type {readonly Metric[]} */
export const METRICS = [
  { name: 'tokens', isActivity: true, isSorted: true, isSummed: false },
  { name: 'tips', isActivity: true, isSorted: true, isSummed: true },
  { name: 'viewers', isActivity: true, isSorted: true, isSummed: true },
  { name: 'goal', isActivity: false, isSorted: false, isSummed: false },
];

/** @typedef {Record<Metric['name'], number | null>} MetricValues null: unknown */

/** The metrics of an event or a feed, and nothing else of it. @param {MetricValues} source @returns {MetricValues} */
export const metricsOf = (source) =>
  /** @type {MetricValues} */ (Object.fromEntries(METRICS.map(({ name }) => [name, source[name]])));

/** All unknown. @returns {MetricValues} */
export const unknownMetrics = () =>
  /** @type {MetricValues} */ (Object.fromEntries(METRICS.map(({ name }) => [name, null])));

/** Whether something happened between two readings of a feed. @param {MetricValues} before @param {MetricValues} after */
export const isActivityBetween = (before, after) =>
  METRICS.some(({ name, isActivity }) => isActivity && before[name] !== after[name]);

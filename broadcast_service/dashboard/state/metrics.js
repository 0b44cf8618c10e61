/**
 * The metrics of a reading, each declared once: what the store copies, the list sorts by, the totals add up, and cards, the room's view and its charts show
 * follows from here. They are those of `METRICS` in shared/contract/readings.py; tests/unit/shared/test_metrics.py compares the two.
 *
 * The balance and the goal have places of their own. A metric with `isCount` has a figure on cards and in the room's view, a total, an order and an
 * explanation. Both languages have its words: `<name>`, `kpi_<name>`, `kpi_<name>_sub`, `sort_<name>` and `explain_<name>`.
 */

export const METRICS = /** @type {const} */ ([
  { name: 'tokens', isCount: false, isCharted: false },
  { name: 'viewers', isCount: true, isCharted: true },
  { name: 'tips', isCount: true, isCharted: false },
  { name: 'goal', isCount: false, isCharted: false },
]);

/** @typedef {typeof METRICS[number]} Metric `isCharted`: the room's view has a chart of it */
/** @typedef {Metric['name']} MetricName in an event's `data`, in a feed, in the query and on the page */
/** @typedef {Extract<Metric, {isCount: true}>} Count */
/** @typedef {Record<MetricName, number | null>} MetricValues null: unknown */

export const COUNTS = METRICS.filter((metric) => metric.isCount);
export const CHARTED = COUNTS.filter(({ isCharted }) => isCharted);

/** The metrics of an event or a feed, and nothing else of it. @param {MetricValues} source @returns {MetricValues} */
export const metricsOf = (source) =>
  /** @type {MetricValues} */ (Object.fromEntries(METRICS.map(({ name }) => [name, source[name] ?? null])));

/** All unknown. @returns {MetricValues} */
export const unknownMetrics = () =>
  /** @type {MetricValues} */ (Object.fromEntries(METRICS.map(({ name }) => [name, null])));

'use strict';

/**
 * A page, as numbers. Elements are looked up at every reading and never kept: these sites redraw at will.
 * What is not plainly there is reported by a status, never as zero.
 */

/** @param {string} host */
function adapterForHost(host) {
  return studioPulseAdapters.find(({ hosts }) => hosts.some((domain) => `.${host}`.endsWith(`.${domain}`)));
}

/** @param {Adapter} adapter @param {ParentNode} page @param {string} path */
function isOwnPage(adapter, page, path) {
  const match = new RegExp(adapter.ownPage.path, 'u').exec(path);
  const owner = match && page.querySelector(adapter.ownPage.present);
  if (!match || !owner) return false;
  const name = match[1];
  return name === undefined || (owner.textContent ?? '').trim().toLowerCase() === name.toLowerCase();
}

/** @param {Adapter} adapter @param {ParentNode} page @returns {Metrics} */
function readMetrics(adapter, page) {
  return Object.fromEntries(
    Object.entries(adapter.metrics).map(([metric, hypotheses]) => [metric, readMetric(hypotheses, page)]));
}

/**
 * The first hypothesis that finds something decides, right or wrong: falling through from a number that cannot be
 * read to a looser guess would sometimes answer with another number.
 *
 * @param {Hypothesis[]} hypotheses
 * @param {ParentNode} page
 * @returns {MetricReading}
 */
function readMetric(hypotheses, page) {
  /** @type {MetricReading} */
  let best = { status: 'missing' };
  for (const hypothesis of hypotheses) {
    const reading = readHypothesis(hypothesis, page);
    if (reading.status !== 'missing' && reading.status !== 'hidden') return { ...reading, via: hypothesis.id };
    if (best.status === 'missing' && reading.status === 'hidden') best = { ...reading, via: hypothesis.id };
  }
  return best;
}

/** @param {Hypothesis} hypothesis @param {ParentNode} page @returns {MetricReading} */
function readHypothesis({ css, pick, part, min, max }, page) {
  const found = [...page.querySelectorAll(css)];
  const visible = found.filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
  if (visible.length === 0) return { status: found.length === 0 ? 'missing' : 'hidden' };
  const considered = pick === 'first' ? visible.slice(0, 1) : visible;
  const reading = agreeing(considered.map((element) => parseCount(element.textContent ?? '', part)));
  const outside = reading.value !== undefined && (reading.value < min || reading.value > max);
  return outside ? { status: 'out_of_range' } : reading;
}

/**
 * Copies of one number (header and menu) are fine; different numbers are ambiguous.
 *
 * @param {MetricReading[]} readings
 * @returns {MetricReading}
 */
function agreeing(readings) {
  const shown = readings.filter(({ status }) => status !== 'missing');
  const [first] = shown;
  if (!first) return { status: 'missing' };
  const same = shown.every(({ status, value }) => status === first.status && value === first.value);
  return same ? first : { status: 'ambiguous' };
}

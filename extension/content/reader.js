'use strict';

/**
 * A page, as numbers. Elements are looked up at every look and never kept: these sites redraw at will.
 * A number that is not plainly visible is reported by a status, never as zero.
 */

/** How often one class of a build is searched for; in between the full names that were found are used. */
var BUILT_SEARCH_MS = 5000;
/** @type {Map<string, { at: number, names: string[] }>} stable part of a class → when it was searched, the names found */
var builtClasses = new Map();

/**
 * A search visits every element of the page, so it is not made at every check: found elements are checked again while they are on
 * the page and still matches, and searched for anew when it is not, or now and then, in case another one has come.
 */
var SEARCH_MS = 5000;
/** Elements that have long been absent are searched for in turns. */
var REST_MS = 2500;
var LONG_ABSENT_MS = 20_000;
var MAX_SEARCHES = 2;
/** @type {Map<string, { at: number, absentSince: number, found: WeakRef<Element>[] }>} by selector */
var searches = new Map();
/** Searches of this look that could have waited. */
var optional = { at: -Infinity, count: 0 };

/** @param {string} host */
function adapterForHost(host) {
  return studioPulseAdapters.find(({ hosts }) => hosts.some((domain) => `.${host}`.endsWith(`.${domain}`)));
}

/** The account name that the path of a broadcast page holds. @param {Adapter} adapter @param {string} path */
function accountName(adapter, path) {
  return new RegExp(adapter.ownPage.path, 'u').exec(path)?.[1]?.toLowerCase();
}

/** @param {Adapter} adapter @param {Document} page @param {string} path @param {number} [now] @returns {Ownership} */
function ownership(adapter, page, path, now = performance.now()) {
  if (!new RegExp(adapter.ownPage.path, 'u').test(path)) return 'none';
  const name = accountName(adapter, path);
  const isOwner = (/** @type {Element} */ owner) => (name === undefined ? isShown(owner) : showsName(owner, name));
  return [adapter.ownPage.present].flat().some((css) => search(css, page, now).some(isOwner)) ? 'own' : 'unproven';
}

/** @param {Adapter} adapter @param {Document} page @param {string} path */
function isOwnPage(adapter, page, path) {
  return ownership(adapter, page, path) === 'own';
}

/** "alice", "Alice" and "alice 3" with a badge are alice; "alice b" is another person. @param {Element} owner @param {string} name */
function showsName(owner, name) {
  const shown = readVisibleText(owner);
  const text = shown.text.trim().toLowerCase();
  return (
    shown.isShown &&
    (text === name || (text.startsWith(name) && /^\s+[\s\d()+.,!•●·]*$/u.test(text.slice(name.length))))
  );
}

/** @param {Adapter} adapter @param {Document} page @param {number} [now] @returns {Metrics} */
function readMetrics(adapter, page, now = performance.now()) {
  return Object.fromEntries(
    Object.entries(adapter.metrics).map(([metric, hypotheses]) => [metric, readMetric(hypotheses, page, now)]),
  );
}

/**
 * The first hypothesis that finds something decides, right or wrong: falling through from a number that cannot be
 * read to a looser guess would sometimes answer with another number.
 *
 * @param {Hypothesis[]} hypotheses
 * @param {Document} page
 * @param {number} [now]
 * @returns {MetricReading}
 */
function readMetric(hypotheses, page, now = performance.now()) {
  /** @type {MetricReading} */
  let best = { status: 'missing' };
  for (const hypothesis of hypotheses) {
    const reading = readHypothesis(hypothesis, page, now);
    if (reading.status !== 'missing' && reading.status !== 'hidden') return { ...reading, via: hypothesis.id };
    if (best.status === 'missing' && reading.status === 'hidden') best = { ...reading, via: hypothesis.id };
  }
  // The element that was found shows nothing: another may have replaced it.
  for (const { css } of hypotheses) if (searches.get(css)?.found.length) searches.delete(css);
  return best;
}

/** @param {Hypothesis} hypothesis @param {Document} page @param {number} now @returns {MetricReading} */
function readHypothesis(hypothesis, page, now) {
  const { pick, part, min, max } = hypothesis;
  const found = matches(hypothesis, page, now).map(readVisibleText);
  const visible = found.filter((sight) => sight.isShown);
  if (visible.length === 0) return { status: found.some(({ isHidden }) => isHidden) ? 'hidden' : 'missing' };
  const considered = pick === 'first' ? visible.slice(0, 1) : withNumbers(visible);
  const reading = agreeing(
    considered.map(({ text, isDoubtful }) =>
      isDoubtful ? /** @type {MetricReading} */ ({ status: 'unparsed' }) : parseCount(text, part, hypothesis),
    ),
  );
  const outside = reading.value !== undefined && (reading.value < min || reading.value > max);
  return outside ? { status: 'out_of_range' } : reading;
}

/**
 * A user script may clone a tab with its id and put a word of its own in it: where one match has a number, a match
 * without one says nothing about it.
 *
 * @param {VisibleText[]} visible
 */
function withNumbers(visible) {
  const numbered = visible.filter(({ text, isDoubtful }) => isDoubtful || /\p{Nd}/u.test(text));
  return numbered.length > 0 ? numbered : visible;
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

/** @param {Hypothesis} hypothesis @param {Document} page @param {number} now @returns {Element[]} */
function matches({ css, built, beside }, page, now) {
  const found = search(css, page, now);
  const all = found.length === 0 && built ? builtMatches(built, page, now) : found;
  return beside ? all.flatMap((element) => element.closest(beside)?.nextElementSibling ?? []) : all;
}

/** The elements that match a selector. @param {string} css @param {Document} page @param {number} now @returns {Element[]} */
function search(css, page, now) {
  const last = searches.get(css);
  if (last && now >= last.at) {
    const found = last.found
      .flatMap((each) => each.deref() ?? [])
      .filter((element) => element.isConnected && element.matches(css));
    const isSame = found.length === last.found.length;
    const isAbsent = found.length === 0 && now - last.absentSince >= LONG_ABSENT_MS;
    const mayWait = isSame && (found.length > 0 || isAbsent);
    if (mayWait && !(now - last.at >= (isAbsent ? REST_MS : SEARCH_MS) && isTurn(now))) return found;
  }
  const found = [...page.querySelectorAll(css)];
  const absentSince = found.length === 0 && last?.found.length === 0 ? last.absentSince : now;
  searches.set(css, { at: now, absentSince, found: found.map((element) => new WeakRef(element)) });
  return found;
}

/** Whether this look has time for a search that takes as long as `weight` ordinary ones. @param {number} now @param {number} [weight] */
function isTurn(now, weight = 1) {
  if (optional.at !== now) optional = { at: now, count: 0 };
  if (optional.count + weight > MAX_SEARCHES) return false;
  optional.count += weight;
  return true;
}

/**
 * A search for part of a class name visits every element of the page; a search for a whole name does not. So the
 * whole names are remembered, and searched for anew only now and then.
 *
 * @param {NonNullable<Hypothesis['built']>} built
 * @param {Document} page
 * @param {number} now
 * @returns {Element[]}
 */
function builtMatches({ part, withTimeout, tag }, page, now) {
  const cached = builtClasses.get(part);
  let found = cached?.names.flatMap((name) => [...page.getElementsByClassName(name)]) ?? [];
  const isDue = !cached || now < cached.at || now - cached.at >= BUILT_SEARCH_MS;
  if (found.length === 0 && isDue && (!cached || isTurn(now, MAX_SEARCHES))) {
    found = [...page.querySelectorAll(`[class*="${part}"]`)];
    const names = found.flatMap((element) => [...element.classList]).filter((name) => name.includes(part));
    builtClasses.set(part, { at: now, names: [...new Set(names)] });
  }
  const inside = withTimeout
    ? found.filter((element) => element.parentElement?.closest(`[class*="${withTimeout}"]`))
    : found;
  return tag ? inside.flatMap((element) => [...element.getElementsByTagName(tag)]) : inside;
}

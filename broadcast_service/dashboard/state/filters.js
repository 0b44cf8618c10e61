/**
 * What part of the studio is shown, and in which order: a value, its spelling in the query string, and the arrangement it gives.
 */

import { COUNTS } from './metrics.js';

/** @typedef {import('./store.js').Feed} Feed */
/** @typedef {import('./store.js').Status} Status */
/** @typedef {{search: string, platform: string, status: string, group: string, sort: string}} Filters */
/** @typedef {{id: string, keys: string[]}} Group */

export const GROUPS = ['none', 'platform', 'status', 'prefix'];
export const SORTS = ['name', 'tokens', 'earned', 'hour', 'goal', 'age', ...COUNTS.map(({ name }) => name)];
/** Before the name of an order that is turned round. */
export const REVERSED = '-';
/** The order itself, and whether it is turned round. @param {string} sort */
export const parseSort = (sort) =>
  sort.startsWith(REVERSED) ? { by: sort.slice(REVERSED.length), reversed: true } : { by: sort, reversed: false };
/** @type {Status[]} */
export const STATUSES = ['live', 'unconfirmed', 'stale', 'off_air', 'expired'];

/**
 * What the studio file adds: `names` of a feed to search in beside the room's id, of which the first one sorts, and its `share` of a target.
 * @typedef {{names: (feed: Feed) => string[], share: (feed: Feed) => number | null}} Facts
 */

/** What a feed is without a studio file. @type {Facts} */
const PLAIN = { names: ({ room }) => [room], share: shareOfGoal };

/** @type {Filters} */
const DEFAULTS = { search: '', platform: '', status: '', group: 'none', sort: 'name' };
const SPELLING = { search: 'q', platform: 'platform', status: 'status', group: 'group', sort: 'sort' };
const NAMES = /** @type {(keyof Filters)[]} */ (Object.keys(DEFAULTS));

/** @param {URLSearchParams} query @returns {Filters} */
export function readFilters(query) {
  const filters = { ...DEFAULTS };
  for (const name of NAMES) filters[name] = query.get(SPELLING[name]) ?? DEFAULTS[name];
  if (!GROUPS.includes(filters.group)) filters.group = DEFAULTS.group;
  if (!SORTS.includes(parseSort(filters.sort).by)) filters.sort = DEFAULTS.sort;
  return filters;
}

/** Other parameters of the query stay. @param {Filters} filters @param {URLSearchParams} query */
export function writeFilters(filters, query) {
  for (const name of NAMES) {
    if (filters[name] === DEFAULTS[name]) query.delete(SPELLING[name]);
    else query.set(SPELLING[name], filters[name]);
  }
}

/** @param {Filters} filters */
export const areDefault = (filters) => filters.search === '' && filters.platform === '' && filters.status === '';

/**
 * @param {Iterable<Feed>} feeds
 * @param {Filters} filters
 * @param {(feed: Feed) => Status} status
 * @param {(feed: Feed) => number} earned in the last minutes
 * @param {(feed: Feed) => number} inHour earned in the last hour
 * @param {(feed: Feed) => Status} [shownStatus] the status on the cards, where it differs from the one that is filtered by
 * @param {Facts} [facts] of the studio
 * @returns {Group[]}
 */
export function arrange(feeds, filters, status, earned, inHour, shownStatus = status, facts = PLAIN) {
  const search = filters.search.trim().toLowerCase();
  const shown = [...feeds].filter(
    (feed) =>
      [feed.room, ...facts.names(feed)].some((name) => name.toLowerCase().includes(search)) &&
      (!filters.platform || feed.platform === filters.platform) &&
      (!filters.status || status(feed) === filters.status),
  );
  const { by, reversed } = parseSort(filters.sort);
  const rank = ranking(by, earned, inHour, facts);
  const ranks = new Map(shown.map((feed) => [feed, rank(feed)]));
  const rankOf = (/** @type {Feed} */ feed) => ranks.get(feed) ?? 0;
  const nameOf = (/** @type {Feed} */ feed) => facts.names(feed)[0] ?? feed.room;
  const order = (/** @type {Feed} */ a, /** @type {Feed} */ b) =>
    rankOf(b) - rankOf(a) || collator.compare(nameOf(a), nameOf(b)) || byName(a, b);
  shown.sort((a, b) => order(a, b) * (reversed ? -1 : 1));
  return group(shown, filters.group, shownStatus);
}

/** @param {string} sort @param {(feed: Feed) => number} earned @param {(feed: Feed) => number} inHour @param {Facts} facts @returns {(feed: Feed) => number} higher comes first */
function ranking(sort, earned, inHour, facts) {
  const count = COUNTS.find(({ name }) => name === sort);
  if (count) return (feed) => feed[count.name] ?? -1;
  switch (sort) {
    case 'tokens':
      return (feed) => feed.tokens ?? -1;
    case 'earned':
      return earned;
    case 'hour':
      return inHour;
    case 'goal':
      return (feed) => facts.share(feed) ?? -1;
    case 'age':
      return (feed) => feed.readAt;
    default:
      return () => 0;
  }
}

/** Null where the balance or the goal is unknown. @param {Feed} feed */
export function shareOfGoal({ tokens, goal }) {
  return goal && tokens !== null ? tokens / goal : null;
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** @param {Feed} a @param {Feed} b */
function byName(a, b) {
  return collator.compare(a.room, b.room) || collator.compare(a.platform, b.platform);
}

/** @param {Feed[]} feeds sorted @param {string} by @param {(feed: Feed) => Status} status @returns {Group[]} */
function group(feeds, by, status) {
  const idOf =
    {
      none: () => '',
      platform: (/** @type {Feed} */ feed) => feed.platform,
      status,
      prefix: (/** @type {Feed} */ feed) => feed.room.match(/^(.+?)[ ._-]/u)?.[1] ?? '',
    }[by] ?? (() => '');
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const feed of feeds) {
    const id = idOf(feed);
    const keys = groups.get(id);
    if (keys) keys.push(feed.key);
    else groups.set(id, [feed.key]);
  }
  const ids = [...groups.keys()].sort(by === 'status' ? byStatus : collator.compare);
  return ids.map((id) => ({ id, keys: groups.get(id) ?? [] }));
}

/** @param {string} a @param {string} b */
function byStatus(a, b) {
  const order = /** @type {string[]} */ (STATUSES);
  return order.indexOf(a) - order.indexOf(b);
}

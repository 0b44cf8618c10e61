/**
 * Which view the address asks for, and links between views. Everything is in the query; the token never is. Only the feeds of a sum, which may be
 * hundreds, are in the fragment: a server refuses a query of that length.
 */

/** @typedef {Record<string, string>} Asked what a link asks of a view besides the room: its period and the like, by parameter */
/**
 * `why` explains the income of a room from `from` up to `to`, in Unix seconds; with `account` that of one account, whose name is empty where
 * producers sent none. `sum` lists the parts of a figure of several rooms: of all, or of `feeds` in the spelling of `writeFeeds`.
 * @typedef {{view: 'why', room: string, platform: string, from: number, to: number, account?: string}} WhyRoute
 * @typedef {{view: 'sum', from: number, to: number, feeds?: string, platform?: string, account?: string}} SumRoute
 * @typedef {{view: 'analytics', asked?: Asked}} AnalyticsRoute
 * @typedef {{view: 'room', room: string, platform: string, asked?: Asked}} RoomRoute
 * @typedef {{view: 'live'} | AnalyticsRoute | RoomRoute | WhyRoute | SumRoute} Route
 */

/** The parameters of a view that a link may carry, beside those that name its room. */
const ASKED = /** @type {const} */ ({
  analytics: ['period', 'from', 'to', 'back', 'shift', 'of', 'by'],
  room: ['period', 'from', 'to'],
});
/** All parameters that belong to one view. The others, such as the live view's filters, stay while another view is open. */
const OWN = [...new Set(['view', 'room', 'on', 'account', ...Object.values(ASKED).flat()])];

/** @param {URLSearchParams} query @param {string} [hash] @returns {Route} */
export function readRoute(query, hash = '') {
  const [view, room, platform] = ['view', 'room', 'on'].map((name) => query.get(name) ?? '');
  if (view === 'analytics') return { view, ...askedOf(query, ASKED.analytics) };
  if (view === 'room' && room && platform) return { view, room, platform, ...askedOf(query, ASKED.room) };
  const [from, to] = ['from', 'to'].map((name) => secondsOf(query.get(name)));
  if (from === undefined || to === undefined || !(from < to)) return { view: 'live' };
  const account = query.get('account');
  const ofAccount = account === null ? {} : { account };
  if (view === 'why' && room && platform) return { view, room, platform, from, to, ...ofAccount };
  if (view === 'sum') return { view, from, to, ...given({ feeds: feedsIn(hash), platform }), ...ofAccount };
  return { view: 'live' };
}

/** @param {string} hash */
const feedsIn = (hash) => new URLSearchParams(hash.replace(/^#/u, '')).get('feeds') ?? '';

/** The fragment of a route, empty where it has none. @param {Route} route */
const hashOf = (route) =>
  route.view === 'sum' && route.feeds ? `#${new URLSearchParams({ feeds: route.feeds })}` : '';

/** @param {URLSearchParams} query @param {readonly string[]} names @returns {{asked?: Asked}} */
function askedOf(query, names) {
  const asked = given(Object.fromEntries(names.map((name) => [name, query.get(name) ?? ''])));
  return Object.keys(asked).length > 0 ? { asked } : {};
}

/** Without empty values. @param {Record<string, string>} values @returns {Record<string, string>} */
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));

/** Unix seconds; NaN for any other text, which is before and after nothing. @param {string | null} text */
const secondsOf = (text) => (text !== null && /^\d{1,11}$/u.test(text) ? Number(text) : NaN);

/** The live view's filters stay in the query while another view is open. @param {Route} route @param {URLSearchParams} query */
export function writeRoute(route, query) {
  for (const name of OWN) query.delete(name);
  if (route.view !== 'live') query.set('view', route.view);
  for (const [name, value] of Object.entries(parametersOf(route))) query.set(name, value);
}

/** @param {Route} route @returns {Record<string, string>} */
function parametersOf(route) {
  switch (route.view) {
    case 'live':
      return {};
    case 'analytics':
      return route.asked ?? {};
    case 'room':
      return { room: route.room, on: route.platform, ...route.asked };
    case 'why':
      return { room: route.room, on: route.platform, ...spanOf(route) };
    case 'sum':
      return { ...given({ on: route.platform ?? '' }), ...spanOf(route) };
  }
}

/** @param {{from: number, to: number, account?: string}} route @returns {Record<string, string>} */
function spanOf({ from, to, account }) {
  const span = { from: String(Math.floor(from)), to: String(Math.ceil(to)) };
  return account === undefined ? span : { ...span, account };
}

/** @param {Route} route @param {string} search the current query */
export function hrefOf(route, search) {
  const query = new URLSearchParams(search);
  writeRoute(route, query);
  const text = query.toString();
  return text ? `?${text}${hashOf(route)}` : './';
}

/** @typedef {{room: string, platform: string}} FeedName */

/** The server explains no longer span at once. */
export const MAX_WHY_SECONDS = 35 * 86_400;
/** It is in no name of a room or platform, and no address spells it in another way. */
const STAR = '*';

/** @param {FeedName[]} feeds @returns {string} `platform*room*room**platform*room` */
export function writeFeeds(feeds) {
  /** @type {Map<string, string[]>} */
  const rooms = new Map();
  for (const { room, platform } of feeds) {
    const known = rooms.get(platform);
    if (known) known.push(room);
    else rooms.set(platform, [room]);
  }
  return [...rooms].map(([platform, names]) => [platform, ...names.sort()].join(STAR)).join(STAR + STAR);
}

/** @param {string} text @returns {FeedName[]} */
export function readFeeds(text) {
  return text.split(STAR + STAR).flatMap((group) => {
    const [platform = '', ...rooms] = group.split(STAR).filter(Boolean);
    return rooms.map((room) => ({ room, platform }));
  });
}

/** The address bar: the current route, and the query beside it. */
export class Router {
  /** @type {Route} */
  route;

  /** @param {() => void} onChange the browser's Back or Forward changed the address */
  constructor(onChange) {
    this.route = readRoute(this.query, location.hash);
    addEventListener('popstate', () => {
      this.route = readRoute(this.query, location.hash);
      onChange();
    });
  }

  /** A copy of the current query. */
  get query() {
    return new URLSearchParams(location.search);
  }

  /** Opens a route as a new entry of the browser's history. @param {Route} route */
  push(route) {
    const query = this.query;
    writeRoute(route, query);
    history.pushState(null, '', addressOf(query) + hashOf(route));
    this.route = route;
  }

  /** Changes the query in place. @param {(query: URLSearchParams) => void} change */
  updateQuery(change) {
    const query = this.query;
    change(query);
    history.replaceState(null, '', addressOf(query) + hashOf(this.route));
  }
}

/** @param {URLSearchParams} query */
function addressOf(query) {
  const text = query.toString();
  return location.pathname + (text && `?${text}`);
}

/**
 * The route of a plain click on a link within the page; null where the browser must follow the link itself, as into a new tab.
 * @param {MouseEvent} event @returns {Route | null}
 */
export function routeOfClick(event) {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link?.href || !plain || link.target || link.download || (link.hash && !feedsIn(link.hash))) return null;
  const url = new URL(link.href);
  return url.pathname === location.pathname ? readRoute(url.searchParams, url.hash) : null;
}

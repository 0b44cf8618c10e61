/** Which view the address asks for, and links between views. Everything is in the query; the token never is. */

/**
 * `why` explains the income of a room from `from` up to `to`, in Unix seconds.
 * @typedef {{view: 'why', room: string, platform: string, from: number, to: number}} WhyRoute
 * @typedef {{view: 'live'} | {view: 'analytics'} | {view: 'room', room: string, platform: string} | WhyRoute} Route
 */

/** @param {URLSearchParams} query @returns {Route} */
export function readRoute(query) {
  const [view, room, platform] = ['view', 'room', 'on'].map((name) => query.get(name) ?? '');
  if (view === 'analytics') return { view };
  if (view === 'room' && room && platform) return { view, room, platform };
  const [from, to] = ['from', 'to'].map((name) => secondsOf(query.get(name)));
  if (view === 'why' && room && platform && from !== undefined && to !== undefined && from < to)
    return { view, room, platform, from, to };
  return { view: 'live' };
}

/** Unix seconds; NaN for any other text, which is before and after nothing. @param {string | null} text */
const secondsOf = (text) => (text !== null && /^\d{1,11}$/u.test(text) ? Number(text) : NaN);

/** The live view's filters stay in the query while another view is open. @param {Route} route @param {URLSearchParams} query */
export function writeRoute(route, query) {
  for (const name of ['view', 'room', 'on', 'period', 'of', 'by', 'back', 'from', 'to']) query.delete(name);
  if (route.view !== 'live') query.set('view', route.view);
  if (route.view === 'room' || route.view === 'why') {
    query.set('room', route.room);
    query.set('on', route.platform);
  }
  if (route.view === 'why') {
    query.set('from', String(Math.floor(route.from)));
    query.set('to', String(Math.ceil(route.to)));
  }
}

/** @param {Route} route @param {string} search the current query */
export function hrefOf(route, search) {
  const query = new URLSearchParams(search);
  writeRoute(route, query);
  const text = query.toString();
  return text ? `?${text}` : './';
}

/** The address bar: the current route, and the query beside it. */
export class Router {
  /** @type {Route} */
  route;

  /** @param {() => void} onChange the browser's Back or Forward changed the address */
  constructor(onChange) {
    this.route = readRoute(this.query);
    addEventListener('popstate', () => {
      this.route = readRoute(this.query);
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
    history.pushState(null, '', addressOf(query));
    this.route = route;
  }

  /** Changes the query in place. @param {(query: URLSearchParams) => void} change */
  updateQuery(change) {
    const query = this.query;
    change(query);
    history.replaceState(null, '', addressOf(query));
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
  if (!link?.href || !plain || link.target || link.download || link.hash) return null;
  const url = new URL(link.href);
  return url.pathname === location.pathname ? readRoute(url.searchParams) : null;
}

/** Which view the address asks for, and links between them. Everything is in the query; the token never is. */

/** @typedef {{view: 'live'} | {view: 'analytics'} | {view: 'room', room: string, platform: string}} Route */

/** @param {URLSearchParams} query @returns {Route} */
export function readRoute(query) {
  const [view, room, platform] = ['view', 'room', 'on'].map((name) => query.get(name) ?? '');
  if (view === 'analytics') return { view };
  if (view === 'room' && room && platform) return { view, room, platform };
  return { view: 'live' };
}

/** The live view's filters stay in the query while another view is open. @param {Route} route @param {URLSearchParams} query */
export function writeRoute(route, query) {
  for (const name of ['view', 'room', 'on', 'period', 'of']) query.delete(name);
  if (route.view !== 'live') query.set('view', route.view);
  if (route.view === 'room') {
    query.set('room', route.room);
    query.set('on', route.platform);
  }
}

/** @param {Route} route @param {string} search the current query */
export function hrefOf(route, search) {
  const query = new URLSearchParams(search);
  writeRoute(route, query);
  const text = query.toString();
  return text ? `?${text}` : './';
}

/**
 * Where the access token lives, and what a link brings. A link carries a token, a single-use code or a screen's letters in its fragment, which
 * is never sent to a server, and which leaves the address bar at once. A token is kept for this tab.
 */

const STORAGE_KEY = 'studio-pulse.token';
/** Where first.js leaves a link until the page has used it, so that a reload in between loses nothing. */
const LINK_STORAGE_KEY = 'studio-pulse.link';

/** @typedef {{kind: 'token' | 'code' | 'pair', value: string}} Link */
/**
 * @typedef {object} Tab
 * @property {{hash: string, pathname: string, search: string}} location
 * @property {{replaceState: (state: any, title: string, url: string) => void}} history
 * @property {import('../state/storage.js').SafeStorage} storage
 */

/** What a fragment brings, if anything; the value is empty where it makes no sense. @param {string} fragment @returns {Link | null} */
export function readLink(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/u, ''));
  for (const kind of /** @type {const} */ (['token', 'code', 'pair'])) {
    const value = given.get(kind);
    if (value === null) continue;
    const text = value.replace(/\s+/gu, '');
    return { kind, value: kind === 'token' ? normalizeToken(text) : /^[\w-]{1,64}$/u.test(text) ? text : '' };
  }
  return null;
}

/** Takes a link out of the address. @param {Tab} tab @returns {Link | null} */
export function takeLink({ location, history }) {
  const link = readLink(location.hash);
  if (link) history.replaceState(null, '', location.pathname + location.search);
  return link;
}

/** What first.js took out of the address before this page ran. @param {Tab} tab @param {string} taken the fragment, in case it could not be stored */
export function initialLink(tab, taken) {
  const link = takeLink(tab) ?? readLink(taken || (tab.storage.getItem(LINK_STORAGE_KEY) ?? ''));
  tab.storage.removeItem(LINK_STORAGE_KEY);
  return link;
}

/** @param {Tab} tab @returns {string | null} */
export const storedToken = ({ storage }) => storage.getItem(STORAGE_KEY);

/** Whether a reload would find the token again. @param {Tab} tab */
export const survivesReload = ({ storage }) => storage.survives(STORAGE_KEY);

/** @param {Tab} tab @param {string} token empty for a screen that is signed in by its cookie */
export function saveToken({ storage }, token) {
  if (token) storage.setItem(STORAGE_KEY, token);
  else storage.removeItem(STORAGE_KEY);
}

/** @param {Tab} tab */
export function clearToken({ storage }) {
  storage.removeItem(STORAGE_KEY);
}

/** What people paste has line breaks, spaces, or a whole link around the token. @param {string} pasted */
export function normalizeToken(pasted) {
  const token = pasted
    .replace(/\s+/gu, '')
    .replace(/^.*#token=/u, '')
    .replace(/^Bearer/iu, '');
  return /^[\w-]+\.[\w-]+\.[\w-]+$/u.test(token) ? token : '';
}

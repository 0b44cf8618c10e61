/**
 * Where the access token lives: it arrives in the fragment (never sent to a server), is kept for this tab, and leaves the address bar.
 */

const KEPT_AS = 'studio-pulse.token';

/**
 * @typedef {object} Place
 * @property {{hash: string, pathname: string, search: string}} location
 * @property {{replaceState: (state: any, title: string, url: string) => void}} history
 * @property {import('./storage.js').Kept} storage
 */

/** Takes a token out of the fragment, if one is there. @param {Place} place @returns {string | null} */
export function takeFromFragment({ location, history, storage }) {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return keptToken(storage, given);
}

/** @param {Pick<Place, 'storage'>['storage']} storage @param {string} given @returns {string | null} */
function keptToken(storage, given) {
  const token = tidy(given);
  if (!token) return null;
  storage.setItem(KEPT_AS, token);
  return token;
}

/** @param {Place} place @param {string} [taken] what first.js took out of the address @returns {string | null} */
export function findToken(place, taken = '') {
  return takeFromFragment(place) ?? keptToken(place.storage, taken) ?? place.storage.getItem(KEPT_AS);
}

/** Whether a reload would find the token again. @param {Place} place */
export const outlivesReload = ({ storage }) => storage.survives(KEPT_AS);

/** @param {Place} place @param {string} token */
export function keepToken({ storage }, token) {
  storage.setItem(KEPT_AS, token);
}

/** @param {Place} place */
export function forgetToken({ storage }) {
  storage.removeItem(KEPT_AS);
}

/** What people paste has line breaks, spaces, or a whole link around the token. @param {string} pasted */
export function tidy(pasted) {
  const token = pasted.replace(/\s+/g, '').replace(/^.*#token=/, '').replace(/^Bearer/i, '');
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) ? token : '';
}

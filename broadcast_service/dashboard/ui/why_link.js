/** Links from a figure of income to the readings that explain it. */

import { hrefOf } from '../router.js';

/** The server explains no longer span at once. */
export const MAX_WHY_SECONDS = 35 * 86_400;

/**
 * Points a link at the readings of a feed in a span, in whole minutes: its address changes at most once a minute.
 * @param {HTMLElement} link @param {{room: string, platform: string}} feed @param {number} fromSeconds @param {number} toSeconds @param {string} [search]
 */
export function pointAtReadings(link, { room, platform }, fromSeconds, toSeconds, search = '') {
  const from = Math.floor(fromSeconds / 60) * 60;
  const to = Math.max(from + 60, Math.ceil(toSeconds / 60) * 60);
  const href = hrefOf({ view: 'why', room, platform, from, to }, search);
  if (link.getAttribute('href') !== href) link.setAttribute('href', href);
}

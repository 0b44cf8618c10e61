/** What a wall shows one after another, pure: `?wall=rooms,leaders&each=30`. */

/** @typedef {typeof VIEWS[number]} WallView */
/** @typedef {{views: WallView[], eachMs: number}} Playlist */
/** @typedef {{at: number, page: number}} Slide `at`: which view of the playlist */

export const VIEWS = /** @type {const} */ (['rooms', 'leaders', 'hours', 'log']);
const DEFAULT_SECONDS = 12;
const [MIN_SECONDS, MAX_SECONDS] = [5, 600];

/** @param {URLSearchParams} query @returns {Playlist} */
export function readPlaylist(query) {
  const named = (query.get('wall') ?? '')
    .split(',')
    .flatMap((name) => VIEWS.find((view) => view === name.trim()) ?? []);
  const seconds = Number(query.get('each') ?? Number.NaN);
  const each = Number.isFinite(seconds) ? Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds)) : DEFAULT_SECONDS;
  return { views: named.length > 0 ? [...new Set(named)] : ['rooms'], eachMs: each * 1000 };
}

/**
 * The slide after this one. A wall whose only slide is this one stays on it.
 * @param {Playlist} playlist @param {Slide} slide @param {number} pages of the rooms
 * @returns {Slide}
 */
export function nextSlide({ views }, { at, page }, pages) {
  if (views[at] === 'rooms' && page + 1 < pages) return { at, page: page + 1 };
  return { at: (at + 1) % views.length, page: 0 };
}

/** The slide to show after rooms came or went: never a page that no longer exists. @param {Slide} slide @param {number} pages @returns {Slide} */
export const clampSlide = ({ at, page }, pages) => ({ at, page: Math.min(page, Math.max(0, pages - 1)) });

const SHIFT_MINUTES = 10;
/** A slow walk around the middle: no pixel shows the edge of a letter all night. */
const SHIFTS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
  [-1, 1],
  [-1, 0],
  [-1, -1],
  [0, -1],
  [1, -1],
];

/** How far everything is moved at a time, against burn-in. @param {number} ms @param {number} pixel of one step @returns {{x: number, y: number}} */
export function burnInShift(ms, pixel = 2) {
  const step = Math.floor(ms / (SHIFT_MINUTES * 60_000));
  const [x = 0, y = 0] = SHIFTS[((step % SHIFTS.length) + SHIFTS.length) % SHIFTS.length] ?? [];
  return { x: x * pixel, y: y * pixel };
}

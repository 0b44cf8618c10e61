/**
 * How a wall shows any number of rooms on any screen without scrolling, pure.
 *
 * Cards come first, then rows of two lines, then tiles with a name and a number, each in the largest type with which all rooms fit. Where even
 * tiles would be too small to be read from the other end of the room, the wall has pages of whole rows.
 */

/** @typedef {'card' | 'row' | 'tile'} Density */
/** @typedef {{width: number, height: number}} Size CSS pixels */
/**
 * @typedef {object} WallLayout
 * @property {Density} density
 * @property {number} text pixels of the names and figures; nothing that decides is smaller
 * @property {number} columns
 * @property {number} rows on each page
 * @property {number} perPage how many rooms a page shows at most
 * @property {number} pages
 * @property {number} gap pixels between two places
 */

/** Text is read from this far. */
const DISTANCE_MM = 5000;
/** Height of capital letters as an angle. A person with 20/30 vision reads letters of this size. */
const ARC_MINUTES = 7.5;
/** Height of capital letters in this type, as a share of its size. */
const CAPITALS = 0.72;
/** Height of a television of 55 inches; a page cannot know the size of its screen. */
const SCREEN_MM = 685;
const MIN_TEXT_SHARE = (DISTANCE_MM * Math.tan((ARC_MINUTES / 60) * (Math.PI / 180))) / CAPITALS / SCREEN_MM;
/** Type becomes at most this much larger than it has to be: a wall of two rooms needs no letters of a hand's height. */
const MAX_GROWTH = 2.2;
const GAP_SHARE = 0.0065;

/** The least width and height of a place, in sizes of its type. @type {Record<Density, Size>} */
export const SHAPES = {
  card: { width: 10.6, height: 4.7 },
  row: { width: 11, height: 2.9 },
  tile: { width: 6.8, height: 2.75 },
};
const DENSITIES = /** @type {Density[]} */ (['card', 'row', 'tile']);

/** A screen for which five metres ask for less than this is held in the hand. */
const MIN_TEXT_PX = 16;

/** The smallest type that is read at five metres on this screen, however it stands. @param {Size} screen */
export const minTextOf = ({ width, height }) =>
  Math.max(MIN_TEXT_PX, MIN_TEXT_SHARE * Math.min(height, (width * 9) / 16));

/**
 * @param {number} count rooms
 * @param {Size} area for the rooms
 * @param {Size} screen the whole of it
 * @param {number} [shrink] below 1 while something else needs a part of the screen: rooms become smaller before they are moved to another page
 * @returns {WallLayout}
 */
export function layoutWall(count, area, screen, shrink = 1) {
  const smallest = minTextOf(screen) * shrink;
  const gap = Math.max(2, Math.round(GAP_SHARE * Math.min(screen.height, screen.width)));
  const largest = smallest * MAX_GROWTH;
  for (const density of DENSITIES) {
    const layout = onOnePage(Math.max(1, count), area, density, largest, gap);
    if (layout && layout.text >= smallest) return layout;
  }
  return onPages(Math.max(1, count), area, smallest, gap);
}

/** @param {number} count @param {Size} area @param {Density} density @param {number} largest @param {number} gap @returns {WallLayout | null} */
function onOnePage(count, area, density, largest, gap) {
  const shape = SHAPES[density];
  /** @type {{layout: WallLayout, fit: number} | null} */
  let best = null;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    if ((rows - 1) * columns >= count) continue;
    const [width, height] = [(area.width - gap * (columns - 1)) / columns, (area.height - gap * (rows - 1)) / rows];
    const text = Math.min(largest, width / shape.width, height / shape.height);
    if (text <= 0 || (best && best.fit >= text)) continue; // nothing fits better than its text is large
    const stretched = Math.abs(Math.log(width / height / (shape.width / shape.height)));
    const empty = (rows * columns - count) / count;
    const fit = text - (stretched * 0.1 + empty * 0.1) * (text / 10);
    if (best && best.fit >= fit) continue;
    best = { layout: { density, text, columns, rows, perPage: rows * columns, pages: 1, gap }, fit };
  }
  return best?.layout ?? null;
}

/** Pages of whole rows of tiles, each with the same number of rows. @param {number} count @param {Size} area @param {number} text @param {number} gap @returns {WallLayout} */
function onPages(count, area, text, gap) {
  const shape = SHAPES.tile;
  const columns = fitting(area.width, shape.width * text, gap);
  const rows = fitting(area.height, shape.height * text, gap);
  const pages = Math.ceil(count / (columns * rows));
  const balanced = Math.ceil(Math.ceil(count / columns) / pages);
  return {
    density: 'tile',
    text,
    columns,
    rows: balanced,
    perPage: balanced * columns,
    pages: Math.ceil(count / (balanced * columns)),
    gap,
  };
}

/** @param {number} length @param {number} size @param {number} gap */
const fitting = (length, size, gap) => Math.max(1, Math.floor((length + gap) / (size + gap) + 1e-9));

/** The rooms of a page. @template T @param {T[]} rooms @param {WallLayout} layout @param {number} page */
export const pageOf = (rooms, { perPage }, page) => rooms.slice(page * perPage, (page + 1) * perPage);

/**
 * The word with which all names begin, with the gap behind it, which therefore distinguishes none of them: "Sala " of "Sala 1" and "Sala 2". Empty where
 * there is none, or where a name would be nothing without it.
 * @param {string[]} names
 */
export function sharedWord([first = '', ...others]) {
  const word = /^[^\s_-]+[\s_-]+(?=.)/u.exec(first)?.[0] ?? '';
  const isShared = others.length > 0 && others.every((name) => name.startsWith(word) && name.length > word.length);
  return isShared ? word : '';
}

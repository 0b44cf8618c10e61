import assert from 'node:assert/strict';
import { test } from 'node:test';
import { burnInShift, clampSlide, nextSlide, readPlaylist } from '../../broadcast_service/dashboard/state/playlist.js';
import {
  layoutWall,
  minTextOf,
  pageOf,
  SHAPES,
  sharedWord,
} from '../../broadcast_service/dashboard/state/wall_layout.js';

const SCREENS = [
  [1366, 768],
  [1280, 720],
  [1920, 1080],
  [1920, 1200],
  [2560, 1440],
  [3440, 1440],
  [3840, 2160],
  [1080, 1920],
].map(([width, height]) => ({ width: Number(width), height: Number(height) }));
/** What totals, attention and the foot leave for the rooms. @param {import('../../broadcast_service/dashboard/state/wall_layout.js').Size} screen */
const areaOf = ({ width, height }) => ({ width: width * 0.97, height: height * 0.7 });
const COUNTS = Array.from({ length: 1000 }, (_, i) => i + 1);
/** The layouts of each screen by number of rooms, which two tests examine. */
const LAYOUTS = SCREENS.map((screen) => ({
  screen,
  layouts: COUNTS.map((count) => layoutWall(count, areaOf(screen), screen)),
}));

test('from 1 to 1,000 rooms everything fits every screen, in type that is read at five metres, on whole rows', () => {
  const wrong = [];
  for (const { screen, layouts } of LAYOUTS) {
    const area = areaOf(screen);
    for (const [at, layout] of layouts.entries()) {
      const count = at + 1;
      const { density, text, columns, rows, perPage, pages, gap } = layout;
      const shape = SHAPES[density];
      const isRight =
        text >= minTextOf(screen) - 1e-9 &&
        columns * shape.width * text + (columns - 1) * gap <= area.width + 1e-6 &&
        rows * shape.height * text + (rows - 1) * gap <= area.height + 1e-6 &&
        perPage === columns * rows &&
        perPage * pages >= count &&
        perPage * (pages - 1) < count;
      if (!isRight) wrong.push(`${count} rooms on ${screen.width}x${screen.height}: ${JSON.stringify(layout)}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('each room is on one page, and no page is empty', () => {
  const screen = { width: 1366, height: 768 };
  for (const count of COUNTS) {
    const rooms = COUNTS.slice(0, count);
    const layout = layoutWall(count, areaOf(screen), screen);
    const pages = Array.from({ length: layout.pages }, (_, page) => pageOf(rooms, layout, page));
    assert.deepEqual(pages.flat(), rooms);
    assert.ok(pages.every((page) => page.length > 0));
  }
});

test('more rooms never give larger type, more detail or fewer pages', () => {
  const order = ['card', 'row', 'tile'];
  for (const { screen, layouts } of LAYOUTS) {
    let [before] = layouts;
    for (const [at, layout] of layouts.entries()) {
      const count = at + 1;
      assert.ok(order.indexOf(layout.density) >= order.indexOf(before.density), String(count));
      if (layout.density === before.density && layout.pages === before.pages)
        assert.ok(layout.text <= before.text * 1.02 + 1e-9, `${count} ${screen.width}`);
      assert.ok(layout.pages >= before.pages, String(count));
      before = layout;
    }
  }
});

test('36 rooms fit a television of 1920x1080 as cards, and 100 as tiles, without pages', () => {
  const screen = { width: 1920, height: 1080 };
  const [studio, large] = [36, 100].map((count) => layoutWall(count, areaOf(screen), screen));
  assert.deepEqual([studio?.density, studio?.pages], ['card', 1]);
  assert.deepEqual([large?.density, large?.pages], ['tile', 1]);
});

test('the smallest type is 24 pixels at 1920x1080, and grows with the screen', () => {
  assert.ok(Math.abs(minTextOf({ width: 1920, height: 1080 }) - 24) < 0.2);
  assert.equal(Math.round(minTextOf({ width: 3840, height: 2160 })), 48);
});

test('no area gives a layout too: a hidden wall has no size', () => {
  const layout = layoutWall(36, { width: 0, height: 0 }, { width: 0, height: 0 });
  assert.equal(layout.columns >= 1 && layout.rows >= 1 && layout.pages >= 1, true);
});

test('a playlist is read from the address, and unknown entries are left out', () => {
  const read = (/** @type {string} */ text) => readPlaylist(new URLSearchParams(text));
  assert.deepEqual(read('wall=1'), { views: ['rooms'], eachMs: 12_000 });
  assert.deepEqual(read('wall=rooms,leaders,hours,log,rooms,evil&each=30'), {
    views: ['rooms', 'leaders', 'hours', 'log'],
    eachMs: 30_000,
  });
  assert.equal(read('wall=1&each=0.001').eachMs, 5000);
  assert.equal(read('wall=1&each=99999').eachMs, 600_000);
  assert.equal(read('wall=1&each=soon').eachMs, 12_000);
});

test('all pages of the rooms come before the next view, and then it begins again', () => {
  const playlist = readPlaylist(new URLSearchParams('wall=rooms,leaders'));
  let slide = { at: 0, page: 0 };
  const seen = [];
  for (let i = 0; i < 5; i++) {
    seen.push(`${playlist.views[slide.at]} ${slide.page}`);
    slide = nextSlide(playlist, slide, 3);
  }
  assert.deepEqual(seen, ['rooms 0', 'rooms 1', 'rooms 2', 'leaders 0', 'rooms 0']);
  assert.deepEqual(nextSlide(readPlaylist(new URLSearchParams('wall=1')), { at: 0, page: 0 }, 1), { at: 0, page: 0 });
  assert.deepEqual(clampSlide({ at: 0, page: 4 }, 2), { at: 0, page: 1 });
  assert.deepEqual(clampSlide({ at: 0, page: 4 }, 0), { at: 0, page: 0 });
});

test('against burn-in everything moves by one step each ten minutes, never far, and comes back', () => {
  const at = (/** @type {number} */ minutes) => burnInShift(minutes * 60_000);
  assert.deepEqual(at(0), at(9));
  for (let minutes = 0; minutes < 200; minutes += 10) {
    assert.notDeepEqual(at(minutes), at(minutes + 10));
    assert.ok(Math.abs(at(minutes).x) <= 2 && Math.abs(at(minutes).y) <= 2);
    assert.ok(Math.abs(at(minutes + 10).x - at(minutes).x) <= 2 && Math.abs(at(minutes + 10).y - at(minutes).y) <= 2);
  }
  assert.deepEqual(at(0), at(90));
});

test('a word that all names begin with is left out of tiles, and nothing else is', () => {
  assert.equal(sharedWord(['Sala Amber-2', 'Sala Blue', 'Sala 7']), 'Sala ');
  assert.equal(sharedWord(['room-1', 'room-2']), 'room-');
  for (const names of [
    ['Sala 1'],
    ['Sala 1', 'Estudio 2'],
    ['Sala 1', 'Sala '],
    ['amber', 'blue'],
    ['Sala 1', 'Salas 2'],
    [],
  ])
    assert.equal(sharedWord(names), '', names.join());
});

/** The rooms of a wall: as many as fit, in the density and type that `wall_layout.js` chooses; the document has only the rooms on the screen. */

import { layoutWall, minTextOf, pageOf, sharedWord } from '../state/wall_layout.js';
import { setData, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';
import { figureOf, WallRoom } from './wall_room.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {import('../state/wall_layout.js').WallLayout} WallLayout */

const MIN_SHRINK = 0.6;

export class Board {
  /** @type {WallLayout | null} */
  layout = null;
  /** @type {Map<string, WallRoom>} */
  #rooms = new Map();
  /** @type {string[]} */
  #keys = [];
  /** @type {Set<string>} names that several feeds have */
  #twins = new Set();
  #best = 1;
  /** How many letters of each name tiles leave out, because all names begin with them. */
  #skipped = 0;

  /** @param {HTMLElement} root @param {Store} store */
  constructor(root, store) {
    this.root = root;
    this.store = store;
    this.list = element('ul', { class: 'wall-rooms' });
    this.empty = element('p', { class: 'board-empty' });
    root.append(this.list, this.empty);
  }

  clear() {
    this.#rooms.clear();
    this.#keys = [];
    this.list.replaceChildren();
  }

  /** How many pages the rooms need. */
  get pages() {
    return this.layout?.pages ?? 1;
  }

  /**
   * Chooses the layout for these rooms. While a notice takes a part of the screen (`held`), rooms that were on one page stay on one.
   * @param {string[]} keys in order @param {boolean} held
   */
  arrange(keys, held) {
    this.#keys = keys;
    const [area, screen] = [
      { width: this.root.clientWidth, height: this.root.clientHeight },
      { width: innerWidth, height: innerHeight },
    ];
    const wasOnePage = this.pages === 1;
    let layout = layoutWall(keys.length, area, screen);
    for (let shrink = 0.9; held && wasOnePage && layout.pages > 1 && shrink >= MIN_SHRINK; shrink -= 0.1)
      layout = layoutWall(keys.length, area, screen, shrink);
    this.layout = layout;
    setData(this.root, 'density', layout.density);
    const { style } = this.root;
    style.setProperty('--columns', String(layout.columns));
    style.setProperty('--rows', String(layout.rows));
    style.setProperty('--u', `${layout.text.toFixed(2)}px`);
    style.setProperty('--gap', `${layout.gap}px`);
    document.documentElement.style.setProperty('--wall', `${(minTextOf(screen) * 0.75).toFixed(2)}px`);
    this.#findTwins();
    this.#skipped = layout.density === 'card' ? 0 : sharedWord(keys.map((key) => this.#nameOf(key))).length;
  }

  /** Draws a page. @param {number} page @param {Moment} moment */
  paint(page, moment) {
    if (!this.layout) return;
    const shown = pageOf(this.#keys, this.layout, page).filter((key) => this.store.feeds.has(key));
    const staying = new Set(shown);
    for (const key of this.#rooms.keys()) if (!staying.has(key)) this.#rooms.delete(key);
    this.empty.hidden = this.#keys.length > 0 || !this.store.complete;
    setText(this.empty, moment.i18n.t(moment.trusted ? 'nothing_yet' : 'nothing_known'));
    this.#best = Math.max(1, ...this.#keys.map((key) => this.#earned(key, moment)));
    reconcile(
      this.list,
      shown.map((key) => this.#room(key).element),
    );
    this.update(shown, moment);
  }

  /** Draws those of the changed rooms that are on the screen. @param {Iterable<string>} keys @param {Moment} moment */
  update(keys, moment) {
    for (const key of keys) {
      const [room, feed] = [this.#rooms.get(key), this.store.feeds.get(key)];
      if (room && feed)
        room.paint(feed, this.store, moment, {
          best: this.#best,
          isTwin: this.#twins.has(feed.room),
          skipped: this.#skipped,
        });
    }
  }

  #findTwins() {
    const seen = new Set();
    this.#twins = new Set();
    for (const key of this.#keys) {
      const name = this.store.feeds.get(key)?.room ?? '';
      if (seen.has(name)) this.#twins.add(name);
      seen.add(name);
    }
  }

  /** @param {string} key */
  #nameOf(key) {
    return this.store.studio.roomName(this.store.feeds.get(key)?.room ?? '');
  }

  /** @param {string} key @param {Moment} moment */
  #earned(key, { asOfMs }) {
    const feed = this.store.feeds.get(key);
    return feed ? (figureOf(feed, this.store, asOfMs) ?? 0) : 0;
  }

  /** @param {string} key */
  #room(key) {
    const feed = /** @type {import('../state/store.js').Feed} */ (this.store.feeds.get(key));
    const room = this.#rooms.get(key) ?? new WallRoom(feed);
    this.#rooms.set(key, room);
    return room;
  }
}

/** The line at the foot: rooms off air, what the figures mean, and which page this is. */
export class BoardFoot {
  #off = element('p', { class: 'foot-off' });
  #meaning = element('p', { class: 'foot-meaning' });
  #dots = element('p', { class: 'foot-pages', 'aria-hidden': 'true' });

  /** @param {HTMLElement} root */
  constructor(root) {
    root.append(this.#off, this.#meaning, this.#dots);
  }

  /** @param {{off: string, meaning: string, pages: number, page: number, shownPart: number}} foot `shownPart`: of the page's time, from 0 to 1 */
  paint({ off, meaning, pages, page, shownPart }) {
    setText(this.#off, off);
    setText(this.#meaning, meaning);
    this.#dots.hidden = pages < 2;
    while (this.#dots.children.length > pages) this.#dots.lastChild?.remove();
    while (this.#dots.children.length < pages) this.#dots.append(element('span', {}, element('i')));
    for (const [i, dot] of [...this.#dots.children].entries())
      setData(/** @type {HTMLElement} */ (dot), 'on', i === page ? 'yes' : 'no');
    this.#dots.style.setProperty('--shown-part', String(shownPart));
  }
}

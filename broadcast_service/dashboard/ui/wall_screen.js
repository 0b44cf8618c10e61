/** The live view on a wall: rooms on air in the board, rooms off air in one line, and the lists of a playlist in the board's place. */

import { statusOf } from '../state/store.js';
import { Board, BoardFoot } from './board.js';
import { html, setData } from './dom.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {{on: boolean, held: boolean, view: import('../state/playlist.js').WallView, page: number, pages: number, shownPart: number, playlist: import('../state/playlist.js').Playlist}} WallState */

const MAX_NAMES = 24;

export class WallScreen {
  #root = html('#board');
  #board;
  #foot = new BoardFoot(html('#board-foot'));
  /** @type {string[]} */
  #off = [];
  #gone = 0;
  #size = '';

  /** @param {Store} store @param {() => void} onResize */
  constructor(store, onResize) {
    this.store = store;
    this.#board = new Board(this.#root, store);
    const observer = new ResizeObserver(() => {
      const size = `${this.#root.clientWidth} ${this.#root.clientHeight} ${innerWidth} ${innerHeight}`;
      if (size === this.#size) return;
      this.#size = size;
      onResize();
    });
    observer.observe(this.#root);
    observer.observe(document.body); // the board has no size while a list of the playlist is in its place
  }

  /** Nothing of any room stays on the page. */
  clear() {
    this.#board.clear();
    this.#off = [];
    this.#gone = 0;
    this.#foot.paint({ off: '', meaning: '', pages: 1, page: 0, shownPart: 0 });
  }

  /** @param {string[]} keys all rooms that the filters let through, in order @param {Moment} moment @param {WallState} wall */
  arrange(keys, { asOfMs }, wall) {
    const statuses = keys.map((key) => this.#statusOf(key, asOfMs));
    const onAir = keys.filter((_, i) => statuses[i] !== 'off_air' && statuses[i] !== 'expired');
    this.#off = keys.filter((_, i) => statuses[i] === 'off_air');
    this.#gone = statuses.filter((status) => status === 'expired').length;
    if (onAir.length === 0) this.#gone = 0;
    if (onAir.length === 0) this.#off = [];
    this.#board.arrange(onAir.length > 0 ? onAir : keys, wall.held);
    wall.pages = this.#board.pages;
  }

  /** A second has passed, or the page was turned. @param {Moment} moment @param {WallState} wall */
  paint(moment, wall) {
    const { i18n } = moment;
    const view = this.store.feeds.size > 0 ? wall.view : 'rooms'; // a list of no rooms would be an empty screen; the board says why it is
    setData(document.documentElement, 'wallView', view);
    if (view === 'rooms') this.#board.paint(wall.page, moment);
    else this.#board.empty.hidden = true; // while it shows, the page hides what needs attention
    const names = this.#off
      .slice(0, MAX_NAMES)
      .map((key) => this.store.studio.roomName(this.store.feeds.get(key)?.room ?? ''));
    const rest = this.#off.length - names.length;
    this.#foot.paint({
      off: [
        this.#off.length > 0 &&
          `${i18n.t('wall_off_air', { count: this.#off.length })}: ${names.join(', ')}${rest > 0 ? ` +${i18n.number(rest)}` : ''}`,
        this.#gone > 0 && i18n.t('wall_no_data', { count: this.#gone }),
      ]
        .filter(Boolean)
        .join(' · '),
      meaning: view === 'rooms' ? this.#meaningOf(moment) : '',
      pages: view === 'rooms' ? wall.pages : 1,
      page: wall.page,
      shownPart: wall.shownPart,
    });
  }

  /** @param {Iterable<string>} keys @param {Moment} moment */
  update(keys, moment) {
    this.#board.update(keys, moment);
  }

  /** How many lines a list in the board's place may have. */
  get lines() {
    const line = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * 3.4;
    return Math.max(3, Math.min(14, Math.floor((innerHeight * 0.58) / line)));
  }

  /** What each figure is. @param {Moment} moment */
  #meaningOf({ asOfMs, i18n }) {
    const shifts = this.store.studio.shiftsAt(asOfMs);
    const pace = ` · ${i18n.t('wall_pace')}`;
    if (shifts.length === 0) return i18n.t('wall_meaning') + pace;
    const left = i18n.left(Math.max(0, Math.min(...shifts.map(({ to }) => to)) - asOfMs / 1000));
    return i18n.t('shift_and_left', { words: i18n.t('wall_meaning_shift'), left }) + pace;
  }

  /** @param {string} key @param {number} asOfMs */
  #statusOf(key, asOfMs) {
    const feed = this.store.feeds.get(key);
    return feed ? statusOf(feed, asOfMs, this.store, true) : 'expired';
  }
}

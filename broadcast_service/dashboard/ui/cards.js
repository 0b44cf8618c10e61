/**
 * All room cards. Cards near the screen are drawn in the next frame; the others a few per frame, so that they are right for find-in-page
 * and screen readers without making frames slow.
 */

import { Card } from './card.js';
import { setData, setText } from './dom.js';
import { element } from './element.js';
import { measuredWords } from './recent_text.js';
import { keepingFocus, reconcile } from './reconcile.js';
import { COLUMNS, RoomRow } from './room_row.js';
import { Slices } from './slices.js';
import { earnedInHour, HOUR_MINUTES } from './wall_room.js';
import { lastMinutes, showIncome } from './why_link.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {import('../state/filters.js').Group} Group */
/** @typedef {'cards' | 'compact' | 'table'} Density */

export const DENSITIES = /** @type {Density[]} */ (['cards', 'compact', 'table']);

const FAR_PER_FRAME = 15;
const NEW_PER_FRAME = 60;
/** The browser reports which cards it skips because they are far from the screen. A second observer of a thousand cards would double what that costs. */
const SKIPPED = 'contentvisibilityautostatechange';
/** A browser without `content-visibility` has the event neither. */
const reportsSkipped = `on${SKIPPED}` in document.documentElement;
/** A thousand ages are drawn within a second. */
const AGES_PER_FRAME = 50;

export class Cards {
  /** @type {Density} */
  #density = 'cards';
  /** @type {Map<string, Card | RoomRow>} */
  #cards = new Map();
  /** @type {WeakMap<Element, Card | RoomRow>} */
  #ofElement = new WeakMap();
  /** @type {Set<string>} */
  #pending = new Set();
  /** @type {Group[]} */
  #groups = [];
  /** @type {Map<string, {section: HTMLElement, list: HTMLElement, title: HTMLElement, name: HTMLElement, count: HTMLElement, sum: HTMLElement}>} */
  #sections = new Map();
  #built = 0;
  #ages = new Slices(AGES_PER_FRAME);

  /** @param {HTMLElement} root @param {Store} store @param {(by: string) => string} nameGroup @param {() => import('../i18n/i18n.js').I18n} i18n */
  constructor(root, store, nameGroup, i18n) {
    this.i18n = i18n;
    this.root = root;
    this.store = store;
    this.nameGroup = nameGroup;
    const setNear = (/** @type {EventTarget | null} */ target, /** @type {boolean} */ near) => {
      const card = target instanceof Element ? this.#ofElement.get(target) : undefined;
      if (card) card.near = near;
    };
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) setNear(target, isIntersecting);
      },
      { rootMargin: '300px' },
    );
    root.addEventListener(SKIPPED, (event) =>
      setNear(event.target, !(/** @type {ContentVisibilityAutoStateChangeEvent} */ (event).skipped)),
    );
  }

  /** Whether there is still something to draw. */
  get busy() {
    return this.#pending.size > 0 || this.#ages.busy || this.#built < this.#wanted();
  }

  /** How rooms are drawn: all of them are drawn anew. @param {Density} density */
  show(density) {
    if (density !== this.#density) this.reset();
    this.#density = density;
    setData(this.root, 'density', density);
    const columns = this.root.closest('.live-columns');
    if (columns instanceof HTMLElement) setData(columns, 'holds', density === 'table' ? 'table' : 'cards');
  }

  /** Starts afresh, as after a change of language. */
  reset() {
    this.observer.disconnect();
    for (const card of this.#cards.values()) card.element.remove();
    this.#cards.clear();
    this.#sections.clear();
    this.root.replaceChildren();
  }

  /** Every card is drawn again, and stays the same element: one that has the focus keeps it. */
  repaint() {
    for (const key of this.#cards.keys()) this.#pending.add(key);
  }

  /** @param {Group[]} groups @param {Moment} moment */
  arrange(groups, moment) {
    this.#groups = groups;
    let room = NEW_PER_FRAME;
    this.#built = 0;
    for (const { keys } of groups) {
      for (const key of keys) {
        if (!this.#cards.has(key) && room > 0) {
          this.#create(key, moment);
          room--;
        }
        if (this.#cards.has(key)) this.#built++;
      }
    }
    keepingFocus(() => {
      const sections = groups.map((group) => this.#fill(group)); // a card moves from one to another
      reconcile(this.root, sections);
    });
  }

  /** Draws more of the cards that a big arrangement left for later frames. @param {Moment} moment */
  continueArranging(moment) {
    if (this.#built < this.#wanted()) this.arrange(this.#groups, moment);
  }

  /** @param {Iterable<string>} keys @param {Iterable<string>} flashed @param {Moment} moment */
  update(keys, flashed, moment) {
    for (const key of keys) this.#pending.add(key);
    let far = FAR_PER_FRAME;
    for (const key of this.#pending) {
      const card = this.#cards.get(key);
      if (card && !card.near && far-- <= 0) continue;
      this.#pending.delete(key);
      const feed = this.store.feeds.get(key);
      if (card && feed) card.paint(feed, moment, this.store);
    }
    for (const key of flashed) this.#cards.get(key)?.flash(moment.calm);
    this.#paintAges(moment);
  }

  /** A second has passed: cards on or near the screen are drawn first, the rest over the next frames. @param {Moment} moment */
  tick(moment) {
    const [near, far] = [/** @type {string[]} */ ([]), /** @type {string[]} */ ([])];
    for (const [key, card] of this.#cards) (card.near ? near : far).push(key);
    this.#ages.begin([...near, ...far]);
    this.#paintSums(moment);
  }

  /** @param {Moment} moment */
  #paintAges(moment) {
    for (const key of this.#ages.next()) {
      const [card, feed] = [this.#cards.get(key), this.store.feeds.get(key)];
      if (card && feed && card.near) card.paint(feed, moment, this.store);
      else if (card && feed) card.paintAge(feed, moment, this.store);
    }
  }

  /** @param {Iterable<string>} keys */
  remove(keys) {
    for (const key of keys) {
      const card = this.#cards.get(key);
      if (!card) continue;
      this.observer.unobserve(card.element);
      card.element.remove();
      this.#cards.delete(key);
    }
  }

  #wanted() {
    return this.#groups.reduce((sum, { keys }) => sum + keys.length, 0);
  }

  /** @param {string} key @param {Moment} moment */
  #create(key, moment) {
    const feed = this.store.feeds.get(key);
    if (!feed) return;
    const card =
      this.#density === 'table' ? new RoomRow(feed) : new Card(feed, moment.i18n, this.#density === 'compact');
    card.paint(feed, moment, this.store);
    this.#cards.set(key, card);
    this.#ofElement.set(card.element, card);
    if (this.#density === 'table' || !reportsSkipped) this.observer.observe(card.element); // no row of a table is skipped
  }

  /** @param {Group} group */
  #fill({ id, keys }) {
    const parts = this.#sections.get(id) ?? this.#section(id);
    const named = this.#groups.length > 1 || id !== '';
    parts.title.hidden = !named;
    setText(parts.name, this.nameGroup(id));
    setText(parts.count, String(keys.length));
    reconcile(
      parts.list,
      keys.flatMap((key) => this.#cards.get(key)?.element ?? []),
    );
    return parts.section;
  }

  /** @param {string} id */
  #section(id) {
    const [name, count] = [element('span'), element('span', { class: 'group-count' })];
    const sum = element('span', { class: 'group-sum' });
    const title = element('h3', { class: 'group-title' }, name, count, sum);
    const list = this.#density === 'table' ? element('tbody') : element('ul', { class: 'cards' });
    const holder = this.#density === 'table' ? this.#table(list) : list;
    const section = element('section', { class: 'group' }, title, holder);
    const parts = { section, title, name, count, sum, list };
    this.#sections.set(id, parts);
    return parts;
  }

  /** A table whose heads sort: the live view listens for clicks on them. @param {HTMLElement} body */
  #table(body) {
    const i18n = this.i18n();
    const heads = COLUMNS.map(({ id, title, sort }) => {
      const label = i18n.t(title);
      const head = element('th', { scope: 'col', class: `cell-${id}` });
      head.append(sort ? element('button', { type: 'button', 'data-sort': sort }, label) : label);
      return head;
    });
    return element('table', { class: 'room-table' }, element('thead', {}, element('tr', {}, ...heads)), body);
  }

  /** What each group earns. @param {Moment} moment */
  #paintSums({ asOfMs, i18n }) {
    if (this.#sections.size === 0 || (this.#groups.length === 1 && this.#groups[0]?.id === '')) return;
    for (const { id, keys } of this.#groups) {
      const feeds = keys.flatMap((key) => this.store.feeds.get(key) ?? []);
      const sums = feeds.map((feed) => earnedInHour(feed, this.store, asOfMs));
      const known = feeds.length > 0 && sums.every((sum) => sum !== null);
      const amount = sums.reduce((/** @type {number} */ all, sum) => all + (sum ?? 0), 0);
      const parts = this.#sections.get(id);
      if (!parts) continue;
      const words = known ? measuredWords('group_sum', HOUR_MINUTES, this.store, asOfMs, i18n, { amount }) : '';
      const reasons = known ? { ...lastMinutes(asOfMs, HOUR_MINUTES), feeds } : null;
      showIncome(parts.sum, words, reasons, i18n, { name: this.nameGroup(id) });
    }
  }
}

/**
 * Every room as one small square: its colour shows the tokens earned recently, a hollow square has no current value. It is a link to the readings
 * behind its colour, or to the room where these minutes were not measured.
 * Arrow keys walk the squares (one tab stop for all of them); a tooltip explains the square under the pointer or with the focus.
 */

import { clockError } from '../state/lag.js';
import { COUNTS } from '../state/metrics.js';
import { SPARK_MINUTES, statusOf } from '../state/store.js';
import { clockText } from './clock_text.js';
import { setData, setTabStop } from './dom.js';
import { element } from './element.js';
import { measuredOf, recentText } from './recent_text.js';
import { reconcile } from './reconcile.js';
import { Slices } from './slices.js';
import { isWall, lastMinutes, pointAt, pointAtPage } from './why_link.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../state/store.js').Feed} Feed */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {{item: HTMLElement, link: HTMLAnchorElement, earned: number, target: string}} Cell `target`: what its link was made for */

const LEVELS = 4;
const CELLS_PER_FRAME = 100;
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

export class HeatMap {
  /** @type {Map<string, Cell>} */
  #cells = new Map();
  /** @type {string | null} */
  #pointedAt = null;
  #round = new Slices(CELLS_PER_FRAME);
  /** The best room, which the colours are relative to. */
  #most = 1;
  /** Whether any of the minutes was measured: else no income is unknown income. */
  #isMeasured = true;

  /**
   * @param {HTMLElement} root @param {Store} store
   * @param {import('./tooltip.js').Tooltip} tooltip
   * @param {() => Moment} moment
   */
  constructor(root, store, tooltip, moment) {
    this.root = root;
    this.store = store;
    this.moment = moment;
    this.tooltip = tooltip;
    root.addEventListener('keydown', (event) => this.#moveByKey(event));
    for (const type of ['pointerover', 'focusin'])
      root.addEventListener(type, (event) => this.#point(keyAt(event.target)));
    for (const type of ['pointerleave', 'focusout']) root.addEventListener(type, () => this.#point(null));
  }

  /** Adds and removes squares, in the order of names. @param {Moment} moment */
  arrange(moment) {
    for (const key of this.#cells.keys()) if (!this.store.feeds.has(key)) this.#cells.delete(key);
    const feeds = [...this.store.feeds.values()].sort(
      (a, b) => collator.compare(a.room, b.room) || collator.compare(a.platform, b.platform),
    );
    const items = feeds.map((feed) => (this.#cells.get(feed.key) ?? this.#create(feed)).item);
    reconcile(this.root, items);
    setData(this.root, 'size', feeds.length > 300 ? 'most' : feeds.length > 90 ? 'many' : 'few');
    if (!this.root.querySelector('[tabindex="0"]')) this.root.querySelector('.cell')?.setAttribute('tabindex', '0');
    this.#isMeasured = measuredOf(this.store, moment.asOfMs, SPARK_MINUTES) > 0;
    this.update(this.#cells.keys(), moment);
    this.#most = this.#best();
    for (const cell of this.#cells.values()) this.#paintLevel(cell);
  }

  /** Whether there is still something to draw. */
  get busy() {
    return this.#round.busy;
  }

  clear() {
    this.#cells.clear();
    this.root.replaceChildren();
    this.#point(null);
  }

  /** Rooms have other names: the next round writes them. */
  rename() {
    for (const cell of this.#cells.values()) cell.target = '';
  }

  /** Draws these, and a part of the round that `tick` began. @param {Iterable<string>} keys @param {Moment} moment */
  update(keys, moment) {
    for (const key of keys) this.#paint(key, moment);
    for (const key of this.#round.next()) {
      const [cell, feed] = [this.#paint(key, moment), this.store.feeds.get(key)];
      if (!cell || !feed) continue;
      this.#paintLevel(cell);
      this.#aim(cell, feed, moment);
    }
    const pointed = this.#pointedAt === null ? undefined : this.store.feeds.get(this.#pointedAt);
    const cell = this.#cells.get(this.#pointedAt ?? '');
    if (pointed && cell) this.tooltip.show(cell.link, meaningOf(pointed, this.store, moment));
  }

  /** A second has passed: all are drawn over the next frames, as levels are relative to the best room. */
  tick() {
    this.#most = this.#best();
    this.#isMeasured = measuredOf(this.store, this.moment().asOfMs, SPARK_MINUTES) > 0;
    this.#round.begin(this.#cells.keys());
  }

  #best() {
    let most = 1;
    for (const { earned } of this.#cells.values()) most = Math.max(most, earned);
    return most;
  }

  /** @param {string} key @param {Moment} moment */
  #paint(key, moment) {
    const [cell, feed] = [this.#cells.get(key), this.store.feeds.get(key)];
    if (!cell || !feed) return;
    cell.earned = earnedRecently(feed, moment.asOfMs);
    setData(cell.link, 'status', statusOf(feed, moment.asOfMs, this.store, moment.trusted));
    return cell;
  }

  /** The minutes that a square is of change once a minute, and so its link. @param {Cell} cell @param {Feed} feed @param {Moment} moment */
  #aim(cell, feed, { asOfMs, i18n }) {
    const isFigure = this.#isMeasured && !isWall();
    const target = `${i18n.language} ${isFigure ? Math.floor(asOfMs / 60_000) : isWall()}`;
    if (cell.target === target) return;
    cell.target = target;
    if (isFigure) pointAt(cell.link, { ...lastMinutes(asOfMs, SPARK_MINUTES), feeds: [feed] });
    else pointAtPage(cell.link, { view: 'room', room: feed.room, platform: feed.platform });
    const label = `${this.store.studio.roomName(feed.room)}, ${feed.platform}`;
    cell.link.setAttribute('aria-label', isFigure ? `${i18n.t('why')} ${label}` : label);
  }

  /** @param {Cell} cell */
  #paintLevel({ link, earned }) {
    setData(
      link,
      'level',
      earned > 0
        ? String(Math.min(LEVELS, Math.ceil(Math.sqrt(earned / this.#most) * LEVELS)))
        : this.#isMeasured
          ? '0'
          : 'unknown',
    );
  }

  /** @param {Set<string>} keys that the filters let through */
  match(keys) {
    for (const [key, { link }] of this.#cells) setData(link, 'match', keys.has(key) ? 'yes' : 'no');
  }

  /** @param {Feed} feed @returns {Cell} */
  #create(feed) {
    const link = element('a', { class: 'cell', tabindex: '-1', 'data-key': feed.key });
    const cell = { item: element('li', {}, link), link, earned: 0, target: '' };
    this.#cells.set(feed.key, cell);
    return cell;
  }

  /** @param {string | null} key */
  #point(key) {
    this.#pointedAt = key;
    const [cell, feed] = [this.#cells.get(key ?? ''), this.store.feeds.get(key ?? '')];
    if (!cell || !feed) return this.tooltip.hide();
    this.#aim(cell, feed, this.moment());
    this.tooltip.show(cell.link, meaningOf(feed, this.store, this.moment()));
  }

  /** @param {KeyboardEvent} event */
  #moveByKey(event) {
    const links = /** @type {HTMLElement[]} */ ([...this.root.querySelectorAll('.cell')]);
    const from = links.indexOf(/** @type {HTMLElement} */ (event.target));
    const top = links[0]?.offsetTop;
    const columns = links.findIndex((link) => link.offsetTop !== top);
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      Home: -from,
      End: links.length - 1 - from,
    };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const to = step === undefined ? undefined : links[from + step];
    if (!to) return;
    event.preventDefault();
    setTabStop(links, to);
    to.focus();
  }
}

/** @param {EventTarget | null} target */
function keyAt(target) {
  return target instanceof HTMLElement ? (target.dataset.key ?? null) : null;
}

/** The lines of a square's tooltip. @param {Feed} feed @param {Store} store @param {Moment} moment */
function meaningOf(feed, store, { i18n, nowMs, asOfMs, trusted }) {
  const status = i18n.t(`status_${statusOf(feed, asOfMs, store, trusted)}`);
  const amount = earnedRecently(feed, asOfMs);
  const clock = clockError(feed.lag);
  return [
    store.studio.roomName(feed.room),
    `${feed.platform} · ${status} · ${i18n.age(Math.max(0, nowMs / 1000 - feed.readAt))}`,
    `${i18n.number(feed.tokens)} ${i18n.t('tokens')} · ${recentText(amount, store, asOfMs, i18n)}`,
    COUNTS.map(({ name }) => `${i18n.number(feed[name])} ${i18n.t(name)}`).join(' · '),
    clock === null ? '' : clockText(clock, i18n),
  ];
}

/** @param {Feed} feed @param {number} asOfMs */
export function earnedRecently(feed, asOfMs) {
  const minute = Math.floor(asOfMs / 60_000);
  return feed.ledger.sum(minute - SPARK_MINUTES + 1, minute);
}

/** The live view: decides what to redraw when, so that a frame costs what changed and not what exists. */

import { areDefault, arrange } from '../state/filters.js';
import { statusOf } from '../state/store.js';
import { totalsOf } from '../state/totals.js';
import { Cards } from '../ui/cards.js';
import { find, html, setText } from '../ui/dom.js';
import { earnedRecently, HeatMap } from '../ui/heatmap.js';
import { Kpis } from '../ui/kpis.js';
import { Toolbar } from '../ui/toolbar.js';
import { Tooltip } from '../ui/tooltip.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../state/filters.js').Filters} Filters */
/** @typedef {import('../ui/moment.js').Moment} Moment */

const TOTALS_EVERY_MS = 250;
/** Cards that trade places at every update cannot be read. */
const REORDER_EVERY_MS = 5000;

export class LiveView {
  #section = html('#live');
  #count = html('#count');
  #empty = html('#empty');
  #emptyTitle = html('#empty-title');
  #emptyWords = html('#empty-words');
  #emptySteps = html('#empty-steps');
  #clear = find(document, '#clear-filters', HTMLButtonElement);
  #kpis = new Kpis(html('#kpis'));
  #arrangeDue = true;
  /** @type {string} the scope state of the last arrangement */
  #arrangedFor = '';
  #arrangedMs = 0;
  #totalsMs = 0;
  #tickMs = 0;
  /** @type {number | null} how many rooms a new arrangement shows, until that was reported */
  #shown = null;

  /**
   * @param {Store} store @param {Filters} filters
   * @param {() => Moment} moment
   * @param {{onFilters: (filters: Filters) => void, onRoom: (feed: import('../state/store.js').Feed) => void, onShown: (rooms: number) => void}} choices
   */
  constructor(store, filters, moment, { onFilters, onRoom, onShown }) {
    this.onShown = onShown;
    this.store = store;
    this.moment = moment;
    this.toolbar = new Toolbar(find(document, '#toolbar', HTMLFormElement), filters, (next) =>
      this.#filter(next, onFilters),
    );
    this.cards = new Cards(html('#groups'), store, (id) => this.#nameGroup(id));
    this.heat = new HeatMap(html('#heat'), store, new Tooltip(html('#tip'), () => moment().i18n), moment, onRoom);
    this.#clear.addEventListener('click', () => {
      this.toolbar.set({ ...this.toolbar.filters, search: '', platform: '', status: '' });
      this.#filter(this.toolbar.filters, onFilters);
    });
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#section.hidden = !shown;
  }

  /** @param {Filters} filters */
  setFilters(filters) {
    this.toolbar.set(filters);
    this.#arrangeDue = true;
  }

  /** Everything is drawn anew, as after a change of language. */
  reset() {
    this.cards.reset();
    this.#arrangeDue = true;
    this.#totalsMs = this.#tickMs = 0;
  }

  /** Nothing of any room stays on the page. */
  clear() {
    this.reset();
    this.heat.clear();
  }

  /** The state of the link changed: statuses and totals are drawn again. */
  trustChanged() {
    this.#totalsMs = this.#tickMs = 0;
  }

  /** One animation frame. @param {Moment} moment @param {number} localMs @returns {boolean} whether another one is needed */
  paint(moment, localMs) {
    const { updated, flashed, added, removed } = this.store.takeChanges();
    if (removed.size > 0) this.cards.remove(removed);
    if (added.size > 0 || removed.size > 0 || this.#arrangedFor !== this.#scopeState(moment)) this.#arrangeDue = true;
    if (this.#orderMoves() && localMs - this.#arrangedMs > REORDER_EVERY_MS) this.#arrangeDue = true;
    if (this.#arrangeDue) this.#arrange(moment, localMs);
    else this.cards.continueArranging(moment);
    this.cards.update(updated, flashed, moment);
    this.heat.update(updated, moment);
    this.#paintTotals(moment, localMs);
    this.#tick(moment, localMs);
    if (this.#shown !== null && !this.cards.busy) {
      this.onShown(this.#shown);
      this.#shown = null;
    }
    return this.cards.busy;
  }

  /** @param {Moment} moment @param {number} localMs */
  #paintTotals(moment, localMs) {
    if (localMs - this.#totalsMs < TOTALS_EVERY_MS) return;
    this.#totalsMs = localMs;
    const midnight = new Date(moment.asOfMs).setHours(0, 0, 0, 0);
    this.#kpis.paint(totalsOf(this.store, moment.asOfMs, midnight), moment);
  }

  /** @param {Moment} moment @param {number} localMs */
  #tick(moment, localMs) {
    if (localMs - this.#tickMs < 1000) return;
    this.#tickMs = localMs;
    this.cards.tick(moment);
    this.heat.tick(moment);
  }

  /** Whether time or updates alone can change the arrangement; not while someone is reading a card with the keyboard. */
  #orderMoves() {
    const { sort, group, status } = this.toolbar.filters;
    const reading = html('#groups').contains(document.activeElement);
    return !reading && (sort !== 'name' || group === 'status' || status !== '');
  }

  /** @param {Moment} moment @param {number} localMs */
  #arrange(moment, localMs) {
    const { feeds } = this.store;
    const { filters } = this.toolbar;
    this.#arrangeDue = false;
    this.#arrangedMs = localMs;
    const status = (/** @type {boolean} */ trusted) => (/** @type {import('../state/store.js').Feed} */ feed) =>
      statusOf(feed, moment.asOfMs, this.store, trusted);
    const groups = arrange(
      feeds.values(),
      filters,
      status(true),
      (feed) => earnedRecently(feed, moment.asOfMs),
      status(moment.trusted),
    );
    const shown = new Set(groups.flatMap(({ keys }) => keys));
    this.toolbar.setPlatforms(feeds.values(), moment.i18n);
    this.cards.arrange(groups, moment);
    this.heat.arrange(moment);
    this.heat.match(shown);
    this.#paintCount(shown.size, moment);
    this.#arrangedFor = this.#scopeState(moment);
    this.#shown = shown.size;
  }

  /** What can change without any room: the first snapshot, even an empty one, the scope, and whether either can be believed. @param {Moment} moment */
  #scopeState({ trusted }) {
    return JSON.stringify([this.store.complete, trusted, this.store.scope]);
  }

  /** @param {number} shown @param {Moment} moment */
  #paintCount(shown, { i18n, trusted }) {
    const total = this.store.feeds.size;
    const all = areDefault(this.toolbar.filters);
    setText(this.#count, all ? i18n.t('shown', { count: shown }) : i18n.t('shown_of', { count: shown, total }));
    this.#empty.hidden = shown > 0 || !this.store.complete;
    this.#clear.hidden = all || total === 0;
    this.#emptySteps.hidden = total > 0 || !trusted;
    setText(this.#emptyTitle, i18n.t(total > 0 ? 'nothing_found' : trusted ? 'nothing_yet' : 'nothing_known'));
    setText(this.#emptyWords, total === 0 && trusted ? this.#scopeText(i18n) : '');
    html('#heat-section').hidden = total === 0;
  }

  /** @param {import('../i18n/i18n.js').I18n} i18n */
  #scopeText(i18n) {
    const { rooms, platforms } = this.store.scope ?? { rooms: ['*'], platforms: null };
    if (rooms.includes('*') && platforms === null) return i18n.t('nothing_yet_why');
    const names = rooms.includes('*') ? i18n.t('back') : rooms.join(', ');
    return i18n.t('nothing_in_scope', { rooms: platforms === null ? names : `${names} (${platforms.join(', ')})` });
  }

  /** @param {Filters} filters @param {(filters: Filters) => void} onFilters */
  #filter(filters, onFilters) {
    this.#arrangeDue = true;
    onFilters(filters);
  }

  /** @param {string} id */
  #nameGroup(id) {
    const { i18n } = this.moment();
    if (id === '') return i18n.t('group_other');
    return this.toolbar.filters.group === 'status'
      ? i18n.t(`status_${/** @type {import('../state/store.js').Status} */ (id)}`)
      : id;
  }
}

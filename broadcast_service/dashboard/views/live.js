/** The live view: decides what to redraw when, so that a frame costs what changed and not what exists. */

import { needsAttention } from '../state/attention.js';
import { EventLog } from '../state/event_log.js';
import { areDefault, arrange, parseSort, REVERSED, shareOfGoal } from '../state/filters.js';
import { HOUR, ranked } from '../state/leaders.js';
import { SPARK_MINUTES, statusOf } from '../state/store.js';
import { totalsOf } from '../state/totals.js';
import { AttentionStrip } from '../ui/attention_strip.js';
import { Cards, DENSITIES } from '../ui/cards.js';
import { find, html, setData, setHidden, setText } from '../ui/dom.js';
import { Fold } from '../ui/fold.js';
import { earnedRecently, HeatMap } from '../ui/heatmap.js';
import { HourBars } from '../ui/hour_bars.js';
import { Kpis } from '../ui/kpis.js';
import { eventLines, leaderLines, RoomList, slowLines } from '../ui/lists.js';
import { measuredWords } from '../ui/recent_text.js';
import { Toolbar } from '../ui/toolbar.js';
import { Tooltip } from '../ui/tooltip.js';
import { earnedInHour } from '../ui/wall_room.js';
import { WallScreen } from '../ui/wall_screen.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../state/filters.js').Filters} Filters */
/** @typedef {import('../ui/moment.js').Moment} Moment */

const TOTALS_EVERY_MS = 250;
/** Cards that trade places at every update cannot be read. */
const REORDER_EVERY_MS = 5000;
const RAIL_LINES = 5;
const MAX_NEEDS = 8;
const PHONE_NEEDS = 4;
/** Fewer rooms have their names and numbers in view: squares without names add nothing. */
const HEAT_ROOMS = 100;
/** Nothing is compared with. @type {import('../state/last_week.js').Comparison} */
const NOTHING_BEFORE = { hour: null, today: null, onAir: null, viewers: null };
const DENSITY_KEY = 'studio-pulse.density';

export class LiveView {
  #section = html('#live');
  #count = html('#count');
  #empty = html('#empty');
  #emptyTitle = html('#empty-title');
  #emptyWords = html('#empty-words');
  #emptySteps = html('#empty-steps');
  #clear = find(document, '#clear-filters', HTMLButtonElement);
  #kpis = new Kpis(html('#kpis'));
  #log = new EventLog();
  /** @param {string} room */
  #nameOf = (room) => this.store.studio.roomName(room);
  #attention = new AttentionStrip(html('#attention'), html('#needs'), this.#nameOf);
  #leaders = new RoomList(html('#leaders'), html('#leaders-empty'), this.#nameOf);
  #leadersHint = html('#leaders-hint');
  #heatHint = html('#heat-hint-words');
  #slow = new RoomList(html('#slow'), html('#slow-empty'), this.#nameOf);
  #events = new RoomList(html('#events'), html('#events-empty'), this.#nameOf);
  #hours = new HourBars(html('#wall-hours'), html('#wall-hours-empty'));
  #scope = html('#kpi-scope');
  #scopeWords = html('#kpi-scope-words');
  #density = find(document, '#density', HTMLSelectElement);
  /** @type {Set<string> | null} the feeds that filters let through; null: all */
  #shown = null;
  /** @type {import('../state/store.js').Feed[] | null} the same feeds, for links to the reasons of their totals */
  #shownFeeds = null;
  #arrangeDue = true;
  /** @type {string} the scope state of the last arrangement */
  #arrangedFor = '';
  #arrangedMs = 0;
  #totalsMs = 0;
  #tickMs = 0;
  #watchedMs = 0;
  #sidesMs = 0;
  #sidesOf = '';
  #wasOnWall = false;
  /** @type {string[]} the feeds in the order of the page */
  order = [];
  /** @type {import('../state/attention.js').Need[]} rooms that need attention, as they were drawn last */
  needs = [];

  /**
   * @param {Store} store @param {Filters} filters
   * @param {() => Moment} moment
   * @param {{onFilters: (filters: Filters) => void, onResize: () => void, wall: () => import('../ui/wall_screen.js').WallState,
   *   lastWeek: import('../state/last_week.js').LastWeek, wallHours: import('../state/wall_hours.js').WallHours, settings: import('../state/storage.js').SafeStorage}} choices
   */
  constructor(store, filters, moment, { onFilters, onResize, wall, lastWeek, wallHours, settings }) {
    this.lastWeek = lastWeek;
    this.wallHours = wallHours;
    this.store = store;
    this.moment = moment;
    this.wall = wall;
    /** Changes some of the filters, as the toolbar does. @type {(change: Partial<Filters>) => void} */
    this.setAndShow = () => {};
    this.screen = new WallScreen(store, () => {
      this.#arrangeDue = true;
      this.#sidesMs = 0; // the line of what needs attention is as long as the screen is wide
      onResize();
    });
    this.fold = new Fold('rooms', settings, (name) => this.setAndShow({ [name]: '' }));
    this.toolbar = new Toolbar(find(document, '#toolbar', HTMLFormElement), filters, (next) =>
      this.#filter(next, onFilters),
    );
    this.cards = new Cards(
      html('#groups'),
      store,
      (id) => this.#nameGroup(id),
      () => moment().i18n,
    );
    this.heat = new HeatMap(html('#heat'), store, new Tooltip(html('#tip'), () => moment().i18n), moment);
    for (const button of [this.#clear, html('#kpi-scope-clear')])
      button.addEventListener('click', () => this.setAndShow({ search: '', platform: '', status: '' }));
    this.setAndShow = (change) => {
      this.toolbar.set({ ...this.toolbar.filters, ...change });
      this.#filter(this.toolbar.filters, onFilters);
    };
    this.#setDensity(settings.getItem(DENSITY_KEY) ?? '');
    this.#density.addEventListener('change', () => {
      settings.setItem(DENSITY_KEY, this.#density.value);
      this.#setDensity(this.#density.value);
      onResize();
    });
    html('#groups').addEventListener('click', (event) => {
      const by = event.target instanceof HTMLElement ? event.target.dataset.sort : undefined;
      if (!by) return;
      const { sort } = this.toolbar.filters;
      this.setAndShow({ sort: sort === by ? REVERSED + by : by });
      html(`#groups [data-sort="${by}"]`).focus();
    });
  }

  /** @param {boolean} shown */
  show(shown) {
    setHidden(this.#section, !shown);
  }

  /** @param {Filters} filters */
  setFilters(filters) {
    this.toolbar.set(filters);
    this.#arrangeDue = true;
  }

  /** Everything is drawn anew, as after a change of language. */
  reset() {
    this.cards.reset();
    this.#redraw();
  }

  /** Rooms have other names, or shifts. */
  renamed() {
    this.heat.rename();
    this.cards.repaint();
    this.#redraw();
  }

  #redraw() {
    this.#arrangeDue = true;
    this.trustChanged();
  }

  /** Nothing of any room stays on the page. */
  clear() {
    this.reset();
    this.heat.clear();
    this.screen.clear();
    this.#log.clear();
    this.#attention.clear();
    this.#hours.clear();
    this.wallHours.clear();
    for (const list of [this.#leaders, this.#slow, this.#events]) list.clear();
    this.needs = [];
    this.#watchedMs = 0;
  }

  /** The wall shows something else: the next frame draws it. */
  turned() {
    this.#tickMs = this.#sidesMs = 0;
  }

  /** Looks for rooms that need attention, whichever view is open. @param {Moment} moment @param {number} localMs */
  watch(moment, localMs) {
    if (localMs - this.#watchedMs < 1000) return;
    this.#watchedMs = localMs;
    if (moment.trusted) this.#log.observe(this.store, moment.nowMs);
    this.needs = this.store.complete
      ? needsAttention(this.store, moment.asOfMs, (key) => this.#log.onAirSinceMs(key))
      : [];
  }

  /** The state of the link changed: statuses and totals are drawn again. */
  trustChanged() {
    this.#totalsMs = this.#tickMs = this.#watchedMs = this.#sidesMs = 0;
  }

  /** One animation frame. @param {Moment} moment @param {number} localMs @returns {boolean} whether another one is needed */
  paint(moment, localMs) {
    const { updated, flashed, added, removed } = this.store.takeChanges();
    const wall = this.wall();
    if (wall.on !== this.#wasOnWall) {
      this.#wasOnWall = wall.on;
      this.#arrangeDue = true;
      this.#tickMs = 0;
      if (wall.on) this.cards.reset();
    }
    if (removed.size > 0) this.cards.remove(removed);
    if (added.size > 0 || removed.size > 0 || this.#arrangedFor !== this.#scopeState(moment)) this.#arrangeDue = true;
    if ((wall.on || this.#orderMoves()) && localMs - this.#arrangedMs > REORDER_EVERY_MS) this.#arrangeDue = true;
    if (this.#arrangeDue) this.#arrange(moment, localMs);
    else if (!wall.on) this.cards.continueArranging(moment);
    if (wall.on) this.screen.update(updated, moment);
    else {
      this.cards.update(updated, flashed, moment);
      this.heat.update(updated, moment);
    }
    this.#paintTotals(moment, localMs);
    this.#tick(moment, localMs);
    const waits = this.#paintSides(moment, localMs, wall);
    return waits || (!wall.on && (this.cards.busy || this.heat.busy));
  }

  /** @param {Moment} moment @param {number} localMs */
  #paintTotals(moment, localMs) {
    if (localMs - this.#totalsMs < TOTALS_EVERY_MS) return;
    this.#totalsMs = localMs;
    const midnight = this.store.studio.midnightMs(moment.asOfMs);
    const before = this.#shown === null ? this.lastWeek.at(moment.asOfMs) : NOTHING_BEFORE;
    this.#kpis.paint(totalsOf(this.store, moment.asOfMs, midnight, this.#shown), moment, before, this.#shownFeeds);
  }

  /** @param {Moment} moment @param {number} localMs */
  #tick(moment, localMs) {
    if (localMs - this.#tickMs < 1000) return;
    this.#tickMs = localMs;
    const wall = this.wall();
    if (wall.on) return this.screen.paint(moment, wall);
    this.cards.tick(moment);
    this.heat.tick();
    setText(this.#heatHint, measuredWords('heat_hint', SPARK_MINUTES, this.store, moment.asOfMs, moment.i18n));
  }

  /** Attention and lists, in another frame than the cards. @param {Moment} moment @param {number} localMs @param {import('../ui/wall_screen.js').WallState} wall @returns {boolean} whether they wait for the next one */
  #paintSides(moment, localMs, wall) {
    if (this.#sidesOf !== this.store.past) this.#sidesMs = 0; // figures that depend on the past change together
    if (localMs - this.#sidesMs < 1000) return false;
    if (localMs === this.#tickMs && this.#sidesMs > 0) return true;
    this.#sidesMs = localMs;
    this.#sidesOf = this.store.past;
    this.watch(moment, localMs);
    this.#paintAttention(moment, wall);
    this.#paintLists(moment, wall);
    return false;
  }

  /** @param {Moment} moment @param {import('../ui/wall_screen.js').WallState} wall */
  #paintAttention({ i18n, asOfMs, trusted }, wall) {
    const calm = !trusted || !this.store.complete ? i18n.t('needs_unknown') : i18n.t('needs_none');
    this.#attention.paint(this.needs, asOfMs, i18n, {
      always: wall.on,
      calm,
      most: this.#onPhone() ? PHONE_NEEDS : MAX_NEEDS,
      asOf: trusted ? '' : i18n.t('as_of', { time: i18n.hour.format(asOfMs) }),
    });
  }

  /** @param {Moment} moment @param {import('../ui/wall_screen.js').WallState} wall */
  #paintLists({ nowMs, asOfMs, i18n, trusted }, wall) {
    if (wall.on && trusted && wall.playlist.views.includes('hours')) this.wallHours.refresh(nowMs);
    if (wall.on && wall.view === 'rooms') return;
    if (wall.on && wall.view === 'hours') return this.#hours.paint(this.wallHours.at(asOfMs), i18n, trusted);
    const shown = this.#shown;
    const { leaders, slow } = ranked(this.store, asOfMs, (feed) => shown?.has(feed.key) ?? true);
    const lines = wall.on ? this.screen.lines : RAIL_LINES;
    const isPending = this.store.past === 'pending'; // nothing can be said about an hour that has not been received
    setText(this.#leaders.empty, i18n.t(isPending ? 'loading' : 'leaders_empty'));
    setText(this.#slow.empty, i18n.t(isPending ? 'loading' : 'slow_empty'));
    setText(this.#leadersHint, measuredWords('leaders_hint', HOUR, this.store, asOfMs, i18n));
    this.#leaders.paint(leaderLines(leaders.slice(0, lines), asOfMs, i18n), i18n);
    this.#slow.paint(slowLines(slow.slice(0, lines), asOfMs, i18n), i18n);
    this.#events.paint(eventLines(this.#log.events.slice(0, wall.on ? lines : 2 * RAIL_LINES), i18n), i18n);
  }

  /** @param {number} asOfMs @returns {import('../state/filters.js').Facts} */
  #facts(asOfMs) {
    const { studio, shifts } = this.store;
    return {
      names: ({ room, platform, account }) => [studio.roomName(room), studio.accountName(platform, account)],
      share: (feed) => {
        const progress = shifts.of(feed, asOfMs);
        return progress ? progress.share : shareOfGoal(feed);
      },
    };
  }

  /** Whether time or updates alone can change the arrangement; not while someone is reading a card, or about to click it. */
  #orderMoves() {
    const { sort, group, status } = this.toolbar.filters;
    const reading = html('#groups').contains(document.activeElement) || html('#groups').matches(':hover');
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
      (feed) => earnedInHour(feed, this.store, moment.asOfMs) ?? -1,
      status(moment.trusted),
      this.#facts(moment.asOfMs),
    );
    const shown = new Set(groups.flatMap(({ keys }) => keys));
    this.order = [...shown];
    this.#shown = areDefault(filters) ? null : shown;
    this.#shownFeeds = this.#shown && [...shown].flatMap((key) => feeds.get(key) ?? []);
    this.#totalsMs = 0;
    this.#paintCount(shown.size, moment);
    this.fold.paint(this.#narrowing(moment), moment.i18n);
    this.#arrangedFor = this.#scopeState(moment);
    const wall = this.wall();
    if (wall.on) {
      this.screen.arrange([...shown], moment, wall);
      this.#tickMs = 0;
      return;
    }
    this.toolbar.setPlatforms(feeds.values(), moment.i18n);
    this.cards.arrange(groups, moment);
    this.#markSort();
    this.heat.arrange(moment);
    this.heat.match(shown);
  }

  /** What can change without any room: the first snapshot, even an empty one, the scope, and whether either can be believed. @param {Moment} moment */
  #scopeState({ trusted }) {
    return JSON.stringify([this.store.complete, trusted, this.store.scope]);
  }

  /** @param {number} shown @param {Moment} moment */
  #paintCount(shown, { i18n, trusted }) {
    const total = this.store.feeds.size;
    const all = areDefault(this.toolbar.filters);
    setHidden(this.#scope, all || shown === 0);
    setText(this.#scopeWords, i18n.t('totals_of', { count: shown, total }));
    setText(this.#count, all ? i18n.t('shown', { count: shown }) : i18n.t('shown_of', { count: shown, total }));
    setHidden(this.#empty, shown > 0 || !this.store.complete);
    setHidden(this.#clear, all || total === 0);
    setHidden(this.#emptySteps, total > 0 || !trusted);
    setText(this.#emptyTitle, i18n.t(total > 0 ? 'nothing_found' : trusted ? 'nothing_yet' : 'nothing_known'));
    setText(this.#emptyWords, total === 0 && trusted ? this.#scopeText(i18n) : '');
    setHidden(html('#rail'), total === 0);
    setHidden(html('#heat-section'), total < HEAT_ROOMS);
    const seesAll = this.store.scope?.rooms.includes('*') ?? false;
    const isFirstRun = total === 0 && all && trusted && seesAll && this.store.complete;
    setData(this.#section, 'first', isFirstRun ? 'yes' : 'no');
    for (const id of ['#first-waiting', '#first-demo']) setHidden(html(id), !isFirstRun);
  }

  /** @param {import('../i18n/i18n.js').I18n} i18n */
  #scopeText(i18n) {
    const { rooms, platforms } = this.store.scope ?? { rooms: ['*'], platforms: null };
    if (rooms.includes('*') && platforms === null) return i18n.t('nothing_yet_why');
    const names = rooms.includes('*') ? i18n.t('all_rooms') : rooms.join(', ');
    return i18n.t('nothing_in_scope', { rooms: platforms === null ? names : `${names} (${platforms.join(', ')})` });
  }

  #onPhone() {
    return matchMedia('(max-width: 640px)').matches;
  }

  /** @param {string} wanted */
  #setDensity(wanted) {
    const density = DENSITIES.find((known) => known === wanted) ?? (this.#onPhone() ? 'compact' : 'cards');
    this.#density.value = density;
    this.cards.show(density);
    this.#arrangeDue = true;
  }

  /** The heads of the table name the order. */
  #markSort() {
    const { by, reversed } = parseSort(this.toolbar.filters.sort);
    for (const head of html('#groups').querySelectorAll('th[scope=col]')) {
      const sort = head.querySelector('button')?.dataset.sort;
      const isUp = (by === 'name') !== reversed;
      if (sort === by) head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    }
  }

  /** @param {Filters} filters @param {(filters: Filters) => void} onFilters */
  #filter(filters, onFilters) {
    this.#arrangeDue = true;
    onFilters(filters);
  }

  /** What narrows the rooms, besides the search, which is in view. @param {Moment} moment */
  #narrowing({ i18n }) {
    const { platform, status } = this.toolbar.filters;
    const word = status && i18n.t(`status_${/** @type {import('../state/store.js').Status} */ (status)}`);
    return Object.entries({ platform, status: word }).flatMap(([name, words]) => (words ? { name, words } : []));
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

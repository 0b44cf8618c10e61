/** Puts the page together: link, state and views, and the one loop that draws. */

import { Access } from './access.js';
import { chooseLanguage, I18n, LANGUAGES, translate } from './i18n/i18n.js';
import { Api } from './link/api.js';
import { Connection } from './link/connection.js';
import { keepPage } from './link/offline.js';
import { poll } from './link/poll.js';
import { probe } from './link/probe.js';
import { discard, timeoutSignal } from './link/timeout.js';
import { initialLink } from './link/token.js';
import { hrefOf, Router, routeOfClick } from './router.js';
import { Baseline } from './state/baseline.js';
import { readFilters, writeFilters } from './state/filters.js';
import { LastWeek } from './state/last_week.js';
import { ownerOf, saveRecent, takeRecent } from './state/recent_earnings.js';
import { storageOf } from './state/storage.js';
import { Store } from './state/store.js';
import { StudioPoll } from './state/studio_poll.js';
import { TrustMonitor } from './state/trust.js';
import { Update } from './state/update.js';
import { WallHours } from './state/wall_hours.js';
import { Watchdog } from './state/watchdog.js';
import { chooseTheme, connectTheme } from './theme.js';
import { find, html, setData, setText } from './ui/dom.js';
import { repeatForEachMetric } from './ui/each_metric.js';
import { Demo } from './views/demo.js';
import { Keyboard } from './views/keyboard.js';
import { LazyView } from './views/lazy_view.js';
import { connectLegend } from './views/legend.js';
import { LinkNotice } from './views/link_notice.js';
import { LiveView } from './views/live.js';
import { Toast } from './views/palette.js';
import { PollingNotice } from './views/polling_notice.js';
import { StudioNotice } from './views/studio_notice.js';
import { TabBadge } from './views/tab_badge.js';
import { UpdateOffer } from './views/update_offer.js';
import { Wall } from './views/wall.js';

/** @typedef {import('./link/messages.js').ServerEvent} ServerEvent */

/** @type {{link: string, fit: boolean, started: () => void}} what boot/first.js found */
const boot = /** @type {any} */ (window).studioPulse;
if (!boot.fit) throw new Error('this browser lacks what the page needs; #boot names the versions');
repeatForEachMetric(document);

/** In these states, where readings are missing, the server is pinged once it has sent nothing for a while. */
const DOUBTFUL = /** @type {import('./state/trust.js').Trouble[]} */ (['quiet', 'late', 'some', 'silence']);
const PING_AFTER_MS = 5000;
const RELOAD_RETRY_MS = 5000;
/** After the page is live: rooms, history and totals are requested first. */
const PREFETCH_AFTER_MS = 5000;

const settings = storageOf(() => localStorage);
const tab = { location, history, storage: storageOf(() => sessionStorage) };
const timers = {
  now: Date.now,
  set: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms),
  clear: (/** @type {any} */ timer) => clearTimeout(timer),
};
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
const languageSelect = find(document, '#language', HTMLSelectElement);
/** Some browsers and extensions leave it undefined. */
const languages = navigator.languages ?? [];
const store = new Store();
let i18n = new I18n(chooseLanguage([settings.getItem('studio-pulse.language') ?? '', ...languages]), languages);
let drawScheduled = false;
/** The last state of the link that was handled. */
let linkState = '';
/** A renewed token may see other rooms; whether it does shows by a snapshot. */
let scopeMayHaveChanged = false;

const router = new Router(() => {
  if (router.route.view !== 'live') demo.end(); // Back led to a page of the studio
  live.setFilters(readFilters(router.query));
  show();
});
const demo = new Demo(timers, partFailed, () => {
  clearRooms();
  connection.start(connection.token);
  if (wall.on) wall.set(false);
  show();
});
const connection = new Connection({
  url: new URL('ws/dashboard', document.baseURI).href.replace(/^http/u, 'ws').replace(/[?#].*$/u, ''), // relative to the page, so that a proxy may serve it below any path
  openSocket: (url, protocols) => demo.openSocket(url, protocols),
  probe: probeToken,
  poll: (token) => poll('api/tracking/telemetry', token),
  timers,
  random: Math.random,
  onEvents: handleEvents,
  onLink: handleLink,
  onRenewal: (token, accepted) => access.handleRenewal(token, accepted),
});
const trust = new TrustMonitor(store);
const moment = () => ({ ...trust.assess(connection.link, Date.now()), i18n, calm: reducedMotion.matches });
const api = new Api(
  () => connection.token,
  (url, options) => demo.ask(url, options),
);
const lastWeek = new LastWeek(
  api,
  timers,
  () => store.clock.now(Date.now()),
  (nowMs) => store.studio.weekBefore(nowMs),
);
const tabBadge = new TabBadge(settings);
let pageTitle = 'Studio Pulse';
const studioPoll = new StudioPoll(api, timers, Math.random, studioChanged);
const baseline = new Baseline(api, store, timers, Math.random, scheduleDraw, () => studioPoll.ready);
const access = new Access({
  tab,
  connection,
  i18n: () => i18n,
  probe: probeToken,
  onSwitch: clearRooms,
  onShow: show,
  onChange: scheduleDraw,
});
const pollingNotice = new PollingNotice();
const studioNotice = new StudioNotice();
const linkNotice = new LinkNotice(() => connection.wake());
const updateOffer = new UpdateOffer(() => void reload());
const watchdog = new Watchdog({ storage: tab.storage, now: Date.now, reload: () => void reload() });
const update = new Update({
  build: find(document, 'meta[name="studio-pulse-build"]', HTMLMetaElement).content,
  storage: tab.storage,
  mayReload: () => (wall.on || document.hidden) && access.survivesReload,
  reload,
  timers,
  random: Math.random,
});
const wallHours = new WallHours(api, () => {
  live.turned();
  scheduleDraw();
});
const live = new LiveView(store, readFilters(router.query), moment, {
  onFilters: (filters) => {
    router.updateQuery((query) => writeFilters(filters, query));
    scheduleDraw();
  },
  onResize: scheduleDraw,
  wall: () => wall,
  lastWeek,
  wallHours,
  settings,
});
const analytics = new LazyView(async () => {
  const { AnalyticsView } = await import('./views/analytics.js');
  return new AnalyticsView(api, moment, store.studio, (change) => router.updateQuery(change), settings);
}, partFailed);
const accountName = (/** @type {string | null} */ account, platform = '') =>
  account === null ? i18n.t('account_unknown') : store.studio.accountName(platform, account) || account;
const room = new LazyView(async () => {
  const { RoomView } = await import('./views/room.js');
  return new RoomView(store, api, moment, rememberSpan, accountName);
}, partFailed);
const why = new LazyView(async () => {
  const { WhyView } = await import('./views/why.js');
  return new WhyView(api, moment, accountName, (name) => store.studio.roomName(name));
}, partFailed);
const sum = new LazyView(async () => {
  const { SumView } = await import('./views/sum.js');
  return new SumView(api, moment, store.studio, accountName);
}, partFailed);
const wall = new Wall({
  onChange: (on) => {
    router.updateQuery((query) => {
      if (!on) for (const name of ['wall', 'each']) query.delete(name);
      else if (!query.get('wall')) query.set('wall', '1');
    });
    labelWallButton();
    if (on && router.route.view !== 'live') navigate({ view: 'live' });
    scheduleDraw();
  },
  onTurn: () => {
    live.turned();
    scheduleDraw();
  },
  query: () => router.query,
});

/** Keeps the span of a room's page in the address. @param {import('./state/periods.js').Period} period @param {{from: number, to: number} | null} zoom */
function rememberSpan(period, zoom) {
  router.updateQuery((query) => {
    query.set('period', period);
    for (const name of /** @type {const} */ (['from', 'to'])) {
      if (zoom) query.set(name, String(zoom[name]));
      else query.delete(name);
    }
  });
}

/** A part of the page cannot be loaded: the server cannot be reached, or it has another version. A reload loads all of one version. */
function partFailed() {
  toast.show(i18n.t('failed'));
  if (access.survivesReload) watchdog.recover();
}

/** Loads the views that are one click away, so that they open in an outage too, and are of the same version as the rest of the page. */
function prefetchViews() {
  if (!access.signedIn || wall.on || connection.link.phase !== 'live') return;
  for (const view of [room, analytics, why, sum]) view.prefetch();
}

/** Why a token opens no socket, if anything refuses it. @param {string} token */
function probeToken(token) {
  return probe('ws/dashboard', token, { origin: location.origin });
}

/** @param {ServerEvent[]} events */
function handleEvents(events) {
  const now = Date.now();
  const { upstream } = store;
  for (const event of events) handleEvent(event, now);
  if (upstream !== store.upstream) live.trustChanged();
  if (upstream === 'degraded' && store.upstream === 'ok') recover();
  scheduleDraw();
}

/** The server answers again: the readings committed meanwhile, and all that failed, are requested without waiting for the next refresh. */
function recover() {
  baseline.start();
  for (const each of [lastWeek, wallHours, analytics, room, why, sum]) each.recover();
}

/** @param {ServerEvent} event @param {number} localMs */
function handleEvent(event, localMs) {
  store.apply(event, localMs);
  switch (event.event_type) {
    case 'HELLO':
      access.sessionChanged('HELLO', localMs);
      if (demo.on) break;
      for (const [minute, amount] of takeRecent(tab.storage, ownerOf(connection.token, store), currentMinute()))
        store.ledger.add(minute, amount);
      update.compare(event.build);
      break;
    case 'TOKEN_RENEWED':
      access.sessionChanged('TOKEN_RENEWED', localMs);
      scopeMayHaveChanged = true;
      break;
    case 'SYNC':
      if (event.snapshot && scopeMayHaveChanged) resetReports();
  }
}

/** @param {import('./link/types.js').Link} link */
function handleLink({ phase, reason, via }) {
  live.trustChanged();
  const state = `${phase} ${via}`;
  if (phase === 'live' && (via !== 'polling' || state !== linkState)) {
    studioPoll.start();
    recover();
    timers.set(prefetchViews, PREFETCH_AFTER_MS);
    void keepPage();
  } else if (phase !== 'live') {
    studioPoll.stop();
    baseline.stop();
  }
  linkState = state;
  compareWithLastWeek();
  if (reason === 'protocol') update.outdated();
  if (phase === 'stopped' && reason === 'token') access.leave('gate_token');
  if (phase === 'stopped' && reason === 'forbidden') access.leave('gate_forbidden');
  scheduleDraw();
}

/** @param {import('./state/studio.js').StudioView} view */
function studioChanged(view) {
  store.studio.set(view);
  setLanguage(i18n.language);
  live.renamed();
  for (const each of [analytics, room, why, sum]) each.reset();
  if (connection.link.phase === 'live') baseline.start();
  show();
}

/** @param {import('./i18n/i18n.js').Language} language */
function setLanguage(language) {
  i18n = new I18n(language, [store.studio.locale, ...languages], store.studio.zone);
}

function currentMinute() {
  return Math.floor(store.clock.now(Date.now()) / 60_000);
}

/** Sums and reports of the rooms of the former scope are not about the rooms of this one. */
function resetReports() {
  scopeMayHaveChanged = false;
  store.resetEarnings();
  studioPoll.start();
  baseline.start();
  for (const view of [analytics, room, why, sum]) view.clear();
  show();
}

/** Removes everything of the rooms from the page: another access may not see them. */
function clearRooms() {
  store.clear();
  lastWeek.clear();
  tabBadge.clear();
  studioPoll.clear();
  for (const view of [live, analytics, room, why, sum]) view.clear();
}

/** Shows the view of the current route, or none before the page is signed in. */
function show() {
  if (!access.signedIn) demo.forget();
  const { route, query } = router;
  const { signedIn } = access;
  live.show(signedIn && route.view === 'live');
  analytics.show(signedIn && route.view === 'analytics', query);
  room.show(signedIn && route.view === 'room' ? route : null, query);
  why.show(signedIn && route.view === 'why' ? route : null);
  sum.show(signedIn && route.view === 'sum' ? route : null);
  for (const id of ['#link', '#sign-out', '#nav']) html(id).hidden = !signedIn;
  for (const view of /** @type {const} */ (['live', 'analytics'])) {
    const anchor = find(document, `#nav-${view}`, HTMLAnchorElement);
    anchor.href = hrefOf({ view }, location.search);
    if (route.view === view) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  const names = { live: '', analytics: i18n.t('nav_analytics'), sum: i18n.t('why') };
  const name = 'room' in route ? store.studio.roomName(route.room) : names[route.view];
  pageTitle = [demo.on ? i18n.t('demo') : '', name, 'Studio Pulse'].filter(Boolean).join(' · ');
  compareWithLastWeek();
  scheduleDraw();
}

/** Only the live view compares, and only while history can be asked. */
function compareWithLastWeek() {
  const isShown = access.signedIn && router.route.view === 'live' && connection.link.phase === 'live';
  if (isShown) lastWeek.start();
  else lastWeek.stop();
}

/** @param {import('./router.js').Route} route */
function navigate(route) {
  if (demo.on && route.view !== 'live') return toast.show(i18n.t('demo_rooms_only'));
  router.push(route);
  show();
  scrollTo(0, 0);
  html('#main').focus({ preventScroll: true });
}

function scheduleDraw() {
  if (drawScheduled) return;
  drawScheduled = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawScheduled = false;
  const now = Date.now();
  const current = moment();
  setData(document.documentElement, 'trust', current.trusted ? 'yes' : 'no');
  updateOffer.paint(update.isDue);
  access.paint(i18n, store.tokenExpiresAt, current.nowMs, now);
  setText(html('#clock'), i18n.clock.format(current.nowMs));
  if (access.signedIn) drawSignedIn(current, now);
  else wall.hold(false);
  tabBadge.paint(pageTitle, access.signedIn && !demo.on ? live.needs : [], current.trusted);
  watchdog.drawn();
}

/** @param {import('./ui/moment.js').Moment & import('./state/trust.js').Assessment} current @param {number} now */
function drawSignedIn(current, now) {
  const health = {
    link: connection.link,
    silence: store.silence,
    offline: !demo.on && !navigator.onLine,
    demo: demo.on,
  };
  demo.paint(i18n);
  linkNotice.paint(health, current, i18n, now);
  pollingNotice.paint(connection.link, i18n);
  studioNotice.paint(store.studio.problemIn(i18n.language), i18n);
  wall.hold(linkNotice.visible);
  wall.shift(now);
  const silentMs = current.nowMs - (store.lastMessageAtMs ?? 0);
  if (DOUBTFUL.includes(current.trouble) && silentMs > PING_AFTER_MS) connection.ping();
  const { view } = router.route;
  if (view !== 'live') live.watch(current, now);
  if (view === 'room') room.view?.paint(current);
  if (view === 'live' && live.paint(current, now)) scheduleDraw();
}

/** Reloads once the server answers: a reload without it would leave the browser's own error page on the wall. */
async function reload() {
  try {
    const signal = timeoutSignal(RELOAD_RETRY_MS);
    const answer = await fetch(location.pathname, { cache: 'no-store', credentials: 'same-origin', signal });
    discard(answer);
    if (answer.ok) return location.reload();
  } catch {
    // tried again below
  }
  timers.set(() => void reload(), RELOAD_RETRY_MS);
}

function feedsByName() {
  return [...store.feeds.values()].sort((a, b) => a.room.localeCompare(b.room));
}

function labelWallButton() {
  const label = i18n.t(wall.on ? 'wall_off' : 'wall_on');
  html('#wall').setAttribute('aria-label', label);
  html('#wall').title = label;
}

function applyLanguage() {
  document.documentElement.lang = i18n.language;
  languageSelect.value = i18n.language;
  translate(document, i18n);
  labelWallButton();
  for (const view of [live, analytics, room, why, sum]) view.reset();
  show();
}

connectLegend();
const toast = new Toast();
const keyboard = new Keyboard({
  toast,
  isSignedIn: () => access.signedIn,
  i18n: () => i18n,
  open: (view) => {
    if (router.route.view !== view) navigate({ view });
  },
  openRoom: (name, platform) => navigate({ view: 'room', room: name, platform }),
  rooms: () => {
    const shown = live.order.flatMap((key) => store.feeds.get(key) ?? []);
    return shown.length > 0 ? shown : feedsByName(); // the live view has not been shown yet
  },
  allRooms: feedsByName,
  nameOf: (name) => store.studio.roomName(name),
  room: () => (router.route.view === 'room' ? router.route : null),
  chooseTheme: (theme) => chooseTheme(settings, theme),
  soundIsOn: () => tabBadge.sound,
  toggleSound: () => tabBadge.toggleSound(),
});
keyboard.connect();
connectTheme(settings);
languageSelect.addEventListener('change', () => {
  const language = LANGUAGES.find((known) => known === languageSelect.value) ?? 'en';
  settings.setItem('studio-pulse.language', language);
  setLanguage(language);
  applyLanguage();
});
document.addEventListener('click', (event) => {
  const route = access.signedIn ? routeOfClick(event) : null;
  if (!route) return;
  event.preventDefault();
  navigate(route);
});
addEventListener('pagehide', () => {
  const owner = ownerOf(connection.token, store);
  if (access.signedIn && store.complete && !demo.on) saveRecent(tab.storage, owner, store.ledger, currentMinute());
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  connection.wake();
  scheduleDraw();
});
for (const type of ['online', 'offline', 'pageshow']) addEventListener(type, () => connection.wake());
setInterval(() => {
  watchdog.tick(wall.on && !document.hidden && access.survivesReload);
  scheduleDraw();
}, 1000);

const link = initialLink(tab, boot.link);
boot.link = '';
applyLanguage();
if (router.query.has('wall')) wall.set(true);
access.start(link);
boot.started();

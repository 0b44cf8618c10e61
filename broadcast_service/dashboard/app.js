/** Where the page is put together: token, connection, store and views, and the one loop that draws. */

import { chooseLanguage, I18n, LANGUAGES, translate } from './i18n/i18n.js';
import { Api } from './link/api.js';
import { Connection } from './link/connection.js';
import { poll } from './link/poll.js';
import { probe } from './link/probe.js';
import { SignIn, SignInFailed } from './link/signin.js';
import { timeoutSignal } from './link/timeout.js';
import { clearToken, initialLink, saveToken, storedToken, survivesReload, takeLink } from './link/token.js';
import { hrefOf, readRoute, writeRoute } from './router.js';
import { Baseline } from './state/baseline.js';
import { readFilters, writeFilters } from './state/filters.js';
import { ownerOf, saveRecent, takeRecent } from './state/recent_earnings.js';
import { storageOf } from './state/storage.js';
import { Store } from './state/store.js';
import { TrustMonitor } from './state/trust.js';
import { Update } from './state/update.js';
import { find, html, setText } from './ui/dom.js';
import { AnalyticsView } from './views/analytics.js';
import { Gate, Renewal } from './views/gate.js';
import { legend } from './views/legend.js';
import { LinkNotice } from './views/link_notice.js';
import { LiveView } from './views/live.js';
import { PairingView } from './views/pairing.js';
import { PollingNotice, UpdateOffer } from './views/polling_notice.js';
import { Replacement } from './views/replacement.js';
import { RoomView } from './views/room.js';
import { ScreensView } from './views/screens.js';
import { Wall } from './views/wall.js';

/** @typedef {import('./router.js').Route} Route */

/** @type {{link: string, fit: boolean, started: () => void}} what first.js found */
const first = /** @type {any} */ (window).studioPulse;
if (!first.fit) throw new Error('this browser lacks what the page needs; #boot names the versions');

/** Where readings are missing the link is asked instead of waited for, once nothing was heard for so long. */
const DOUBTS = /** @type {import('./state/trust.js').Trouble[]} */ (['quiet', 'late', 'some', 'silence']);
const ASK_AFTER_MS = 5000;

const settings = storageOf(() => localStorage);
const place = { location, history, storage: storageOf(() => sessionStorage) };
const timers = {
  now: Date.now,
  set: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms),
  clear: (/** @type {any} */ timer) => clearTimeout(timer),
};
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const languageSelect = find(document, '#language', HTMLSelectElement);
const queryNow = () => new URLSearchParams(location.search);
/** Some browsers and extensions leave it undefined. */
const languages = navigator.languages ?? [];
const store = new Store();
let i18n = new I18n(chooseLanguage([settings.getItem('studio-pulse.language') ?? '', ...languages]), languages);
let route = readRoute(queryNow());
let entered = false;
let scheduled = false;
/** The last state of the link that was followed. */
let linkState = '';
/** Letters of a screen that waits for approval, until somebody is signed in here. */
let waitingLetters = '';
/** A renewed token may see other rooms; whether it does shows by a snapshot. */
let mayNarrow = false;

const connection = new Connection({
  url: new URL('ws/dashboard', document.baseURI).href.replace(/^http/u, 'ws').replace(/[?#].*$/u, ''), // beside the page, whatever path a proxy gives it
  openSocket: (url, protocols) => new WebSocket(url, protocols),
  probe: ask,
  poll: (token) => poll('api/tracking/telemetry', token),
  timers,
  random: Math.random,
  onEvents: handleEvents,
  onLink: followLink,
  onRenewal: (token, accepted) => (accepted ? saveToken(place, token) : void startAfresh(token)),
});
/** Why a token opens no socket, if anything stands against it. @param {string} token */
function ask(token) {
  return probe('ws/dashboard', token, { origin: location.origin });
}

const watch = new TrustMonitor(store);
const health = () => ({ link: connection.link, silence: store.silence, offline: !navigator.onLine });
const moment = () => ({ ...watch.assess(connection.link, Date.now()), i18n, calm: calm.matches });

const currentMinute = () => Math.floor(store.clock.now(Date.now()) / 60_000);
const api = new Api(() => connection.token);
const baseline = new Baseline(api, store, timers, Math.random, schedule);
const signIn = new SignIn(() => connection.token);
const gate = new Gate(enterPasted, () => pairing.start());
const pairing = new PairingView(
  signIn,
  () => enter(''),
  () => {
    gate.cover(pairing.active);
    schedule();
  },
);
const screens = new ScreensView(signIn, () => i18n);
const replacement = new Replacement();
const renewal = new Renewal(renew);
legend();
const detour = new PollingNotice();
const update = new Update({
  build: find(document, 'meta[name="studio-pulse-build"]', HTMLMetaElement).content,
  storage: place.storage,
  mayReload: () => (wall.on || document.hidden) && (!entered || survivesReload(place)),
  reload,
  timers,
  random: Math.random,
});
const updateOffer = new UpdateOffer(() => void reload());
const linkView = new LinkNotice(() => connection.wake());
const live = new LiveView(store, readFilters(queryNow()), moment, {
  onFilters: (filters) => {
    inQuery((query) => writeFilters(filters, query));
    schedule();
  },
  onRoom: (feed) => navigate({ view: 'room', room: feed.room, platform: feed.platform }),
  onShown: (rooms) => wall.fit(rooms),
});
const analytics = new AnalyticsView(api, moment, (period, platform) =>
  inQuery((query) => {
    query.set('period', period);
    if (platform) query.set('of', platform);
    else query.delete('of');
  }),
);
const room = new RoomView(store, api, moment, (period) => inQuery((query) => query.set('period', period)));
const wall = new Wall((on) => {
  inQuery((query) => (on ? query.set('wall', '1') : query.delete('wall')));
  nameWallButton();
});

/** @param {import('./link/messages.js').ServerEvent[]} events */
function handleEvents(events) {
  const now = Date.now();
  const upstream = store.upstream;
  for (const event of events) {
    store.apply(event, now);
    if (event.event_type === 'HELLO') renewal.begin(now);
    if (event.event_type === 'HELLO') {
      for (const [minute, amount] of takeRecent(place.storage, ownerOf(connection.token, store), currentMinute()))
        store.ledger.add(minute, amount);
    }
    if (event.event_type === 'HELLO') update.compare(event.build);
    if (event.event_type === 'TOKEN_RENEWED') renewal.confirm(now);
    if (event.event_type === 'TOKEN_RENEWED') mayNarrow = true;
    if (event.event_type === 'SYNC' && event.snapshot && mayNarrow) otherRooms();
  }
  if (upstream !== store.upstream) live.trustChanged();
  if (upstream === 'degraded' && store.upstream === 'ok') baseline.start(); // what came in meanwhile, without waiting for the next time
  schedule();
}

/** @param {import('./link/types.js').Link} link */
function followLink({ phase, reason, via }) {
  live.trustChanged();
  const state = `${phase} ${via}`;
  if (phase === 'live' && (via !== 'polling' || state !== linkState)) baseline.start();
  else if (phase !== 'live') baseline.stop();
  linkState = state;
  if (reason === 'protocol') update.outdated();
  const shut = phase === 'stopped' && (reason === 'token' || reason === 'forbidden');
  if (shut) leave(reason === 'token' ? 'gate_token' : 'gate_forbidden');
  schedule();
}

/** Over the open socket where there is one: nothing on the screen moves. @param {string} token */
function renew(token) {
  renewal.wait();
  if (connection.token === '') void signIn.withToken(token, true).catch(() => undefined); // the cookie is renewed with the session
  if (!connection.renew(token)) void startAfresh(token);
  schedule();
}

/** A token that could not continue the session may still begin one: for another subject, or because the link is down. @param {string} token */
async function startAfresh(token) {
  const { verdict } = await ask(token);
  if (verdict !== 'token' && verdict !== 'forbidden' && verdict !== 'unreachable') return enter(token);
  if (!entered) return;
  saveToken(place, connection.token);
  renewal.refuse(verdict === 'unreachable' ? 'renew_unreachable' : 'renew_refused');
  schedule();
}

/** Sums and reports of the rooms before are not about these. */
function otherRooms() {
  mayNarrow = false;
  store.resetEarnings();
  baseline.start();
  for (const view of [analytics, room]) view.clear();
  show();
}

/** @param {string} token */
function enter(token) {
  saveToken(place, token);
  forgetRooms();
  gate.close();
  entered = true;
  connection.start(token);
  show();
  void signIn.current().then(
    (access) => {
      html('#screens-open').hidden = !(entered && access?.manages);
    },
    () => undefined,
  );
  if (waitingLetters) screens.open(waitingLetters);
  waitingLetters = '';
}

/** A pasted token opens this tab; on a screen that stays signed in it is exchanged for a session cookie first. @param {string} token @param {boolean} keep */
async function enterPasted(token, keep) {
  try {
    if (keep) await signIn.withToken(token, true);
    if (keep && (await signIn.current())?.screen_id) return enter('');
  } catch (error) {
    if (error instanceof SignInFailed && error.status === 401) return leave('gate_token');
  }
  enter(token); // where the browser keeps no cookie, or the server cannot be reached, the token itself will do
}

/**
 * The access this browser has, from its tab or its cookie: null when it has none. While the server cannot be asked, it may have one.
 * @returns {Promise<string | null>}
 */
async function existingAccess() {
  const token = storedToken(place);
  if (entered || token !== null) return entered ? connection.token : token;
  try {
    return (await signIn.current()) ? '' : null;
  } catch {
    return '';
  }
}

/** Begins with what a link brought, if anything. A link never replaces a working access unasked. @param {import('./link/token.js').Link | null} link */
async function begin(link) {
  if (link && !link.value)
    return entered ? undefined : leave(link.kind === 'token' ? 'gate_malformed' : 'gate_link_used');
  const existing = link?.kind === 'token' && storedToken(place) === link.value ? null : await existingAccess();
  if (link?.kind === 'pair') waitingLetters = link.value;
  if (!link || link.kind === 'pair') return existing === null ? leave(link ? 'gate_pair' : null) : resume(existing);
  if (existing !== null && !(await replacement.ask())) return resume(existing);
  if (link.kind === 'token') return (entered ? renew : enter)(link.value);
  try {
    await signIn.withCode(link.value, true);
    enter('');
  } catch (error) {
    const used = error instanceof SignInFailed && error.status === 410;
    if (existing !== null) return resume(existing);
    leave(used ? 'gate_link_used' : 'gate_link_failed');
  }
}

/** @param {string} token */
function resume(token) {
  if (!entered) return enter(token);
  if (waitingLetters) screens.open(waitingLetters);
  waitingLetters = '';
}

/** @param {import('./i18n/i18n.js').MessageKey | null} problem */
function leave(problem) {
  clearToken(place);
  forgetRooms();
  renewal.dismiss();
  entered = false;
  show();
  gate.open(problem);
  schedule();
}

/** What one token may see is not the next one's to know. */
function forgetRooms() {
  store.clear();
  for (const view of [live, analytics, room]) view.clear();
}

/** Shows the view of the current route, or none before a token is there. */
function show() {
  live.show(entered && route.view === 'live');
  analytics.show(entered && route.view === 'analytics', queryNow());
  room.show(entered && route.view === 'room' ? route : null, queryNow());
  for (const id of ['#link', '#sign-out', '#nav']) html(id).hidden = !entered;
  if (!entered) html('#screens-open').hidden = true;
  for (const view of /** @type {const} */ (['live', 'analytics'])) {
    const link = find(document, `#nav-${view}`, HTMLAnchorElement);
    link.href = hrefOf({ view }, location.search);
    if (route.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = [
    route.view === 'room' ? route.room : route.view === 'analytics' ? i18n.t('nav_analytics') : '',
    'Studio Pulse',
  ]
    .filter(Boolean)
    .join(' · ');
  schedule();
}

/** @param {Route} next */
function navigate(next) {
  const query = queryNow();
  writeRoute(next, query);
  history.pushState(null, '', addressOf(query));
  route = next;
  show();
  scrollTo(0, 0);
  html('#main').focus({ preventScroll: true });
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(draw);
}

function draw() {
  scheduled = false;
  const now = Date.now();
  const current = moment();
  document.documentElement.dataset.trust = current.trusted ? 'yes' : 'no';
  if (entered) linkView.paint(health(), current, i18n, now);
  if (entered) detour.paint(connection.link, i18n);
  updateOffer.paint(update.isDue);
  if (entered && DOUBTS.includes(current.trouble) && current.nowMs - (store.lastMessageAtMs ?? 0) > ASK_AFTER_MS)
    connection.ping();
  wall.hold(entered && linkView.visible);
  gate.paint(i18n);
  pairing.paint(i18n);
  renewal.paint(i18n, entered ? store.tokenExpiresAt : null, current.nowMs, now);
  setText(html('#clock'), i18n.clock.format(current.nowMs));
  if (!entered) return;
  if (route.view === 'room') room.paint(current);
  if (route.view === 'live' && live.paint(current, now)) schedule();
}

/** @param {URLSearchParams} query */
function addressOf(query) {
  const text = query.toString();
  return location.pathname + (text && `?${text}`);
}

/** As soon as the server answers: a reload without it would leave the browser's own error page on the wall. */
async function reload() {
  try {
    const answer = await fetch(location.pathname, {
      cache: 'no-store',
      credentials: 'same-origin',
      signal: timeoutSignal(5000),
    });
    if (answer.ok) return location.reload();
  } catch {
    // asked again below
  }
  timers.set(() => void reload(), 5000);
}

/** @param {(query: URLSearchParams) => void} change */
function inQuery(change) {
  const query = queryNow();
  change(query);
  history.replaceState(null, '', addressOf(query));
}

function nameWallButton() {
  const words = i18n.t(wall.on ? 'wall_off' : 'wall_on');
  html('#wall').setAttribute('aria-label', words);
  html('#wall').title = words;
}

function speak() {
  document.documentElement.lang = i18n.language;
  languageSelect.value = i18n.language;
  translate(document, i18n);
  nameWallButton();
  for (const view of [live, analytics, room]) view.reset();
  show();
}

function switchTheme() {
  const root = document.documentElement;
  const systemDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const next = (root.dataset.theme ?? (systemDark ? 'dark' : 'light')) === 'dark' ? 'light' : 'dark';
  if ((next === 'dark') === systemDark) delete root.dataset.theme;
  else root.dataset.theme = next;
  settings.setItem('studio-pulse.theme', root.dataset.theme ?? '');
}

/** Links between views change the view, not the page; whoever wants a new tab still gets one. @param {MouseEvent} event */
function followInside(event) {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (
    !link ||
    !plain ||
    !entered ||
    link.target ||
    link.download ||
    link.hash ||
    new URL(link.href).pathname !== location.pathname
  )
    return;
  event.preventDefault();
  navigate(readRoute(new URL(link.href).searchParams));
}

languageSelect.addEventListener('change', () => {
  const language = LANGUAGES.find((known) => known === languageSelect.value) ?? 'en';
  settings.setItem('studio-pulse.language', language);
  i18n = new I18n(language, languages);
  speak();
});
html('#theme').addEventListener('click', switchTheme);
html('#screens-open').addEventListener('click', () => screens.open());
html('#sign-out').addEventListener('click', () => {
  if (connection.token === '') void signIn.signOut().catch(() => undefined);
  connection.stop();
  leave(null);
});
document.addEventListener('click', followInside);
addEventListener('pagehide', () => {
  if (entered && store.complete)
    saveRecent(place.storage, ownerOf(connection.token, store), store.ledger, currentMinute());
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) {
    connection.wake();
    schedule();
  }
});
for (const type of ['online', 'offline', 'pageshow']) addEventListener(type, () => connection.wake());
addEventListener('hashchange', () => {
  const link = takeLink(place);
  if (link) void begin(link);
});
addEventListener('popstate', () => {
  route = readRoute(queryNow());
  live.setFilters(readFilters(queryNow()));
  show();
});
setInterval(schedule, 1000);

const firstGiven = initialLink(place, first.link);
speak();
if (queryNow().has('wall')) wall.set(true);
first.link = '';
void begin(firstGiven);
first.started();

/** The state in words and numbers, kept current while the page is open. */
import '../content/adapters.js';
import { clockFault } from '../worker/clock.js';
import { loadSettings, UNSET } from '../worker/config.js';
import { summaryOf } from '../worker/shift.js';
import {
  asleepPlatforms,
  brokenReadings,
  connectionOf,
  endsSoon,
  initialBoard,
  livePlatforms,
} from '../worker/status.js';
import { withTimeout } from '../worker/timeouts.js';
import { element } from './element.js';
import { requestAccess } from './form.js';
import { age, count, day, duration, show, t, time } from './page.js';

/** @type {Record<Connection, string>} */
const TONES = {
  storage: 'bad',
  setup: 'quiet',
  paused: 'quiet',
  access: 'bad',
  refused: 'bad',
  rejected: 'warn',
  foreign: 'warn',
  buffering: 'warn',
  connected: 'good',
  asleep: 'warn',
  unreadable: 'warn',
  pending: 'quiet',
  site: 'bad',
  switched_off: 'quiet',
  unproven: 'warn',
  idle: 'quiet',
};
const STORAGE_MS = 6000;

/** @typedef {{ board: StatusBoard, settings: Settings, shifts: Record<string, Shift>, now: number }} View */

/**
 * Calls `draw` now, at every change, and every second, because ages grow by themselves.
 *
 * @param {(view: View) => void} draw
 */
export async function watch(draw) {
  const refresh = async () => draw(await load());
  chrome.storage.onChanged.addListener(refresh);
  setInterval(refresh, 1000);
  await refresh();
}

/** Storage that fails or hangs is a state like any other. @returns {Promise<View>} */
async function load() {
  const now = Date.now();
  try {
    const [{ board }, { settings }, { shifts = {} }] = await withTimeout(
      STORAGE_MS,
      Promise.all([
        /** @type {Promise<{ board?: StatusBoard }>} */ (chrome.storage.session.get('board')),
        loadSettings(),
        /** @type {Promise<{ shifts?: Record<string, Shift> }>} */ (chrome.storage.local.get('shifts')),
      ]),
    );
    return { board: { ...initialBoard(), ...board }, settings, shifts, now };
  } catch {
    return { board: { ...initialBoard(), settingsFailed: true }, settings: UNSET, shifts: {}, now };
  }
}

/** @param {Element} parent @param {View} view */
export function showStatus(parent, { board, settings, now }) {
  const connection = connectionOf(board, now);
  if (parent.childElementCount === 0) parent.append(...frame());
  const [card, notes, button] = parent.children;
  card?.setAttribute('data-tone', TONES[connection]);
  if (card?.lastElementChild) {
    show(card.lastElementChild, [
      element('strong', {}, t(`state_${connection}`, count(board.buffered))),
      element('span', {}, detailText(connection, board, settings, now)),
    ]);
  }
  if (notes)
    show(
      notes,
      noteTexts(board, now, connection).map((words) => element('li', {}, ...words)),
    );
  const action = ACTIONS[connection];
  button?.toggleAttribute('hidden', !action);
  if (button && action) [button.textContent, runAction] = [t(action.words), () => action.run(board)];
}

/** What the button does now. */
let runAction = () => {};

/** At most one thing to do in each state. @type {Partial<Record<Connection, { words: string, run: (board: StatusBoard) => unknown }>>} */
const ACTIONS = {
  access: { words: 'allow', run: async () => requestAccess((await loadSettings()).settings.endpoint) },
  site: { words: 'allow', run: ({ withheld }) => requestSites(withheld) },
  paused: { words: 'resume', run: () => chrome.storage.local.remove('pausedAt') },
  buffering: { words: 'tryNow', run: () => chrome.runtime.sendMessage({ type: 'retry-now' }) },
  foreign: { words: 'tryNow', run: () => chrome.runtime.sendMessage({ type: 'retry-now' }) },
  rejected: { words: 'tryNow', run: () => chrome.runtime.sendMessage({ type: 'retry-now' }) },
  refused: { words: 'enterCode', run: () => enterCode() },
  asleep: {
    words: 'showTab',
    run: (board) =>
      Promise.all(
        Object.values(board.platforms)
          .filter(({ asleep }) => asleep)
          .map(({ tabId }) => chrome.tabs.update(tabId, { active: true }).catch(() => {})),
      ),
  },
  switched_off: { words: 'openSettings', run: () => chrome.runtime.openOptionsPage() },
};

/** Chrome's own permission dialog; where there is none, the request appears in the extensions menu. @param {string[]} patterns */
async function requestSites(patterns) {
  const isGiven = await chrome.permissions.request({ origins: patterns }).catch(() => false);
  const [tab] = isGiven ? [] : await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  if (tab?.id !== undefined) await chrome.permissions.addHostAccessRequest?.({ tabId: tab.id }).catch(() => {});
}

function enterCode() {
  const settings = document.getElementById('settings');
  settings?.toggleAttribute('open', true);
  document.getElementById('code')?.focus();
}

/** The live region stays the same element, or screen readers would miss its changes. */
function frame() {
  const button = element('button', { type: 'button', class: 'primary', id: 'action', hidden: '' });
  button.addEventListener('click', () => runAction());
  return [
    element(
      'div',
      { class: 'state' },
      element('span', { class: 'mark', 'aria-hidden': 'true' }),
      element('div', { role: 'status' }),
    ),
    element('ul', { class: 'notes' }),
    button,
  ];
}

/** @param {Connection} connection @param {StatusBoard} board @param {Settings} settings @param {number} now */
function detailText(connection, board, { endpoint, roomId, roomName }, now) {
  const { failure, refusal, pausedAt } = board;
  const host = URL.canParse(endpoint) ? new URL(endpoint).host : endpoint;
  if (connection === 'connected') return t('detail_connected', roomName || roomId, host);
  if (connection === 'storage' && board.settingsFailed) return t('detail_storageSettings');
  if (connection === 'paused') return t('detail_paused', time(pausedAt ?? now));
  if (connection === 'access') return t('detail_access', host);
  if (connection === 'rejected') return t('detail_rejected', reasonOf(refusal));
  if (connection === 'foreign') return [t('detail_foreign', host, failure ?? 0), nextTry(board, now)].join(' ').trim();
  if (connection === 'unreadable') return t('detail_unreadable', reportCodes(board, now).join(', '));
  if (connection === 'site') return t('detail_site', board.withheld.map(siteName).join(', '));
  if (connection === 'switched_off')
    return t('detail_switched_off', pagesThat(board, 'switched_off').map(labelOf).join(', '));
  if (connection !== 'buffering') return t(`detail_${connection}`);
  return [t(`detail_buffering${bufferingCause(failure)}`, failure ?? 0), failure === null ? '' : nextTry(board, now)]
    .join(' ')
    .trim();
}

/** @param {number | null} failure */
function bufferingCause(failure) {
  if (failure === 0) return '';
  if (failure === null) return 'Unconfirmed';
  return failure === 429 || failure === 503 ? 'Busy' : 'Status';
}

/** @param {StatusBoard} board @param {number} now */
const nextTry = ({ nextAttemptAt }, now) => (nextAttemptAt > now ? t('nextTry', duration(nextAttemptAt - now)) : '');

/** In the server's words, which are English. @param {Refusal | null} refusal */
const reasonOf = (refusal) => (refusal ? `${refusal.detail || refusal.status}`.slice(0, 200) : '');

/** `https://*.example.com/*` → example.com @param {string} pattern */
const siteName = (pattern) => pattern.replace(/^[a-z*]+:\/\/(?:\*\.)?/u, '').replace(/\/.*$/u, '');

/** @param {StatusBoard} board @param {PageState} state */
const pagesThat = ({ pages = {} }, state) =>
  Object.entries(pages)
    .filter(([, { page }]) => page === state)
    .map(([platform]) => platform);

/** What a studio needs to know to find the fault: platform, number and kind. @param {StatusBoard} board @param {number} now */
export const reportCodes = (board, now) =>
  livePlatforms(board, now).flatMap(([platform, { metrics, health }]) =>
    inOrder(metrics)
      .filter(([name, { status }]) => (name === 'tokens' && status !== 'ok') || health[name]?.broken)
      .map(([name, { status }]) => `${platform}-${name}-${status}`),
  );

/** @param {StatusBoard} board @param {number} now @param {Connection} connection @returns {(Node | string)[][]} */
function noteTexts(board, now, connection) {
  const notes = [];
  const broken = brokenReadings(board, now).map(({ metric }) => t(`metric_${metric}`));
  if (broken.length > 0 && connection !== 'unreadable') {
    notes.push([
      element('strong', {}, t('readingBroken', broken.join(', '))),
      ' ',
      t('readingBrokenDetail', reportCodes(board, now).join(', ')),
    ]);
  }
  const fault = clockFault(board.offsetMs);
  if (fault) notes.push([t(fault === 'fast' ? 'clockFast' : 'clockSlow', duration(Math.abs(board.offsetMs ?? 0)))]);
  if (endsSoon(board, now)) notes.push([t('endsSoon', day(board.expiresAt ?? now))]);
  if (board.storageFailed) notes.push([t('storageFailed')]);
  if (board.lost > 0) notes.push([t('lost', count(board.lost))]);
  if (connection !== 'site' && connection !== 'setup')
    for (const pattern of board.withheld) notes.push([t('withheldNote', siteName(pattern))]);
  if (connection !== 'asleep' && asleepPlatforms(board).length > 0)
    notes.push([`${asleepPlatforms(board).map(labelOf).join(', ')}: ${t('detail_asleep')}`]);
  if (HOLDING.includes(connection) && board.buffered > 0) notes.push([t('kept', count(board.buffered))]);
  if (connection === 'connected' && board.buffered > 1) notes.push([t('catchingUp', count(board.buffered))]);
  if (board.held > 0) notes.push([t('held', count(board.held))]);
  if (board.dead > 0)
    notes.push([
      t('deadCount', count(board.dead)),
      ...(board.refusal ? [' ', t('newestReason', reasonOf(board.refusal))] : []),
    ]);
  if (board.dropped > 0) notes.push([t('dropped', count(board.dropped))]);
  return notes;
}

/** States in which readings wait and the headline does not say how many. @type {Connection[]} */
const HOLDING = ['access', 'refused', 'rejected', 'foreign', 'paused', 'storage'];

/**
 * The broadcaster's own numbers; unknown ones are shown as unknown.
 *
 * @param {Element} parent
 * @param {View} view
 */
export function showShift(parent, { board, settings, shifts, now }) {
  const live = livePlatforms(board, now);
  const current = Object.entries(shifts)
    .map(([platform, shift]) => ({ platform, shift, ...summaryOf(shift) }))
    .filter(
      ({ platform, until, shift }) => until !== null && now - until < 3_600_000 && isOfAccount(board, platform, shift),
    );
  if (!board.configured || (live.length === 0 && current.length === 0)) return show(parent, []);
  const known = current.filter(({ earned: amount }) => amount !== null);
  const since = Math.min(...current.map(({ since: start }) => start ?? Infinity));
  const earned = known.length === 0 ? null : known.reduce((sum, each) => sum + Number(each.earned), 0);
  const rows = /** @type {[string, string | null][]} */ ([
    ['shiftEarned', earned === null ? null : count(earned)],
    ['shiftOnAir', current.length === 0 ? null : duration(Math.max(...current.map(({ onAirMs }) => onAirMs)))],
  ]);
  const balances = live.map(([, { metrics }]) => metrics.tokens?.value);
  const balance = balances.length === 1 ? balances[0] : undefined;
  return show(parent, [
    element(
      'section',
      { class: 'platform shift', 'aria-labelledby': 'shift-title' },
      element(
        'div',
        { class: 'platform-name' },
        element('h2', { id: 'shift-title' }, t('shift')),
        element('span', {}, Number.isFinite(since) ? t('shiftSince', time(since)) : ''),
      ),
      element(
        'dl',
        {},
        ...rows.map(([name, value]) =>
          element(
            'div',
            {},
            element('dt', {}, t(name)),
            element(
              'dd',
              {},
              ...(value === null ? [element('span', { class: 'absent' }, t('shiftUnknown'))] : [value]),
            ),
          ),
        ),
      ),
      ...(settings.goal !== null && balance !== undefined ? goalBar(balance, settings.goal) : []),
      ...(board.buffered > 1 ? [element('p', { class: 'hint' }, t('shiftWaiting', count(board.buffered)))] : []),
      element('p', { class: 'hint' }, t('shiftHint')),
    ),
  ]);
}

/** A shift of another account at this desk is not shown. @param {StatusBoard} board @param {string} platform @param {Shift} shift */
function isOfAccount({ platforms }, platform, { account }) {
  const open = platforms[platform];
  return !open || (open.account ?? '') === account;
}

/** @param {number} balance @param {number} goal */
function goalBar(balance, goal) {
  const words = t('shiftGoal', count(balance), count(goal));
  return [
    element('p', { class: 'goal' }, words),
    element('progress', { max: String(goal), value: String(Math.min(balance, goal)), 'aria-label': words }),
  ];
}

/** @param {Element} parent @param {View} view */
export function showReadings(parent, { board, settings, now }) {
  show(
    parent,
    livePlatforms(board, now).map(([platform, { metrics, readAt }]) =>
      element(
        'section',
        { class: 'platform', 'aria-label': labelOf(platform) },
        element(
          'p',
          { class: 'platform-name' },
          element('strong', {}, labelOf(platform)),
          element('span', {}, age(now - readAt)),
        ),
        element(
          'dl',
          {},
          ...inOrder(asSent(metrics, settings)).map(([name, reading]) =>
            element('div', {}, element('dt', {}, t(`metric_${name}`)), element('dd', {}, ...readingNodes(reading))),
          ),
        ),
      ),
    ),
  );
}

/** @type {MetricName[]} */
const ORDER = ['tokens', 'tips', 'viewers', 'goal'];

/** Storage forgets the order of keys. @param {Metrics} metrics */
export const inOrder = (metrics) =>
  ORDER.flatMap((name) => /** @type {[MetricName, MetricReading][]} */ (metrics[name] ? [[name, metrics[name]]] : []));

/**
 * The metrics as they are sent: the goal is the one that was set, not the one on the page.
 *
 * @param {Metrics} metrics
 * @param {Settings} settings
 * @returns {Metrics}
 */
function asSent({ goal: _onPage, ...metrics }, { goal }) {
  return goal === null ? metrics : { ...metrics, goal: { status: 'ok', value: goal } };
}

/** @param {View} view */
export function showGoalHint({ board, now }) {
  const onPage = livePlatforms(board, now)
    .map(([, { metrics }]) => metrics.goal?.value)
    .find((goal) => goal !== undefined);
  const hint = document.getElementById('goal-hint');
  const words = onPage === undefined ? t('hint_goal') : t('hint_goalOnPage', count(onPage));
  if (hint && hint.textContent !== words && hint.textContent !== t('byPolicy')) hint.textContent = words;
}

/** @param {MetricReading} reading @returns {(Node | string)[]} */
export const readingNodes = ({ status, value }) =>
  value === undefined ? [element('span', { class: 'absent' }, t(`status_${status}`))] : [count(value)];

/** @param {string} platform */
export const labelOf = (platform) =>
  globalThis.studioPulseAdapters.find((adapter) => adapter.platform === platform)?.label ?? platform;

/** The state in words and numbers, kept current while the page is open. */
import '../content/adapters.js';
import { loadSettings } from '../worker/config.js';
import { brokenReadings, connectionOf, freshBoard, livePlatforms } from '../worker/status.js';
import { requestAccess } from './form.js';
import { age, count, element, say, show } from './page.js';

/** @type {Record<Connection, string>} */
const TONES = { setup: 'quiet', access: 'bad', refused: 'bad', buffering: 'warn', connected: 'good', unreadable: 'warn', idle: 'quiet' };

/** @typedef {{ board: StatusBoard, settings: Settings, now: number }} View */

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

/** @returns {Promise<View>} */
async function load() {
  const [{ board }, { settings }] = await Promise.all(
    [/** @type {Promise<{ board?: StatusBoard }>} */ (chrome.storage.session.get('board')), loadSettings()]);
  return { board: { ...freshBoard(), ...board }, settings, now: Date.now() };
}

/** @param {Element} parent @param {View} view */
export function showStatus(parent, { board, settings, now }) {
  const connection = connectionOf(board, now);
  if (parent.childElementCount === 0) parent.append(...frame());
  const [card, notes, allow] = parent.children;
  card?.setAttribute('data-tone', TONES[connection]);
  if (card?.lastElementChild) {
    show(card.lastElementChild, [
      element('strong', {}, say(`state_${connection}`, count(board.buffered))),
      element('span', {}, detailOf(connection, board, settings)),
    ]);
  }
  if (notes) show(notes, notesOn(board, now, connection).map((words) => element('li', {}, ...words)));
  allow?.toggleAttribute('hidden', connection !== 'access');
}

/** The live region stays the same element, or screen readers would miss its changes. */
function frame() {
  const allow = element('button', { type: 'button', class: 'primary', hidden: '' }, say('allow'));
  allow.addEventListener('click', async () => requestAccess((await loadSettings()).settings.endpoint));
  return [
    element('div', { class: 'state' }, element('span', { class: 'mark', 'aria-hidden': 'true' }), element('div', { role: 'status' })),
    element('ul', { class: 'notes' }),
    allow,
  ];
}

/** @param {Connection} connection @param {StatusBoard} board @param {Settings} settings */
function detailOf(connection, { failure }, { endpoint, roomId }) {
  const host = URL.canParse(endpoint) ? new URL(endpoint).host : endpoint;
  if (connection === 'connected') return say('detail_connected', roomId, host);
  if (connection === 'access') return say('detail_access', host);
  if (connection !== 'buffering' || failure === 0) return say(`detail_${connection}`);
  if (failure === null) return say('detail_bufferingUnconfirmed');
  return failure === 429 || failure === 503 ? say('detail_bufferingBusy') : say('detail_bufferingStatus', failure);
}

/** @param {StatusBoard} board @param {number} now @param {Connection} connection @returns {(Node | string)[][]} */
function notesOn(board, now, connection) {
  const notes = [];
  const broken = brokenReadings(board, now).map(({ metric }) => say(`metric_${metric}`));
  if (broken.length > 0) {
    notes.push([element('strong', {}, say('readingBroken', broken.join(', '))), ' ', say('readingBrokenDetail')]);
  }
  if (board.storageFailed) notes.push([say('storageFailed')]);
  if ((connection === 'access' || connection === 'refused') && board.buffered > 0) notes.push([say('kept', count(board.buffered))]);
  if (connection === 'connected' && board.buffered > 1) notes.push([say('catchingUp', count(board.buffered))]);
  if (board.dead > 0) notes.push([say('deadCount', count(board.dead))]);
  if (board.dropped > 0) notes.push([say('dropped', count(board.dropped))]);
  return notes;
}

/** @param {Element} parent @param {View} view */
export function showReadings(parent, { board, settings, now }) {
  show(parent, livePlatforms(board, now).map(([platform, { metrics, readAt }]) =>
    element('section', { class: 'platform', 'aria-label': labelOf(platform) },
      element('p', { class: 'platform-name' }, element('strong', {}, labelOf(platform)), element('span', {}, age(now - readAt))),
      element('dl', {}, ...inOrder(asSent(metrics, settings)).map(([name, reading]) =>
        element('div', {}, element('dt', {}, say(`metric_${name}`)), element('dd', {}, ...valueOf(reading))))))));
}

/** @type {MetricName[]} */
const ORDER = ['tokens', 'tips', 'viewers', 'goal'];

/** Storage forgets the order of keys. @param {Metrics} metrics */
export const inOrder = (metrics) =>
  ORDER.flatMap((name) => /** @type {[MetricName, MetricReading][]} */ (metrics[name] ? [[name, metrics[name]]] : []));

/**
 * What is sent: the goal is the one that was set, not the one on the page.
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
  const onPage = livePlatforms(board, now).map(([, { metrics }]) => metrics.goal?.value).find((goal) => goal !== undefined);
  const hint = document.getElementById('goal-hint');
  const words = onPage === undefined ? say('hint_goal') : say('hint_goalOnPage', count(onPage));
  if (hint && hint.textContent !== words && hint.textContent !== say('byPolicy')) hint.textContent = words;
}

/** @param {MetricReading} reading @returns {(Node | string)[]} */
export const valueOf = ({ status, value }) =>
  (value === undefined ? [element('span', { class: 'absent' }, say(`status_${status}`))] : [count(value)]);

/** @param {string} platform */
export const labelOf = (platform) =>
  globalThis.studioPulseAdapters.find((adapter) => adapter.platform === platform)?.label ?? platform;

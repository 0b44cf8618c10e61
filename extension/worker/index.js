/**
 * The worker: wires Chrome to the outbox, the sender and the status. Chrome may end it at any moment, so listeners are
 * set at the top level and nothing is remembered here that is not also stored.
 */
import { freshState } from './answers.js';
import { loadSettings, permissionFor } from './config.js';
import { Outbox } from './outbox.js';
import { probe } from './probe.js';
import { acceptPage, acceptReading, acceptStart, startAnswer, toTelemetry } from './reading.js';
import { Sender } from './sender.js';
import { advanceHealth, badgeFor, brokenReadings, connectionOf, freshBoard, mayReport } from './status.js';

const ALARM = 'every-30-seconds';

const outbox = new Outbox(indexedDB);
const sender = new Sender({
  outbox,
  memory: {
    load: async () => /** @type {SenderState | undefined} */ ((await chrome.storage.local.get('sender')).sender),
    save: (state) => chrome.storage.local.set({ sender: state }),
  },
  destination,
  onAnswer: (at) => updateBoard(at === null ? {} : { lastOkAt: at }),
  fetch: (...request) => fetch(...request),
  now: Date.now,
  random: Math.random,
});

// Settings hold the token, and by default content scripts could read both areas.
const isSealed = Promise.all([
  chrome.storage.local.setAccessLevel({ accessLevel: 'TRUSTED_CONTEXTS' }),
  chrome.storage.managed.setAccessLevel({ accessLevel: 'TRUSTED_CONTEXTS' }).catch(() => {}), // not every Chrome can
]);
void wake();

chrome.alarms.onAlarm.addListener(async () => {
  await askPages();
  await sender.drain();
  await updateBoard({});
});

chrome.runtime.onInstalled.addListener(async ({ reason }) => {
  if (reason === 'install' && !(await loadSettings()).isComplete) await chrome.runtime.openOptionsPage();
});

chrome.runtime.onStartup.addListener(wake);

chrome.runtime.onMessage.addListener((message, from, reply) => {
  const reading = acceptReading(message, from, chrome.runtime.id, Date.now());
  const page = acceptPage(message, from, chrome.runtime.id, Date.now());
  const started = acceptStart(message, from, chrome.runtime.id);
  const isFromUs = from.id === chrome.runtime.id && from.origin === location.origin;
  const answer = reading ? keep(reading) : page ? keepPage(page) : started ? answerStart(started) : isFromUs ? obey(message) : undefined;
  answer?.then(reply, () => reply(null));
  return answer !== undefined;
});

chrome.storage.onChanged.addListener(async (changes, area) => {
  const own = area === 'local' ? changes.settings : undefined;
  if (area === 'managed' || own) await reconfigure();
  if (own) await giveBack(/** @type {Partial<Settings> | undefined} */ (own.oldValue)?.endpoint);
});
chrome.tabs.onRemoved.addListener((closed) => inTurn(async () => {
  const board = await readBoard();
  const open = Object.entries(board.platforms).filter(([, { tabId }]) => tabId !== closed);
  const pages = Object.entries(board.pages ?? {}).filter(([, { tabId }]) => tabId !== closed);
  await writeBoard({ ...board, platforms: Object.fromEntries(open), pages: Object.fromEntries(pages) });
}));
chrome.permissions.onAdded.addListener(reconfigure);
chrome.permissions.onRemoved.addListener(reconfigure);

/** At every start: an alarm does not survive everything, and what waited may be due. */
async function wake() {
  await isSealed;
  if (!(await chrome.alarms.get(ALARM))) await chrome.alarms.create(ALARM, { periodInMinutes: 0.5 });
  await updateBoard({});
  await sender.drain();
}

async function reconfigure() {
  await updateBoard({ lastOkAt: 0 });
  await sender.restart();
  await updateBoard({});
}

/** An address that is no longer used needs no permission. @param {string} [endpoint] */
async function giveBack(endpoint = '') {
  const { settings } = await loadSettings();
  if (!URL.canParse(endpoint) || !URL.canParse(settings.endpoint) || isSameOrigin(endpoint, settings.endpoint)) return;
  await chrome.permissions.remove(permissionFor(endpoint)).catch(() => {}); // one that the manifest asks for stays
}

/** @param {string} one @param {string} other */
const isSameOrigin = (one, other) => new URL(one).origin === new URL(other).origin;

/** @returns {Promise<Settings | null>} */
async function destination() {
  const { settings, isComplete } = await loadSettings();
  return isComplete && await chrome.permissions.contains(permissionFor(settings.endpoint)) ? settings : null;
}

/** Stored before anything else is done with it. @param {ReadingMessage & { tabId: number }} reading */
async function keep(reading) {
  const isKept = await inTurn(async () => {
    const board = await readBoard();
    const current = board.platforms[reading.platform];
    if (!mayReport(current, reading.tabId, reading.readAt)) return false;
    const storageFailed = !(await store(reading));
    const { tabId, readAt, metrics, platform } = reading;
    const account = reading.account === undefined ? {} : { account: reading.account };
    const health = current?.readAt === readAt ? current.health : advanceHealth(current?.health ?? {}, metrics);
    await writeBoard({ ...board, storageFailed, platforms: { ...board.platforms, [platform]: { tabId, readAt, ...account, metrics, health } } });
    return true;
  });
  if (isKept) void sender.drain().then(() => updateBoard({}));
  return { isKept };
}

/** A broadcast page that is not read: the popup names it. @param {PageMessage & { tabId: number }} message */
async function keepPage({ platform, tabId, seenAt, page }) {
  await inTurn(async () => {
    const board = await readBoard();
    await writeBoard({ ...board, pages: { ...board.pages, [platform]: { tabId, seenAt, page } } });
  });
  return { isKept: true };
}

/** @param {string} platform @returns {Promise<StartAnswer>} */
async function answerStart(platform) {
  const [{ settings }, installationKey, board] = await Promise.all([loadSettings(), keyOfInstallation(), readBoard()]);
  return startAnswer(settings, installationKey, board.platforms[platform]);
}

/** Random, made once: without it the mark of an account could be found by trying a list of names. */
function keyOfInstallation() {
  return inTurn(async () => {
    const stored = /** @type {{ installationKey?: string }} */ (await chrome.storage.local.get('installationKey')).installationKey;
    if (stored) return stored;
    const made = [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    await chrome.storage.local.set({ installationKey: made });
    return made;
  });
}

/** @param {ReadingMessage} reading @returns {Promise<boolean>} false when the disk is full or the profile damaged */
async function store(reading) {
  const { settings, isComplete } = await loadSettings();
  const body = isComplete ? toTelemetry(reading, settings) : null;
  try {
    if (body) await outbox.add(body, reading.readAt);
    return true;
  } catch {
    return false;
  }
}

/** What the popup and the options page ask for. @param {{ type?: unknown }} message */
async function obey({ type }) {
  if (type === 'test') return test();
  if (type === 'dead-letters') return outbox.deadLetters();
  if (type === 'revive') await outbox.revive();
  if (type === 'discard') await outbox.discardDead();
  await sender.drain();
  await updateBoard({});
  return null;
}

/** A test that succeeds is as good as a new configuration. */
async function test() {
  const result = await probe(await loadSettings(), await destination(), { fetch: (...request) => fetch(...request), now: Date.now });
  if (result.outcome === 'ok') await reconfigure();
  return result;
}

/** Hidden pages run their own timers once a minute at best. */
async function askPages() {
  const { platforms } = await readBoard();
  await Promise.all(Object.values(platforms).map(({ tabId }) =>
    chrome.tabs.sendMessage(tabId, { type: 'read' }, { frameId: 0 }).catch(() => {})));
}

let turn = Promise.resolve();

/**
 * The board is read, changed and written; two at once would lose a change.
 *
 * @template T
 * @param {() => Promise<T>} job
 * @returns {Promise<T>}
 */
function inTurn(job) {
  const done = turn.then(job);
  turn = done.then(() => {}, () => {});
  return done;
}

/** @returns {Promise<StatusBoard>} */
async function readBoard() {
  const { board } = /** @type {{ board?: StatusBoard }} */ (await chrome.storage.session.get('board'));
  return { ...freshBoard(), ...board };
}

/** @param {Partial<StatusBoard>} changes */
function updateBoard(changes) {
  return inTurn(async () => writeBoard({ ...await readBoard(), ...changes }));
}

/** @param {StatusBoard} board */
async function writeBoard(board) {
  const [{ settings, isComplete }, counts, { sender: state }] = await Promise.all(
    [loadSettings(), outbox.counts().catch(() => ({ storageFailed: true })), chrome.storage.local.get('sender')]);
  const access = isComplete && await chrome.permissions.contains(permissionFor(settings.endpoint));
  const { refused, attempt, nextAttemptAt, failure } = /** @type {SenderState} */ (state ?? freshState());
  const next = { ...board, ...counts, configured: isComplete, access, refused, attempt, nextAttemptAt, failure };
  await chrome.storage.session.set({ board: next });
  await showBadge(next);
}

/** @param {StatusBoard} board */
async function showBadge(board) {
  const now = Date.now();
  const { text, colour } = badgeFor(board, now);
  const say = chrome.i18n.getMessage;
  const lines = [say('name'), say(`state_${connectionOf(board, now)}`, [String(board.buffered)])];
  for (const { metric } of brokenReadings(board, now)) lines.push(say('readingBroken', [say(`metric_${metric}`)]));
  await Promise.all([
    chrome.action.setBadgeText({ text }),
    chrome.action.setBadgeBackgroundColor({ color: colour }),
    chrome.action.setBadgeTextColor({ color: '#ffffff' }),
    chrome.action.setTitle({ title: lines.join('\n') }),
  ]);
}

/**
 * The worker: wires Chrome to the outbox, the sender and the status. Chrome may end it at any moment, so listeners are
 * set at the top level and nothing is remembered here that is not also stored. Chrome's storage may fail or hang as well:
 * nothing that the badge depends on waits without a limit.
 */
import { initialState } from './answers.js';
import { expiryOf, loadSettings, permissionFor } from './config.js';
import { Outbox } from './outbox.js';
import { probe } from './probe.js';
import { parsePage, parseReading, parseStart, startAnswer, toTelemetry } from './reading.js';
import { Sender } from './sender.js';
import { addSamples } from './shift.js';
import { advanceHealth, badgeFor, brokenReadings, connectionOf, FRESH_MS, initialBoard, mayReport } from './status.js';
import { allowDiscarding, preventDiscarding, reinjectScripts, withheldSites, withSleepState } from './tabs.js';
import { CircuitBreaker, withTimeout } from './timeouts.js';
import { handleUiMessage } from './ui_messages.js';

const ALARM = 'every-30-seconds';
/** Storage that works may take seconds on a busy machine; a badge that is wrong for longer is worse. */
const STORAGE_MS = 6000;

const outbox = new Outbox(indexedDB);
const limits = { limitMs: STORAGE_MS, pauseMs: STORAGE_MS, now: () => Date.now() };
const disk = new CircuitBreaker(limits);
const settingsStore = new CircuitBreaker(limits);
const sessionStore = new CircuitBreaker(limits);

/** Copies of stored values, used while the storage does not answer. */
const cached = {
  /** @type {Awaited<ReturnType<typeof loadSettings>> | null} */ configuration: null,
  /** @type {SenderState | undefined} */ sender: undefined,
  /** @type {StatusBoard} */ board: initialBoard(),
  isReadFailing: false,
  isWriteFailing: false,
  isDiskFailing: false,
  /** @type {number | null} */ pausedAt: null,
};

/** These touch every reading that waits. @type {(string | symbol)[]} */
const BULK = ['release', 'requeue', 'remove', 'deadLetter', 'postpone'];

/** The outbox that never hangs. @type {Outbox} */
const guardedOutbox = new Proxy(outbox, {
  get:
    (target, name) =>
    (/** @type {unknown[]} */ ...rest) =>
      // @ts-expect-error every method of the outbox returns a promise
      disk.run(() => target[name](...rest), BULK.includes(name) ? 60_000 : undefined),
});

const sender = new Sender({
  outbox: guardedOutbox,
  memory: { load: loadSender, save: saveSender },
  destination,
  onAnswer: async (at, accepted) => {
    await addToShift(accepted);
    await updateBoard(at === null ? {} : { lastOkAt: at });
    scheduleRetry();
  },
  fetch: (...request) => fetch(...request),
  now: () => Date.now(),
  random: Math.random,
});

// Settings hold the token, and by default content scripts could read both areas.
const accessRestricted = Promise.all([
  withTimeout(STORAGE_MS, chrome.storage.local.setAccessLevel({ accessLevel: 'TRUSTED_CONTEXTS' })).catch(() => {
    cached.isReadFailing = true;
  }),
  withTimeout(STORAGE_MS, chrome.storage.managed.setAccessLevel({ accessLevel: 'TRUSTED_CONTEXTS' })).catch(() => {}), // not every Chrome can
]);
void start();

chrome.alarms.onAlarm.addListener(async () => {
  await requestReadings();
  await drain();
  await updateBoard({});
});

chrome.runtime.onInstalled.addListener(async ({ reason }) => {
  if (reason === 'install' && !(await isSetUpByPolicy()) && !(await configuration()).isComplete)
    await chrome.runtime.openOptionsPage();
  await reinjectScripts();
});

chrome.runtime.onStartup.addListener(start);

chrome.runtime.onMessage.addListener((message, from, reply) => {
  const reading = parseReading(message, from, chrome.runtime.id, Date.now());
  const page = parsePage(message, from, chrome.runtime.id, Date.now());
  const started = parseStart(message, from, chrome.runtime.id);
  const isFromUs = from.id === chrome.runtime.id && from.origin === location.origin;
  const answer = reading
    ? acceptReading(reading)
    : page
      ? acceptPage(page)
      : started
        ? answerStart(started)
        : isFromUs
          ? handleUiMessage(UI_MESSAGES, message)
          : undefined;
  answer?.then(reply, () => reply(null));
  return answer !== undefined;
});

chrome.storage.onChanged.addListener(async (changes, area) => {
  const own = area === 'local' ? changes.settings : undefined;
  if (area === 'local' && changes.pausedAt) await pauseOrResume(changes.pausedAt.newValue);
  if (area === 'managed' || own) await reconfigure();
  if (own) await removePermission(/** @type {Partial<Settings> | undefined} */ (own.oldValue)?.endpoint);
});
chrome.tabs.onRemoved.addListener((closed) =>
  serialize(async () => {
    const board = await readBoard();
    const open = Object.entries(board.platforms).filter(([, { tabId }]) => tabId !== closed);
    const pages = Object.entries(board.pages ?? {}).filter(([, { tabId }]) => tabId !== closed);
    await writeBoard({ ...board, platforms: Object.fromEntries(open), pages: Object.fromEntries(pages) });
  }),
);
chrome.tabs.onReplaced.addListener((added, removed) =>
  serialize(async () => {
    const board = await readBoard();
    const platforms = Object.entries(board.platforms).map(([name, status]) => [
      name,
      status.tabId === removed ? { ...status, tabId: added } : status,
    ]);
    await writeBoard({ ...board, platforms: Object.fromEntries(platforms) });
  }),
);
chrome.tabs.onUpdated.addListener((_tabId, changes) => {
  if (changes.discarded !== undefined || 'frozen' in changes) void updateBoard({});
});
chrome.permissions.onAdded.addListener(async () => {
  await reconfigure();
  await reinjectScripts();
});
chrome.permissions.onRemoved.addListener(reconfigure);
addEventListener('online', () => void retryNow());

/** At every start: the alarm may be gone, and waiting readings may be due. */
async function start() {
  await accessRestricted;
  if (!(await withTimeout(STORAGE_MS, chrome.alarms.get(ALARM)).catch(() => undefined)))
    await chrome.alarms.create(ALARM, { periodInMinutes: 0.5 });
  await updateBoard({});
  await drain();
}

/** A failure is recorded in the state; the next reading or alarm tries again. */
async function drain() {
  await sender.drain().catch(() => {});
  scheduleRetry();
}

async function retryNow() {
  await sender.retryNow().catch(() => {});
  await updateBoard({});
}

async function reconfigure() {
  await updateBoard({ lastOkAt: 0 });
  await sender.restart().catch(() => {});
  await updateBoard({});
}

/** A studio's policy may arrive minutes after the installation, so the settings page is not opened there. */
async function isSetUpByPolicy() {
  const self = await withTimeout(STORAGE_MS, chrome.management.getSelf()).catch(() => null);
  return self?.installType === 'admin';
}

/** @param {unknown} pausedAt */
async function pauseOrResume(pausedAt) {
  const isPaused = typeof pausedAt === 'number';
  const tabs = await serialize(async () => {
    const board = await readBoard();
    await writeBoard({ ...board, lastOkAt: 0, platforms: {}, pages: {} });
    return Object.values(board.platforms).map(({ tabId }) => tabId);
  });
  if (isPaused) await allowDiscarding(tabs);
  else await retryNow();
}

/** An address that is no longer used needs no permission. @param {string} [endpoint] */
async function removePermission(endpoint = '') {
  const { settings } = await configuration();
  if (!URL.canParse(endpoint) || !URL.canParse(settings.endpoint) || isSameOrigin(endpoint, settings.endpoint)) return;
  await chrome.permissions.remove(permissionFor(endpoint)).catch(() => {}); // one that the manifest asks for stays
}

/** @param {string} one @param {string} other */
const isSameOrigin = (one, other) => new URL(one).origin === new URL(other).origin;

/** The settings, or the last ones known while Chrome does not give them. */
async function configuration() {
  try {
    cached.configuration = await settingsStore.run(loadSettings);
    const { pausedAt } = /** @type {{ pausedAt?: number }} */ (
      await settingsStore.run(() => chrome.storage.local.get('pausedAt'))
    );
    cached.pausedAt = pausedAt ?? null;
    cached.isReadFailing = false;
  } catch {
    cached.isReadFailing = true;
  }
  return cached.configuration ?? NOTHING_SET;
}

/** @type {Awaited<ReturnType<typeof loadSettings>>} */
const NOTHING_SET = { settings: { roomId: '', endpoint: '', token: '', goal: null }, locked: [], isComplete: false };

/** @returns {Promise<SenderState | undefined>} */
async function loadSender() {
  try {
    const stored = await settingsStore.run(() => chrome.storage.local.get('sender'));
    cached.sender = /** @type {{ sender?: SenderState }} */ (stored).sender;
  } catch {
    cached.isReadFailing = true;
  }
  return cached.sender;
}

/** @param {SenderState} state */
async function saveSender(state) {
  cached.sender = state;
  await settingsStore
    .run(() => chrome.storage.local.set({ sender: state }))
    .then(
      () => {
        cached.isWriteFailing = false;
      },
      () => {
        cached.isWriteFailing = true;
      },
    );
}

/** @returns {Promise<Settings | null>} */
async function destination() {
  const { settings, isComplete } = await configuration();
  return isComplete && cached.pausedAt === null && (await mayReach(settings)) ? settings : null;
}

/** @param {Settings} settings */
const mayReach = ({ endpoint }) =>
  withTimeout(STORAGE_MS, chrome.permissions.contains(permissionFor(endpoint))).catch(() => false);

/** Stores a reading before anything else happens with it. @param {ReadingMessage & { tabId: number }} reading */
async function acceptReading(reading) {
  await configuration();
  if (cached.pausedAt !== null) return { isKept: false };
  const isKept = await serialize(async () => {
    const board = await readBoard();
    const current = board.platforms[reading.platform];
    if (!mayReport(current, reading.tabId, reading.readAt, reading.metrics)) return false;
    await store(reading);
    const { tabId, readAt, metrics, platform } = reading;
    const account = reading.account === undefined ? {} : { account: reading.account };
    const health = current?.readAt === readAt ? current.health : advanceHealth(current?.health ?? {}, metrics);
    await writeBoard({
      ...board,
      platforms: { ...board.platforms, [platform]: { tabId, readAt, ...account, metrics, health } },
    });
    if (current?.tabId !== tabId) void preventDiscarding(tabId);
    return true;
  });
  if (isKept) void drain().then(() => updateBoard({}));
  return { isKept };
}

/** A broadcast page that is not read: the popup names it. @param {PageMessage & { tabId: number }} message */
async function acceptPage({ platform, tabId, seenAt, page }) {
  await serialize(async () => {
    const board = await readBoard();
    await writeBoard({ ...board, pages: { ...board.pages, [platform]: { tabId, seenAt, page } } });
  });
  return { isKept: true };
}

/** @param {string} platform @returns {Promise<StartAnswer>} */
async function answerStart(platform) {
  const [{ settings }, installationKey, board] = await Promise.all([configuration(), keyOfInstallation(), readBoard()]);
  return startAnswer(settings, installationKey, board.platforms[platform]);
}

/** Random, made once: without it the mark of an account could be found by trying a list of names. */
function keyOfInstallation() {
  return serialize(async () => {
    const stored = /** @type {{ installationKey?: string }} */ (
      await settingsStore.run(() => chrome.storage.local.get('installationKey'))
    ).installationKey;
    if (stored) return stored;
    const made = [...crypto.getRandomValues(new Uint8Array(32))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
    await settingsStore.run(() => chrome.storage.local.set({ installationKey: made }));
    return made;
  });
}

/** Where the disk refuses writes the newest reading is still sent, and the popup reports it. @param {ReadingMessage} reading */
async function store(reading) {
  const { settings, isComplete } = await configuration();
  const body = isComplete ? toTelemetry(reading, settings) : null;
  if (!body) return;
  try {
    await guardedOutbox.add(body, reading.readAt, cached.sender?.offsetMs ?? null);
    cached.isDiskFailing = false;
  } catch {
    cached.isDiskFailing = true;
    void sender
      .sendUnstored(body, reading.readAt)
      .catch(() => false)
      .then((isAccepted) =>
        serialize(async () => {
          const board = await readBoard();
          await writeBoard({ ...board, lost: board.lost + (isAccepted ? 0 : 1) });
        }),
      );
  }
}

/** @param {Entry[]} accepted */
async function addToShift(accepted) {
  if (accepted.length === 0) return;
  await settingsStore
    .run(async () => {
      const { shifts = {} } = /** @type {{ shifts?: Record<string, Shift> }} */ (
        await chrome.storage.local.get('shifts')
      );
      const next = { ...shifts };
      for (const platform of new Set(accepted.map((entry) => entry.platform))) {
        const samples = accepted
          .filter((entry) => entry.platform === platform)
          .map(({ readAt, body }) => ({ account: body.account ?? '', at: readAt, tokens: body.tokens_count }));
        next[platform] = addSamples(shifts[platform], samples);
      }
      await chrome.storage.local.set({ shifts: next });
    })
    .catch(() => {});
}

/** @type {import('./ui_messages.js').UiMessageHandlers} */
const UI_MESSAGES = {
  test,
  'dead-letters': () => guardedOutbox.deadLetters(),
  totals: () => guardedOutbox.totals(),
  requeue: () => thenDrain(() => guardedOutbox.requeue()),
  discard: () => thenDrain(() => guardedOutbox.discardDead()),
  drain: () => thenDrain(),
  'retry-now': () => thenDrain(retryNow),
  reinject: () => thenDrain(reinjectScripts),
};

/** Makes a change, then sends the readings that are due and updates badge and popup. @param {() => Promise<unknown>} [change] */
async function thenDrain(change) {
  await change?.();
  await drain();
  await updateBoard({});
  return null;
}

/** A test that succeeds is as good as a new configuration. */
async function test() {
  const set = await configuration();
  const isAllowed = set.isComplete && (await mayReach(set.settings));
  const offsetMs = (await loadSender())?.offsetMs ?? 0;
  const result = await probe(
    set,
    isAllowed ? set.settings : null,
    { fetch: (...request) => fetch(...request), now: () => Date.now() },
    offsetMs,
  );
  if (result.outcome === 'ok') await reconfigure();
  return result;
}

/** Hidden pages run their own timers once a minute at best. */
async function requestReadings() {
  const { platforms } = await readBoard();
  await Promise.all(
    Object.values(platforms).map(({ tabId }) =>
      withTimeout(STORAGE_MS, chrome.tabs.sendMessage(tabId, { type: 'read' }, { frameId: 0 })).catch(() => {}),
    ),
  );
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let retryTimer;

/**
 * A worker lives for 30 s after its last event. While it does, it tries again when a wait is over, and looks at the badge
 * when the newest delivery gets old; after that the alarm does.
 */
function scheduleRetry() {
  clearTimeout(retryTimer);
  const { nextAttemptAt = 0 } = cached.sender ?? {};
  const now = Date.now();
  const waits = [cached.board.lastOkAt + FRESH_MS + 500 - now, nextAttemptAt - now].filter(
    (wait) => wait > 0 && wait < 30_000,
  );
  if (waits.length === 0) return;
  retryTimer = setTimeout(() => void drain().then(() => updateBoard({})), Math.min(...waits) + 10);
}

let queue = Promise.resolve();

/**
 * The board is read, changed and written; two at once would lose a change.
 *
 * @template T
 * @param {() => Promise<T>} job
 * @returns {Promise<T>}
 */
function serialize(job) {
  const done = queue.then(job);
  queue = done.then(
    () => {},
    () => {},
  );
  return done;
}

/** @returns {Promise<StatusBoard>} */
async function readBoard() {
  try {
    const { board } = /** @type {{ board?: StatusBoard }} */ (
      await sessionStore.run(() => chrome.storage.session.get('board'))
    );
    return { ...initialBoard(), ...board };
  } catch {
    return cached.board;
  }
}

/** @param {Partial<StatusBoard>} changes */
function updateBoard(changes) {
  return serialize(async () => writeBoard({ ...(await readBoard()), ...changes }));
}

/** @param {StatusBoard} board */
async function writeBoard(board) {
  const [{ settings, isComplete }, counts, totals, state = initialState(), asleep, withheld] = await Promise.all([
    configuration(),
    guardedOutbox.counts().catch(() => null),
    guardedOutbox.totals().catch(() => null),
    loadSender(),
    withSleepState(board.platforms),
    withheldSites(),
  ]);
  const access = isComplete && (await mayReach(settings));
  const { refused, attempt, nextAttemptAt, failure, isForeign, isRejecting, refusal, offsetMs } = {
    ...initialState(),
    ...state,
  };
  const held = totals?.held ?? board.held;
  const next = {
    ...board,
    ...counts,
    buffered: (counts?.buffered ?? board.buffered + board.held) - held,
    held,
    configured: isComplete,
    access,
    refused,
    attempt,
    nextAttemptAt,
    failure,
    isForeign,
    isRejecting,
    refusal,
    offsetMs,
    withheld,
    pausedAt: cached.pausedAt,
    expiresAt: expiryOf(settings.token),
    settingsFailed: cached.isReadFailing || cached.isWriteFailing,
    storageFailed: cached.isDiskFailing || counts === null,
    platforms: asleep,
  };
  cached.board = next;
  await sessionStore.run(() => chrome.storage.session.set({ board: next })).catch(() => {});
  await showBadge(next);
}

/** @param {StatusBoard} board */
async function showBadge(board) {
  const now = Date.now();
  const t = chrome.i18n.getMessage;
  const { text, colour } = badgeFor(board, now, (key) => t(key));
  const lines = [t('name'), t(`state_${connectionOf(board, now)}`, [String(board.buffered)])];
  for (const { metric } of brokenReadings(board, now)) lines.push(t('readingBroken', [t(`metric_${metric}`)]));
  await Promise.all([
    chrome.action.setBadgeText({ text }),
    chrome.action.setBadgeBackgroundColor({ color: colour }),
    chrome.action.setBadgeTextColor({ color: '#ffffff' }),
    chrome.action.setTitle({ title: lines.join('\n') }),
  ]);
}

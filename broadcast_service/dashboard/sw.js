/*
 * Keeps the page's files in the browser, so that a reload shows the page while the server cannot be reached; the page then says so.
 *
 * It answers only for the page and its files: never for the API, signing in or the socket, and an address is kept without its query and
 * fragment. The server is always asked for the page first, so a new version is shown as soon as it is reachable. The server writes the build
 * and the hash of each file into this script: another build is another script. It keeps all files of its build or none, the page as the last
 * one. Without a server the newest complete version is shown. A new script answers when the last tab with an older one has closed; the older
 * one already answers with the files of the newer, so nothing waits for that.
 */

const BUILD = '';
/** @type {Record<string, string>} the first hexadecimal digits of the SHA-256 of each file */
const FILES = {};

const worker = /** @type {any} */ (self);
const SCOPE = new URL('./', location.href).href;
const CACHES = `studio-pulse ${SCOPE} `;
const CACHE = CACHES + BUILD;
const PAGE = 'index.html';
const FILE = /^(?!api\/)[\w/.-]+\.(?:js|css|svg|woff2|webmanifest)$/u;
/** A page that takes longer is answered by the one that is kept. */
const PATIENCE_MS = 6000;
const MAX_CLIENTS = 50;

/** Pages whose files come from a cache: they were loaded in an outage, or they are the very version that is kept. @type {Map<string, string>} */
const clients = new Map();

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request, clientId } = event;
  const [url = '', query] = request.url.replace(/#.*$/u, '').split('?', 2);
  if (request.method !== 'GET' || !url.startsWith(SCOPE)) return;
  if (request.mode === 'navigate') {
    if (url === SCOPE) event.respondWith(answerPage(event));
  } else if (query === undefined && FILE.test(url.slice(SCOPE.length))) {
    event.respondWith(answerFile(request, clientId, url));
  }
});

async function install() {
  await caches.delete(CACHE); // begun and not finished
  try {
    const { [PAGE]: page = '', ...files } = FILES;
    await Promise.all(Object.entries(files).map(([name, hash]) => keep(SCOPE + name, hash)));
    await keep(SCOPE, page);
  } catch (error) {
    await caches.delete(CACHE);
    throw error; // the browser tries again at the next visit
  }
  const former = (await ownCaches()).filter((name) => name !== CACHE);
  await Promise.all(former.map((name) => caches.delete(name)));
}

/** The names of the caches of this page, oldest first. */
const ownCaches = async () => (await caches.keys()).filter((name) => name.startsWith(CACHES));

/** Keeps one file of this build; throws where it is of another one, or not a file of the page at all. @param {string} url @param {string} hash */
async function keep(url, hash) {
  const cache = await caches.open(CACHE);
  const former = await caches.match(url, { ignoreVary: true });
  if (former && (await hashOf(former.clone())).startsWith(hash)) return cache.put(url, former);
  // What the page has just loaded is not asked for again; its hash says whether it is of this version.
  for (const mode of /** @type {RequestCache[]} */ (['force-cache', 'no-cache'])) {
    const answer = await fetch(url, { cache: mode, credentials: 'same-origin', redirect: 'error' });
    if (answer.ok && (await hashOf(answer.clone())).startsWith(hash)) return cache.put(url, answer);
  }
  throw new Error(`${url} is not of this version`);
}

/** @param {Response} answer */
async function hashOf(answer) {
  const digest = await crypto.subtle.digest('SHA-256', await answer.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The newest version that is complete: its page, and the cache that has it. */
async function newest() {
  for (const cacheName of (await ownCaches()).reverse()) {
    const page = await caches.match(SCOPE, { cacheName, ignoreVary: true });
    if (page) return { cacheName, page };
  }
  return null;
}

/** The page of the server, or the one that is kept while the server cannot be reached. @param {any} event */
async function answerPage(event) {
  const asked = fetch(event.request);
  const own = await newest();
  if (!own) return asked;
  const answer = await Promise.race([asked.catch(() => null), patience()]);
  const isDown = answer === null || answer.status >= 500;
  const tag = own.page.headers.get('ETag');
  if (isDown || (tag !== null && answer.headers.get('ETag') === tag)) remember(event.resultingClientId, own.cacheName);
  return isDown ? own.page : answer;
}

/** @returns {Promise<null>} */
const patience = () => new Promise((done) => setTimeout(() => done(null), PATIENCE_MS));

/** @param {string} clientId @param {string} cacheName */
function remember(clientId, cacheName) {
  if (clientId) clients.set(clientId, cacheName);
  for (const first of clients.keys()) if (clients.size > MAX_CLIENTS) clients.delete(first);
}

/** @param {Request} request @param {string} clientId @param {string} url */
async function answerFile(request, clientId, url) {
  const cacheName = clients.get(clientId);
  const own = cacheName && (await caches.match(url, { cacheName, ignoreVary: true }));
  if (own) return own;
  const answer = await fetch(request).catch(() => null);
  if (answer && answer.status < 500) return answer;
  const version = await newest();
  const last = version && (await caches.match(url, { cacheName: version.cacheName, ignoreVary: true }));
  return last || answer || Response.error();
}

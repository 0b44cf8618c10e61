/**
 * The settings of the broadcaster and of the studio's policy. Policy wins, field by field, and both are checked
 * by the same rules. The token goes from here to the Authorization header and nowhere else.
 */
import { roomIdOf } from './rooms.js';
import { readStudioCode } from './studio-code.js';

const ROOM_ID = /^(?!\.+$)[\w.-](?:[\w .-]{0,62}[\w.-])?$/u;
/** A room as people write it: letters of any script, and what an id may hold. */
const LETTERS_ONLY = /^(?!\.+$)[\p{L}\p{M}\p{Nd}_.-](?:[\p{L}\p{M}\p{Nd}_ .-]{0,62}[\p{L}\p{M}\p{Nd}_.-])?$/u;
const LOOPBACK = ['localhost', '127.0.0.1'];
const INGEST_PATH = /\/api\/tracking\/telemetry(?:\/batch)?$/u;
const MAX_TOKENS = 4_294_967_294;

/** @type {Settings} */
export const UNSET = { roomId: '', endpoint: '', token: '', goal: null };

/** @typedef {{ value: string | number | null } | { problem: string }} Checked the problem names a message */

/** A name with accents is converted to its plain id. @param {unknown} input @returns {Checked} */
export function checkRoomId(input) {
  const roomId = String(input ?? '')
    .normalize('NFC')
    .replaceAll(/[\u00a0\u2000-\u200b\u202f\u3000\ufeff]/gu, ' ')
    .trim();
  if (roomId === '') return { problem: 'problemRoomIdMissing' };
  if (ROOM_ID.test(roomId)) return { value: roomId };
  return LETTERS_ONLY.test(roomId) ? { value: roomIdOf(roomId) } : { problem: 'problemRoomId' };
}

/** @param {unknown} input @returns {Checked} */
export function checkEndpoint(input) {
  const text = String(input ?? '').trim();
  if (text === '') return { problem: 'problemEndpointMissing' };
  const url = parseUrl(withScheme(text));
  if (!url || url.username || url.password || url.search || url.hash) return { problem: 'problemEndpoint' };
  const isPlainAllowed = url.protocol === 'http:' && LOOPBACK.includes(url.hostname);
  if (url.protocol !== 'https:' && !isPlainAllowed) return { problem: 'problemEndpointScheme' };
  return { value: url.origin + url.pathname.replace(/\/+$/u, '').replace(INGEST_PATH, '') };
}

/**
 * The server decides whether a key is good; what a key says about itself lets us name the common mistakes at once.
 *
 * @param {unknown} input
 * @param {string} roomId
 * @param {number} now
 * @returns {Checked}
 */
export function checkToken(input, roomId, now) {
  const token = tokenIn(String(input ?? '')) ?? String(input ?? '').trim();
  if (token === '') return { problem: 'problemTokenMissing' };
  const claims = claimsOf(token);
  if (!claims) return { problem: 'problemToken' };
  if (![claims.aud].flat().includes('ingest')) return { problem: 'problemTokenAudience' };
  if (typeof claims.exp === 'number' && claims.exp * 1000 <= now) return { problem: 'problemTokenExpired' };
  return Array.isArray(claims.rooms) && !claims.rooms.some((scope) => covers(scope, roomId))
    ? { problem: 'problemTokenRoom' }
    : { value: token };
}

/** "20.000", "20,000" and "20 000" are twenty thousand: a goal is a whole number. @param {unknown} input @returns {Checked} */
export function checkGoal(input) {
  const text = String(input ?? '').trim();
  if (text === '') return { value: null };
  const isGrouped = /^\d{1,3}([.,' \u00a0\u202f\u2019])\d{3}(?:\1\d{3})*$/u.test(text);
  const digits = isGrouped ? text.replaceAll(/\D/gu, '') : text;
  const goal = Number(digits);
  return /^\d{1,10}$/u.test(digits) && goal >= 1 && goal <= MAX_TOKENS ? { value: goal } : { problem: 'problemGoal' };
}

/**
 * @param {Partial<Record<SettingName, unknown>>} input
 * @param {number} now
 * @returns {{ settings: Settings, problems: Partial<Record<SettingName, string>> }}
 */
export function checkSettings(input, now) {
  const roomId = checkRoomId(input.roomId);
  const room = 'value' in roomId ? String(roomId.value) : '';
  /** @type {Record<SettingName, Checked>} */
  const checked = {
    roomId,
    endpoint: checkEndpoint(input.endpoint),
    token: checkToken(input.token, room, now),
    goal: checkGoal(input.goal),
  };
  const settings = { ...UNSET };
  /** @type {Partial<Record<SettingName, string>>} */
  const problems = {};
  for (const [name, outcome] of Object.entries(checked)) {
    if ('value' in outcome) Object.assign(settings, { [name]: outcome.value });
    else Object.assign(problems, { [name]: outcome.problem });
  }
  return { settings, problems };
}

/**
 * Policy wins, field by field. A key that policy sets goes to the address that policy sets and to no other: a person who types
 * an address must not be sent the studio's key.
 *
 * @param {Partial<Settings>} own
 * @param {Partial<Settings> & { studioCode?: string }} policy
 * @returns {{ settings: Settings, locked: SettingName[], isComplete: boolean }}
 */
export function configurationFrom(own, policy) {
  const { studioCode, ...single } = policy;
  const fromCode = studioCode === undefined ? {} : (readStudioCode(studioCode) ?? {});
  const set = { ...fromCode, ...single };
  const locked = /** @type {SettingName[]} */ (Object.keys(UNSET).filter((name) => name in set));
  const isKeySet = 'token' in set;
  if (isKeySet && !locked.includes('endpoint')) locked.push('endpoint');
  const settings = { ...UNSET, ...own, ...(isKeySet && { endpoint: '' }), ...set };
  const [roomId, endpoint, goal] = [
    checkRoomId(settings.roomId),
    checkEndpoint(settings.endpoint),
    checkGoal(settings.goal),
  ];
  settings.token = tokenIn(String(settings.token)) ?? String(settings.token).trim();
  const isComplete = 'value' in roomId && 'value' in endpoint && settings.token !== '';
  if ('value' in roomId) settings.roomId = String(roomId.value);
  if ('value' in endpoint) settings.endpoint = String(endpoint.value);
  settings.goal = 'value' in goal ? /** @type {number | null} */ (goal.value) : null;
  return { settings, locked, isComplete };
}

/** @returns {Promise<{ settings: Settings, locked: SettingName[], isComplete: boolean }>} */
export async function loadSettings() {
  const [{ settings: own = {} }, policy] = await Promise.all([
    /** @type {Promise<{ settings?: Partial<Settings> }>} */ (chrome.storage.local.get('settings')),
    /** @type {Promise<Partial<Settings>>} */ (chrome.storage.managed.get()),
  ]);
  return configurationFrom(own, policy);
}

/** When a key ends, in milliseconds; null where it does not say. @param {string} token */
export function expiryOf(token) {
  const expires = claimsOf(token)?.exp;
  return typeof expires === 'number' ? expires * 1000 : null;
}

/**
 * Reads pasted text: the studio's code, a link with a key in it, a line of the terminal, `Bearer …`. Parts that are not
 * in it is absent; the room is the one that the key is for, if it is for one alone.
 *
 * @param {string} pasted
 * @returns {Partial<Settings> | null} null when nothing is recognised
 */
export function readPasted(pasted) {
  const code = readStudioCode(pasted);
  if (code) return code;
  const token = tokenIn(pasted);
  const address = addressIn(pasted);
  if (!token && !address) return null;
  const rooms = claimsOf(token ?? '')?.rooms;
  const [room] = Array.isArray(rooms) && rooms.length === 1 ? rooms : [];
  const isOneRoom = typeof room === 'string' && !room.endsWith('*');
  return { ...(token && { token }), ...(address && { endpoint: address }), ...(isOneRoom && { roomId: room }) };
}

/** A platform that the token covers, for trying it out. @param {string} token */
export function platformFor(token) {
  const platforms = claimsOf(token)?.platforms;
  return Array.isArray(platforms) ? String(platforms[0]) : 'chaturbate';
}

/** What Chrome is asked to allow for this endpoint. @param {string} endpoint */
export const permissionFor = (endpoint) => ({ origins: [`${new URL(endpoint).origin}/*`] });

/** This computer's own address has no certificate. @param {string} text */
const withScheme = (text) =>
  /^[a-z][a-z\d+.-]*:\/\//iu.test(text)
    ? text
    : `${LOOPBACK.includes(/^[^:/]*/u.exec(text)?.[0] ?? '') ? 'http' : 'https'}://${text}`;

const TOKEN = /\beyJ[\w-]*\.[\w-]+\.[\w-]+/u;
/** Letters of a signature in base64url. @type {Record<string, number>} */
const SIGNATURE_LETTERS = { HS256: 43, ES256: 86, EdDSA: 86, RS256: 342 };

/**
 * The key within a text: three parts of base64url, the first of which begins as every JSON object does. A key that was
 * broken over lines is joined again, as far as its signature goes.
 *
 * @param {string} text
 * @returns {string | null}
 */
export function tokenIn(text) {
  const [found, mergeRuns] = [text, text.replaceAll(/[\s\u200b\ufeff]+/gu, '')].map(
    (each) => TOKEN.exec(each)?.[0] ?? null,
  );
  const length = SIGNATURE_LETTERS[String(objectIn((mergeRuns ?? '').split('.')[0] ?? '')?.alg)] ?? 0;
  const [header = '', payload = '', signature = ''] = (mergeRuns ?? '').split('.');
  const isWhole = found !== null && (found.split('.')[2] ?? '').length >= length;
  return !isWhole && mergeRuns && length > 0 && signature.length >= length
    ? `${header}.${payload}.${signature.slice(0, length)}`
    : found;
}

/** The first address within a text, without what follows the server's name. @param {string} text */
function addressIn(text) {
  const [address = ''] = /https?:\/\/[^\s"'<>#?]+/iu.exec(text) ?? [];
  const checked = checkEndpoint(address.replace(/[.,;)]+$/u, ''));
  return 'value' in checked ? String(checked.value) : null;
}

/** @param {string} text */
function parseUrl(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** @param {string} token @returns {Record<string, unknown> | null} */
function claimsOf(token) {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]+$/u.exec(token) ?? [];
  return payload ? objectIn(payload) : null;
}

/** @param {string} encoded a JSON object in base64url @returns {Record<string, unknown> | null} */
function objectIn(encoded) {
  try {
    const value = JSON.parse(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')));
    return value && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** @param {unknown} scope @param {string} roomId */
const covers = (scope, roomId) =>
  typeof scope === 'string' && (scope.endsWith('*') ? roomId.startsWith(scope.slice(0, -1)) : scope === roomId);

/**
 * What the broadcaster or the studio's policy has set. Policy wins, field by field, and whatever either says is checked
 * by the same rules. The token goes from here to the Authorization header and nowhere else.
 */

const ROOM_ID = /^[\w.-](?:[\w .-]{0,62}[\w.-])?$/u;
const LOOPBACK = ['localhost', '127.0.0.1'];
const INGEST_PATH = /\/api\/tracking\/telemetry(?:\/batch)?$/u;
const MOST_TOKENS = 4294967294;

/** @type {Settings} */
const UNSET = { roomId: '', endpoint: '', token: '', goal: null };

/** @typedef {{ value: string | number | null } | { problem: string }} Checked the problem names a message */

/** @param {unknown} input @returns {Checked} */
export function checkRoomId(input) {
  const roomId = String(input ?? '').trim();
  if (roomId === '') return { problem: 'problemRoomIdMissing' };
  return ROOM_ID.test(roomId) ? { value: roomId } : { problem: 'problemRoomId' };
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
  const token = String(input ?? '').trim();
  if (token === '') return { problem: 'problemTokenMissing' };
  const claims = claimsOf(token);
  if (!claims) return { problem: 'problemToken' };
  if (![claims.aud].flat().includes('ingest')) return { problem: 'problemTokenAudience' };
  if (typeof claims.exp === 'number' && claims.exp * 1000 <= now) return { problem: 'problemTokenExpired' };
  return Array.isArray(claims.rooms) && !claims.rooms.some((scope) => covers(scope, roomId))
    ? { problem: 'problemTokenRoom' } : { value: token };
}

/** @param {unknown} input @returns {Checked} */
export function checkGoal(input) {
  const text = String(input ?? '').trim();
  if (text === '') return { value: null };
  const goal = Number(text);
  return /^\d{1,10}$/u.test(text) && goal >= 1 && goal <= MOST_TOKENS ? { value: goal } : { problem: 'problemGoal' };
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

/** @returns {Promise<{ settings: Settings, locked: SettingName[], isComplete: boolean }>} */
export async function loadSettings() {
  const [{ settings: own }, policy] = await Promise.all([
    /** @type {Promise<{ settings?: Partial<Settings> }>} */ (chrome.storage.local.get('settings')),
    /** @type {Promise<Partial<Settings>>} */ (chrome.storage.managed.get()),
  ]);
  const settings = { ...UNSET, ...own, ...policy };
  const endpoint = checkEndpoint(settings.endpoint);
  const isComplete = 'value' in checkRoomId(settings.roomId) && 'value' in endpoint && settings.token !== '';
  if ('value' in endpoint) settings.endpoint = String(endpoint.value);
  if ('problem' in checkGoal(settings.goal)) settings.goal = null;
  return { settings, locked: /** @type {SettingName[]} */ (Object.keys(policy)), isComplete };
}

/** A platform that the token covers, for trying it out. @param {string} token */
export function platformFor(token) {
  const platforms = claimsOf(token)?.platforms;
  return Array.isArray(platforms) ? String(platforms[0]) : 'chaturbate';
}

/** What Chrome is asked to allow for this endpoint. @param {string} endpoint */
export const permissionFor = (endpoint) => ({ origins: [`${new URL(endpoint).origin}/*`] });

/** @param {string} text */
const withScheme = (text) => (/^[a-z][a-z\d+.-]*:\/\//iu.test(text) ? text : `https://${text}`);

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
  if (!payload) return null;
  try {
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return claims && typeof claims === 'object' ? claims : null;
  } catch {
    return null;
  }
}

/** @param {unknown} scope @param {string} roomId */
const covers = (scope, roomId) => typeof scope === 'string'
  && (scope.endsWith('*') ? roomId.startsWith(scope.slice(0, -1)) : scope === roomId);

/** Reading over HTTP: history and analytics, with the token in a header and never in a URL. */

import { credentials } from './credentials.js';
import { discard, timeoutSignal } from './timeout.js';

/** @typedef {{t: number} & import('../state/metrics.js').MetricValues} Point */
/** @typedef {{room_id: string, platform: string, from: number, to: number, step: number, points: Point[]}} RoomHistory */
/**
 * @typedef {object} Report
 * @property {number} from
 * @property {number} to
 * @property {number} step
 * @property {number} total
 * @property {number[]} earned
 * @property {number[]} [measured_minutes] of each step; where it is 0 nothing is known. Absent: an older server
 * @property {({room_id: string, earned: number} & Figures)[]} rooms
 * @property {({platform: string, earned: number} & Figures)[]} platforms
 * @property {({room_id: string, platform: string, earned: number} & Figures)[]} feeds
 * @property {AccountRow[]} [accounts] absent: an older server
 * @property {number} [between_sessions] part of the total that was earned while no page read the account
 * @property {number} [unsettled] may have been earned besides; not part of the total
 * @property {number} [set_aside] how many times a number was contradicted
 * @property {number} [on_air_seconds]
 * @property {DamagedDay[]} [damaged] archived days that cannot be read, in no figure
 */
/** @typedef {{day: string, room_id: string, platform: string, account: string | null}} DamagedDay a UTC day, YYYY-MM-DD */
/**
 * Figures beside income; one that is absent is 0.
 * @typedef {{on_air_seconds?: number, between_sessions?: number, unsettled?: number, set_aside?: number, steps?: number[],
 *   first_unsettled?: Doubtful, first_set_aside?: Doubtful}} Figures
 */
/** @typedef {{room_id: string, platform: string, account?: string, at: number}} Doubtful where a doubtful reading is, in Unix seconds */
/** @typedef {Omit<Report, 'step'> & {step: number | string, starts?: number[], timezone?: string}} PeriodReport `starts` of calendar steps */
/**
 * What an account earned in the rooms in scope; null for what producers sent without one.
 * @typedef {{platform: string, account: string | null, earned: number, unsettled: number, on_air_seconds: number, between_sessions: number,
 *   set_aside: number, rooms?: {room_id: string, earned: number}[], other_rooms?: number, steps?: number[], first_unsettled?: Doubtful,
 *   first_set_aside?: Doubtful}} AccountRow `rooms`: those in which it earned most; absent: an older server
 */
/**
 * A stored balance and its verdict, or `readings` that rise in a row; docs/protocol.md#explanation has the verdicts and reasons.
 * @typedef {object} Line
 * @property {string | null} account
 * @property {number} from_ms
 * @property {number} at_ms
 * @property {number | null} since_ms the account's reading before
 * @property {number | null} before the balance that was believed until then
 * @property {number} balance
 * @property {string} verdict
 * @property {number} earned
 * @property {string} [reason]
 * @property {number} [readings]
 * @property {boolean} [moved] the reading before was in another room
 * @property {{reason: string, tokens: number}[]} [unsettled]
 */
/** @typedef {{earned: number, between_sessions: number, unsettled: number, set_aside: number, falls: number}} IncomeSums */
/**
 * @typedef {IncomeSums & {room_id: string, platform: string, from: number, to: number, merged_seconds: number,
 *   accounts: (IncomeSums & {account: string | null})[], lines: Line[], omitted: number}} Explanation
 */
/** @typedef {{from: number, to: number, step: number}} Span Unix seconds */

const TIMEOUT_MS = 20_000;

export class RequestFailed extends Error {
  /** @param {number} status 0 when nothing answered */
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

export class Api {
  /** @param {() => string} token @param {typeof fetch} [ask] */
  constructor(token, ask = (url, options) => fetch(url, options)) {
    this.token = token;
    this.ask = ask;
  }

  /** @param {string} room @param {string} platform @param {Span} span @returns {Promise<RoomHistory>} */
  async history(room, platform, span) {
    return (await this.#get(feedPath(room, platform, 'history'), span)).json();
  }

  /** @param {string} room @param {string} platform @param {{from: number, to: number}} span @returns {Promise<Explanation>} */
  async explain(room, platform, { from, to }) {
    return (await this.#get(feedPath(room, platform, 'explain'), { from, to })).json();
  }

  /** @param {Span} span @param {{rooms?: string, platforms?: string, by?: 'feed' | 'account'}} [narrow] @returns {Promise<Report>} */
  async analytics(span, narrow = {}) {
    return (await this.#get('api/tracking/analytics', { ...span, ...narrow })).json();
  }

  /** How many viewers the rooms in scope had in a span of at most an hour. @param {{from: number, to: number}} span @returns {Promise<{viewers: number | null, measured_seconds: number}>} */
  async audience(span) {
    return (await this.#get('api/tracking/audience', span)).json();
  }

  /** A report of a period of the studio. @param {Record<string, string | number>} query @returns {Promise<PeriodReport>} */
  async report(query) {
    return (await this.#get('api/tracking/analytics', query)).json();
  }

  /** The same as a file: `format` says which. @param {Record<string, string | number>} query */
  async reportFile(query) {
    return (await this.#get('api/tracking/analytics', query)).blob();
  }

  /** @param {string} room @param {string} platform @param {Span} span */
  async historyCsv(room, platform, span) {
    return (await this.#get(feedPath(room, platform, 'history'), { ...span, format: 'csv' })).blob();
  }

  /** The studio's facts, or null where `tag` is still that of the answer. @param {string} tag @returns {Promise<{tag: string, view: import('../state/studio.js').StudioView} | null>} */
  async studio(tag) {
    const response = await this.#get('api/studio', {}, tag);
    if (response.status !== 304) return { tag: response.headers.get('etag') ?? '', view: await response.json() };
    discard(response);
    return null;
  }

  /** @param {string} path @param {Record<string, string | number>} query @param {string} [tag] of an earlier answer */
  async #get(path, query, tag = '') {
    const parameters = new URLSearchParams(
      Object.entries(query)
        .filter(([, value]) => value !== '')
        .map(([name, value]) => [name, String(value)]),
    );
    const { headers, ...rest } = credentials(this.token());
    const response = await this.ask(`${path}?${parameters}`, {
      ...rest,
      headers: { ...headers, ...(tag && { 'If-None-Match': tag }) },
      cache: 'no-store',
      redirect: 'error',
      signal: timeoutSignal(TIMEOUT_MS),
    }).catch(() => {
      throw new RequestFailed(0);
    });
    if (!response.ok && !(tag && response.status === 304)) {
      discard(response);
      throw new RequestFailed(response.status);
    }
    return response;
  }
}

/** @param {string} room @param {string} platform @param {string} what */
function feedPath(room, platform, what) {
  return `api/tracking/telemetry/${encodeURIComponent(room)}/${encodeURIComponent(platform)}/${what}`;
}

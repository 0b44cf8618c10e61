/** The shapes of docs/protocol.md that this page uses; types only. */

/**
 * @typedef {object} Source
 * @property {string} platform
 * @property {number} timestamp Unix seconds of the reading, by the producer's clock
 * @property {number} [interval_seconds] how often the producer reports; absent: an older server
 * @property {string | null} [account]
 */
/** @typedef {Source & import('../state/metrics.js').MetricValues} Numbers */
/** @typedef {{event_type: 'TELEMETRY_UPDATE', room_id: string, data: Numbers, timestamp: number, version: number}} TelemetryUpdate */
/** @typedef {{event_type: 'TELEMETRY_EXPIRED', room_id: string, data: {platform: string}, timestamp: number, version: number}} TelemetryExpired */
/**
 * @typedef {{event_type: 'HELLO', protocol: string, instance: string, heartbeat_seconds: number, stale_seconds: number, ttl_seconds: number,
 *   token_expires_at: number, rooms: string[], platforms: string[] | null, build?: string, resumed: boolean, timestamp: number, time_ms: number}} Hello
 */
/** @typedef {{event_type: 'UPSTREAM', status: 'ok' | 'degraded', timestamp: number}} Upstream */
/** @typedef {{event_type: 'SYNC', version: number, snapshot: boolean, timestamp: number, time_ms: number}} Sync */
/** @typedef {{event_type: 'TOKEN_EXPIRING' | 'TOKEN_RENEWED', expires_at: number, timestamp: number}} TokenTerm */
/** @typedef {{event_type: 'PONG', timestamp: number, time_ms: number}} Pong */
/** @typedef {{event_type: 'ERROR', code: string, detail: string, timestamp: number}} Refusal */
/** @typedef {{event_type: 'RECONNECT', retry_after_ms: number, timestamp: number}} Reconnect */
/** @typedef {TelemetryUpdate | TelemetryExpired | Hello | Upstream | Sync | TokenTerm | Pong | Refusal | Reconnect} ServerEvent */

export {};

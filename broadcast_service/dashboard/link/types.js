/** The types that the modules of the link share: its state, what a probe found, and the environment it runs in. */

/** @typedef {import('./messages.js').ServerEvent} ServerEvent */
/** @typedef {'connecting' | 'live' | 'waiting' | 'stopped'} Phase */
/** @typedef {'origin' | 'path' | 'gateway' | 'redirect' | 'odd'} Obstacle why no socket opens although HTTP is answered */
/** @typedef {'start' | 'lost' | 'silent' | 'refused' | 'busy' | 'full' | 'blocked' | Obstacle | 'moving' | 'restart' | 'token' | 'forbidden' | 'protocol'} Reason */
/**
 * @typedef {object} Link
 * @property {Phase} phase
 * @property {Reason} reason while `via` is `polling`, why there is no socket
 * @property {number | null} retryAtMs
 * @property {number | null} lostAtMs
 * @property {'socket' | 'polling'} [via] how a live page gets its numbers
 * @property {string | undefined} [setting] the server's setting that refuses the socket, where it named one
 * @property {number | undefined} [status] the HTTP status that a proxy or another server answered with
 */
/** @typedef {{verdict: 'ok' | 'token' | 'forbidden' | 'unreachable' | 'busy' | 'full' | Obstacle, retryAfterMs?: number | undefined, setting?: string | undefined, status?: number | undefined}} Probe */
/** @typedef {{reason: Reason, setting?: string | undefined, status?: number | undefined}} Refusal */
/**
 * @typedef {object} Socket the part of a WebSocket that is used
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 */
/**
 * @typedef {object} Timers
 * @property {() => number} now
 * @property {(run: () => void, delayMs: number) => any} set
 * @property {(timer: any) => void} clear
 */
/**
 * @typedef {object} Environment
 * @property {string} url of the socket, without a query
 * @property {(url: string, protocols: string[]) => Socket} openSocket
 * @property {(token: string) => Promise<Probe>} probe asks over HTTP why a handshake failed; browsers do not report it
 * @property {(token: string) => Promise<import('./poll.js').Polled>} poll reads the latest values over HTTP
 * @property {Timers} timers
 * @property {() => number} random
 * @property {(events: ServerEvent[]) => void} onEvents
 * @property {(link: Link) => void} onLink
 * @property {(token: string, accepted: boolean) => void} onRenewal receives the outcome of each token given to `renew`
 */

export {};

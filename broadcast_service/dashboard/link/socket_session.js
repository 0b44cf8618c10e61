/** One socket and the timer that watches it: frames in, events out, and a ping when a heartbeat is late. */

/** @typedef {import('./types.js').Reason} Reason */
/** @typedef {import('./types.js').ServerEvent} ServerEvent */
/**
 * @typedef {object} Handlers each receives the session as its first argument
 * @property {(session: SocketSession, events: ServerEvent[]) => void} onEvents
 * @property {(session: SocketSession, code: number) => void} onClose the socket closed by itself
 * @property {(session: SocketSession, reason: Reason) => void} onFailure the server is silent, or sent a frame that is not an event
 */

const OPEN_TIMEOUT_MS = 10_000;
const PONG_TIMEOUT_MS = 3000;
/** A heartbeat may be this late before the server is pinged. */
export const HEARTBEAT_GRACE_MS = 2000;
/** Upper bound of the heartbeat interval of HELLO: timers beyond 2^31 ms run immediately. */
const MAX_HEARTBEAT_MS = 600_000;

/** @param {unknown} data @returns {ServerEvent[]} */
export function parseFrame(data) {
  return String(data)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

export class SocketSession {
  /** Whether the handshake succeeded. */
  opened = false;
  /** Whether the socket has delivered a SYNC; set by the connection. */
  synced = false;
  #heartbeatMs = 0;
  /** Whether a ping is under way. */
  #pinging = false;
  /** @type {any} */
  #watchdog = null;
  #socket;
  #timers;
  #handlers;

  /** @param {import('./types.js').Socket} socket @param {import('./types.js').Timers} timers @param {Handlers} handlers */
  constructor(socket, timers, handlers) {
    this.#socket = socket;
    this.#timers = timers;
    this.#handlers = handlers;
    this.#failAfter(OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      this.opened = true;
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => handlers.onClose(this, code);
  }

  /** @param {object} message */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Sends a ping unless one is under way; a server that does not answer within seconds is reported as silent. */
  ping() {
    if (!this.#pinging) this.#ping();
  }

  /** Closes the socket; no handler is called afterwards. */
  close() {
    this.#timers.clear(this.#watchdog);
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  /** @param {unknown} data */
  #receive(data) {
    let events;
    try {
      events = parseFrame(data);
    } catch {
      return this.#handlers.onFailure(this, 'protocol');
    }
    for (const event of events) {
      if (event.event_type === 'HELLO') this.#heartbeatMs = Math.min(event.heartbeat_seconds * 1000, MAX_HEARTBEAT_MS);
    }
    this.#pinging = false;
    if (this.#heartbeatMs) this.#expectHeartbeat();
    this.#handlers.onEvents(this, events);
  }

  /** One missed heartbeat is enough for a ping. */
  #expectHeartbeat() {
    this.#timers.clear(this.#watchdog);
    this.#watchdog = this.#timers.set(() => this.#ping(), this.#heartbeatMs + HEARTBEAT_GRACE_MS);
  }

  #ping() {
    this.#pinging = true;
    this.send({ type: 'ping' });
    this.#failAfter(PONG_TIMEOUT_MS);
  }

  /** @param {number} delayMs */
  #failAfter(delayMs) {
    this.#timers.clear(this.#watchdog);
    this.#watchdog = this.#timers.set(() => this.#handlers.onFailure(this, 'silent'), delayMs);
  }
}

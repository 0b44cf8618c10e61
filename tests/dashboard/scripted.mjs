/** What the connection is given in place of a browser: sockets that follow a script, and a clock that the test turns. */

import { Connection } from '../../broadcast_service/dashboard/link/connection.js';

/** @typedef {import('../../broadcast_service/dashboard/link/messages.js').ServerEvent} ServerEvent */
/** @typedef {import('../../broadcast_service/dashboard/link/types.js').Probe} Probe */

export class Clock {
  nowMs = 1_764_000_000_000;
  #next = 1;
  /** @type {Map<number, {run: () => void, atMs: number}>} */
  #timers = new Map();

  now = () => this.nowMs;
  /** @param {() => void} run @param {number} delayMs */
  set = (run, delayMs) => {
    this.#timers.set(this.#next, { run, atMs: this.nowMs + delayMs });
    return this.#next++;
  };
  /** @param {number} timer */
  clear = (timer) => {
    this.#timers.delete(timer);
  };

  /** @param {number} ms */
  pass(ms) {
    const end = this.nowMs + ms;
    while (true) {
      const due = [...this.#timers].filter(([, { atMs }]) => atMs <= end).sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.nowMs = Math.max(this.nowMs, due[1].atMs);
      due[1].run();
    }
    this.nowMs = end;
  }
}

export class ScriptedSocket {
  /** @type {any[]} */
  sent = [];
  closed = false;
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onclose = null;

  /** @param {string} url @param {string[]} protocols */
  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }

  /** The server accepts and says these events. @param {...Partial<ServerEvent>} events */
  receive(...events) {
    this.onmessage?.({ data: events.map((event) => JSON.stringify(event)).join('\n') });
  }

  /** Handshake, HELLO and an empty snapshot. @param {number} [version] */
  greet(version = 7) {
    this.onopen?.({});
    this.receive({ event_type: 'HELLO', heartbeat_seconds: 10 }, { event_type: 'SYNC', version, snapshot: true });
  }

  /** @param {number} code */
  end(code) {
    this.onclose?.({ code });
  }
}

/** @typedef {import('../../broadcast_service/dashboard/link/poll.js').Polled} Polled */
/** @param {{probe?: Probe, poll?: () => Polled, random?: number}} [script] */
export function connect({
  probe = { verdict: 'unreachable' },
  poll = () => ({ verdict: 'unreachable' }),
  random = 0.5,
} = {}) {
  const clock = new Clock();
  /** @type {ScriptedSocket[]} */
  const sockets = [];
  /** @type {ServerEvent[]} */
  const events = [];
  /** @type {number[]} */
  const polls = [];
  /** @type {string[]} */
  const phases = [];
  /** @type {[string, boolean][]} */
  const renewals = [];
  const connection = new Connection({
    url: 'ws://studio/ws/dashboard',
    openSocket: (url, protocols) => {
      const socket = new ScriptedSocket(url, protocols);
      sockets.push(socket);
      return socket;
    },
    probe: async () => probe,
    poll: async () => {
      polls.push(clock.now());
      return poll();
    },
    timers: clock,
    random: () => random,
    onEvents: (batch) => events.push(...batch),
    onLink: ({ phase, reason }) => phases.push(`${phase}:${reason}`),
    onRenewal: (token, accepted) => renewals.push([token, accepted]),
  });
  connection.start('aaa.bbb.ccc');
  const latest = () => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  };
  return { polls, connection, clock, sockets, events, phases, renewals, latest };
}

/** Lets the answer of a probe arrive. */
export const settle = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** The latest values by HTTP, as the events that a socket would have sent: for where no socket gets through. */

import { credentials } from './credentials.js';
import { discard, timeoutSignal } from './timeout.js';

/** @typedef {import('./messages.js').ServerEvent} ServerEvent */
/** @typedef {{events: ServerEvent[]} | {verdict: 'token' | 'forbidden' | 'unreachable'}} Polled */

export const POLL_EVERY_MS = 5000;

/** @param {string} url of the latest values @param {string} token @param {typeof fetch} [ask] @returns {Promise<Polled>} */
export async function poll(url, token, ask = fetch) {
  try {
    const response = await ask(url, {
      ...credentials(token),
      cache: 'no-store',
      redirect: 'error',
      signal: timeoutSignal(8000),
    });
    if (!response.ok) discard(response);
    if (response.status === 401) return { verdict: 'token' };
    if (response.status === 403) return { verdict: 'forbidden' };
    if (!response.ok) return { verdict: 'unreachable' };
    return { events: eventsOf(await response.json()) };
  } catch {
    return { verdict: 'unreachable' };
  }
}

/** @param {any} answer @returns {ServerEvent[]} */
function eventsOf({ upstream, version, events, session }) {
  const { time_ms } = session;
  const timestamp = Math.floor(time_ms / 1000);
  return [
    {
      event_type: 'HELLO',
      ...session,
      protocol: 'poll',
      resumed: false,
      heartbeat_seconds: (2 * POLL_EVERY_MS) / 1000,
      timestamp,
    },
    { event_type: 'UPSTREAM', status: upstream, timestamp },
    ...events,
    { event_type: 'SYNC', version, snapshot: true, timestamp, time_ms },
  ];
}

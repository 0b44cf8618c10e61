/** A socket and answers of the sample studio, in place of the server's. Nothing of it leaves the page. */

/** @typedef {import('../state/demo.js').SampleStudio} SampleStudio */
/** @typedef {import('./types.js').Timers} Timers */

const SECOND_MS = 1000;

/** Sends what the sample studio has, once a second, until it is closed. */
export class DemoSocket {
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onclose = null;
  #timer;

  /** @param {SampleStudio} studio @param {Timers} timers */
  constructor(studio, timers) {
    this.studio = studio;
    this.timers = timers;
    this.#timer = timers.set(() => {
      this.onopen?.({});
      this.#deliver(studio.snapshot(timers.now()));
      this.#tick();
    }, 0);
  }

  /** A ping is answered; nothing else is sent anywhere. @param {string} text */
  send(text) {
    const nowMs = this.timers.now();
    if (JSON.parse(text).type === 'ping')
      this.#deliver([{ event_type: 'PONG', timestamp: Math.floor(nowMs / 1000), time_ms: nowMs }]);
  }

  close() {
    this.timers.clear(this.#timer);
  }

  #tick() {
    const nowMs = this.timers.now();
    this.#timer = this.timers.set(
      () => {
        this.#deliver(this.studio.second(this.timers.now()));
        this.#tick();
      },
      SECOND_MS - (nowMs % SECOND_MS),
    );
  }

  /** @param {import('./messages.js').ServerEvent[]} events */
  #deliver(events) {
    this.onmessage?.({ data: events.map((event) => JSON.stringify(event)).join('\n') });
  }
}

/** Answers a request of the live view as the server would; a sample has nothing else. @param {SampleStudio} studio @param {string} url @param {number} nowMs */
export function answerOfSample(studio, url, nowMs) {
  const [path = '', search = ''] = url.split('?');
  const query = new URLSearchParams(search);
  const [from = NaN, to = NaN, step = NaN] = ['from', 'to', 'step'].map((name) => Number(query.get(name) ?? NaN));
  if (path === 'api/studio') return jsonOf(studio.facts());
  if (path === 'api/tracking/analytics' && to > from && step > 0)
    return jsonOf(studio.report({ from, to, step }, nowMs));
  return new Response('', { status: 404 });
}

/** @param {object} value */
const jsonOf = (value) => new Response(JSON.stringify(value), { headers: { 'Content-Type': 'application/json' } });

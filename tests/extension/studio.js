/** A sender with everything around it scripted: clock, chance, network and memory; only the outbox is the real one. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import './indexed_db.js';
import { Outbox } from '../../extension/worker/outbox.js';
import { Sender } from '../../extension/worker/sender.js';

globalThis.IDBKeyRange = IDBKeyRange;

export const START = 1_764_000_000_000;

/** @param {number} readAt @param {object} [changes] */
export const bodyAt = (readAt, changes = {}) => ({
  room_id: 'blue',
  platform: 'chaturbate',
  tokens_count: 100,
  timestamp: Math.floor(readAt / 1000),
  sequence: readAt,
  ...changes,
});

/** A response as the ingest service gives it. @param {number} status @param {unknown} [body] @param {Record<string, string>} [headers] */
export const respond = (status, body = {}, headers = {}) => new Response(JSON.stringify(body), { status, headers });

/** A refusal as the ingest service words it. @param {number} status @param {object} [more] @param {Record<string, string>} [headers] */
export const refused = (status, more = {}, headers = {}) =>
  respond(status, { type: 'about:blank', title: 'No', status, ...more }, headers);

/** @param {object[]} readings */
export const accepted = (readings) =>
  respond(200, { results: readings.map((_, index) => ({ index, result: 'accepted', version: 1 })) });

/** @param {number} status @param {object} [more] */
export const rejected = (status, more = {}) => ({ result: 'rejected', problem: { status, title: 'no', ...more } });

export class Studio {
  now = START;
  random = 1;
  database = new IDBFactory();
  settings = { roomId: 'blue', endpoint: 'https://pulse.example', token: 'secret', goal: null };
  state = undefined;
  requests = [];
  deliveries = [];
  /** @type {(readings: object[], request: object) => Response | Promise<Response>} */
  answer = (readings) => accepted(readings);

  constructor(limits) {
    this.limits = limits;
    this.startWorker();
  }

  /** What a new worker finds is what the one before has stored. */
  startWorker() {
    this.outbox = new Outbox(this.database, this.limits);
    this.sender = new Sender({
      outbox: this.outbox,
      memory: {
        load: async () => this.state && structuredClone(this.state),
        save: async (state) => {
          this.state = structuredClone(state);
        },
      },
      destination: async () => this.settings,
      onAnswer: async (at) => {
        this.deliveries.push(at);
      },
      fetch: async (url, request) => {
        const readings = JSON.parse(request.body);
        this.requests.push({ url, ...request, readings });
        return this.answer(readings, request);
      },
      now: () => this.now,
      random: () => this.random,
    });
  }

  /** @param {number} count @param {object} [changes] readings 5 s apart up to now */
  async read(count, changes) {
    for (let index = count - 1; index >= 0; index -= 1) {
      const readAt = this.now - index * 5000;
      await this.outbox.add(bodyAt(readAt, changes), readAt);
    }
  }

  /** Moves the clock and lets the sender act, as a reading or the alarm would. @param {number} milliseconds */
  async after(milliseconds) {
    this.now += milliseconds;
    await this.sender.drain();
  }
}

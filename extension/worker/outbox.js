/**
 * Readings wait here from the moment they are read until the server has confirmed them, through the death of the worker
 * and of the browser. A reading's key is its moment and platform, so writing it twice keeps it once.
 */

export const LONGEST_STAY_MS = 24 * 3600 * 1000;
export const MOST_ENTRIES = 20_000;
export const MOST_DEAD = 50;

/** @typedef {[readAt: number, platform: string]} Key */

export class Outbox {
  /** @type {Promise<IDBDatabase> | null} */
  #opening = null;
  #factory;
  #limits;

  /**
   * @param {IDBFactory} factory
   * @param {{ entries: number, dead: number }} [limits]
   */
  constructor(factory, limits = { entries: MOST_ENTRIES, dead: MOST_DEAD }) {
    this.#factory = factory;
    this.#limits = limits;
  }

  /** @param {Telemetry} body @param {number} readAt */
  async add(body, readAt) {
    const { readings, meta, finished } = await this.#begin();
    readings.put({ readAt, platform: body.platform, dueAt: 0, attempts: 0, body });
    const surplus = (await settled(readings.count())) - this.#limits.entries;
    const dropped = await dropOldest(readings, surplus, readAt - LONGEST_STAY_MS);
    if (dropped > 0) meta.put((await settled(meta.get('dropped')) ?? 0) + dropped, 'dropped');
    await finished;
  }

  /**
   * The newest entries that may be sent now: those never postponed first, then those whose wait is over.
   *
   * @param {number} limit
   * @param {number} now
   * @returns {Promise<Entry[]>}
   */
  async newest(limit, now) {
    const { readings } = await this.#begin('readonly');
    const byDue = readings.index('byDue');
    const fresh = await take(byDue, IDBKeyRange.bound([0], [0, []]), limit);
    const waited = IDBKeyRange.bound([0, []], [now, []], true);
    return fresh.length < limit ? [...fresh, ...await take(byDue, waited, limit - fresh.length)] : fresh;
  }

  /** @param {Entry[]} entries */
  async remove(entries) {
    const { readings, finished } = await this.#begin();
    for (const entry of entries) readings.delete(keyOf(entry));
    await finished;
  }

  /** @param {Entry[]} entries as they shall be kept */
  async postpone(entries) {
    const { readings, finished } = await this.#begin();
    for (const entry of entries) readings.put(entry);
    await finished;
  }

  /** Everything may be sent again, and the count of what was dropped starts anew: the configuration has changed. */
  async release() {
    const { readings, meta, finished } = await this.#begin();
    meta.delete('dropped');
    for (const entry of await settled(readings.index('byDue').getAll(IDBKeyRange.lowerBound([0, []])))) {
      readings.put({ ...entry, dueAt: 0, attempts: 0 });
    }
    await finished;
  }

  /**
   * In one transaction out of the readings and into the dead letters.
   *
   * @param {Entry[]} entries
   * @param {DeadLetter[]} letters
   */
  async bury(entries, letters) {
    const { readings, dead, finished } = await this.#begin();
    for (const entry of entries) readings.delete(keyOf(entry));
    for (const letter of letters) dead.add(letter);
    const surplus = (await settled(dead.count())) - this.#limits.dead;
    if (surplus > 0) for (const key of await settled(dead.getAllKeys(null, surplus))) dead.delete(key);
    await finished;
  }

  /** @returns {Promise<DeadLetter[]>} newest first */
  async deadLetters() {
    const { dead } = await this.#begin('readonly');
    return (await settled(dead.getAll())).reverse();
  }

  /** The dead letters are tried once more, as if just read. */
  async revive() {
    const { readings, dead, finished } = await this.#begin();
    for (const { body } of await settled(dead.getAll())) {
      readings.put({ readAt: body.sequence, platform: body.platform, dueAt: 0, attempts: 0, body });
    }
    dead.clear();
    await finished;
  }

  async discardDead() {
    const { dead, finished } = await this.#begin();
    dead.clear();
    await finished;
  }

  async counts() {
    const { readings, dead, meta } = await this.#begin('readonly');
    const [buffered, buried, dropped] = await Promise.all(
      [settled(readings.count()), settled(dead.count()), settled(meta.get('dropped'))]);
    return { buffered, dead: buried, dropped: dropped ?? 0 };
  }

  /** @param {IDBTransactionMode} [mode] */
  async #begin(mode = 'readwrite') {
    this.#opening ??= open(this.#factory, () => { this.#opening = null; });
    const transaction = (await this.#opening).transaction(['readings', 'dead', 'meta'], mode, { durability: 'strict' });
    const [readings, dead, meta] = ['readings', 'dead', 'meta'].map((name) => transaction.objectStore(name));
    const stores = /** @type {Record<'readings' | 'dead' | 'meta', IDBObjectStore>} */ ({ readings, dead, meta });
    return { ...stores, finished: finished(transaction) };
  }
}

/** @param {Entry} entry @returns {Key} */
const keyOf = ({ readAt, platform }) => [readAt, platform];

/** @param {IDBFactory} factory @param {() => void} onLost @returns {Promise<IDBDatabase>} */
function open(factory, onLost) {
  const request = factory.open('studio-pulse', 1);
  request.onupgradeneeded = () => {
    const readings = request.result.createObjectStore('readings', { keyPath: ['readAt', 'platform'] });
    readings.createIndex('byDue', ['dueAt', 'readAt']);
    request.result.createObjectStore('dead', { keyPath: 'id', autoIncrement: true });
    request.result.createObjectStore('meta');
  };
  return settled(request).then((database) => {
    database.onclose = onLost;
    return database;
  }, (error) => {
    onLost();
    throw error;
  });
}

/**
 * @param {IDBObjectStore} readings
 * @param {number} surplus
 * @param {number} before
 * @returns {Promise<number>} how many
 */
async function dropOldest(readings, surplus, before) {
  let dropped = 0;
  for (let cursor = await settled(readings.openCursor()); cursor; cursor = await advanced(cursor)) {
    if (dropped >= surplus && cursor.value.readAt >= before) break;
    cursor.delete();
    dropped += 1;
  }
  return dropped;
}

/** @param {IDBIndex} index @param {IDBKeyRange} range @param {number} limit @returns {Promise<Entry[]>} */
async function take(index, range, limit) {
  /** @type {Entry[]} */
  const entries = [];
  for (let cursor = await settled(index.openCursor(range, 'prev')); cursor; cursor = await advanced(cursor)) {
    entries.push(cursor.value);
    if (entries.length >= limit) break;
  }
  return entries;
}

/** @param {IDBCursorWithValue} cursor @returns {Promise<IDBCursorWithValue | null>} */
function advanced(cursor) {
  cursor.continue();
  return settled(/** @type {IDBRequest<IDBCursorWithValue | null>} */ (cursor.request));
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  const outcome = new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
  outcome.catch(() => {}); // the request that failed tells its caller first
  return outcome;
}

/**
 * Readings wait here from the moment they are read until the server has confirmed them, through the death of the worker
 * and of the browser. A reading's key is its moment and platform, so writing it twice keeps it once.
 *
 * Every reading is counted: each one was delivered, waits, is a dead letter, or was dropped.
 */

/**
 * The age of a reading is the time that readings have been added since, so that a clock which jumps by days drops
 * nothing. Between two readings at most this much passes.
 */
const MAX_STEP_MS = 10 * 60 * 1000;
export const MAX_AGE_MS = 24 * 3600 * 1000;
export const MAX_ENTRIES = 20_000;
export const MAX_DEAD_LETTERS = 50;

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
  constructor(factory, limits = { entries: MAX_ENTRIES, dead: MAX_DEAD_LETTERS }) {
    this.#factory = factory;
    this.#limits = limits;
  }

  /**
   * @param {Telemetry} body
   * @param {number} readAt
   * @param {number | null} [offsetMs] by how much the clock is known to be ahead
   */
  async add(body, readAt, offsetMs = null) {
    const { readings, meta, finished } = await this.#begin();
    const isNew = (await settled(readings.count([readAt, body.platform]))) === 0;
    const keptAt = await advanceAge(meta, readAt);
    readings.put({
      readAt,
      platform: body.platform,
      dueAt: 0,
      attempts: 0,
      body,
      keptAt,
      ...(offsetMs !== null && { offsetMs }),
    });
    const surplus = (await settled(readings.count())) - this.#limits.entries;
    const dropped = await dropOldest(readings, surplus, keptAt - MAX_AGE_MS);
    await increase(meta, 'read', isNew ? 1 : 0);
    await increase(meta, 'dropped', dropped);
    await finished;
  }

  /**
   * The newest entries that may be sent now: those never postponed first, then those whose wait is over.
   *
   * @param {number} limit
   * @param {number} now
   * @param {string} [roomId] readings of this room alone
   * @returns {Promise<Entry[]>}
   */
  async newest(limit, now, roomId) {
    const { readings } = await this.#begin('readonly');
    const index = readings.index(roomId === undefined ? 'byDue' : 'byRoom');
    const room = roomId === undefined ? [] : [roomId];
    const fresh = await take(index, IDBKeyRange.bound([...room, 0], [...room, 0, []]), limit);
    const waited = IDBKeyRange.bound([...room, 0, []], [...room, now, []], true);
    return fresh.length < limit ? [...fresh, ...(await take(index, waited, limit - fresh.length))] : fresh;
  }

  /** @returns {Promise<string[]>} the rooms of all readings that are here */
  async rooms() {
    const { readings } = await this.#begin('readonly');
    const rooms = [];
    const opening = readings.index('byRoom').openKeyCursor();
    for (let cursor = await settled(opening); cursor; cursor = await settled(opening)) {
      const [room] = /** @type {[string]} */ (/** @type {unknown} */ (cursor.key));
      rooms.push(room);
      cursor.continue([room, []]);
    }
    return rooms;
  }

  /** @param {Entry[]} entries @param {boolean} [isDelivered] whether the server has confirmed them */
  async remove(entries, isDelivered = false) {
    const { readings, meta, finished } = await this.#begin();
    let removed = 0;
    for (const entry of entries) {
      removed += await settled(readings.count(keyOf(entry)));
      readings.delete(keyOf(entry));
    }
    await increase(meta, isDelivered ? 'delivered' : 'dropped', removed);
    await finished;
  }

  /** @param {Entry[]} entries as they shall be kept */
  async postpone(entries) {
    const { readings, finished } = await this.#begin();
    for (const entry of entries) readings.put(entry);
    await finished;
  }

  /** Everything may be sent again: the configuration has changed. */
  async release() {
    const { readings, finished } = await this.#begin();
    for (const entry of await settled(readings.index('byDue').getAll(IDBKeyRange.lowerBound([0, []])))) {
      readings.put({ ...entry, dueAt: 0, attempts: 0 });
    }
    await finished;
  }

  /**
   * Moves readings to the dead letters in one transaction.
   *
   * @param {Entry[]} entries
   * @param {DeadLetter[]} letters
   */
  async deadLetter(entries, letters) {
    const { readings, dead, meta, finished } = await this.#begin();
    for (const entry of entries) readings.delete(keyOf(entry));
    for (const letter of letters) dead.add(letter);
    const surplus = (await settled(dead.count())) - this.#limits.dead;
    if (surplus > 0) for (const key of await settled(dead.getAllKeys(null, surplus))) dead.delete(key);
    await increase(meta, 'dropped', Math.max(0, surplus));
    await finished;
  }

  /** @returns {Promise<DeadLetter[]>} newest first */
  async deadLetters() {
    const { dead } = await this.#begin('readonly');
    return (await settled(dead.getAll())).reverse();
  }

  /** Moves the dead letters back to the readings, as if just read. */
  async requeue() {
    const { readings, dead, meta, finished } = await this.#begin();
    const keptAt = (await settled(meta.get('age')))?.age ?? 0;
    for (const { body, offsetMs } of await settled(dead.getAll())) {
      const known = typeof offsetMs === 'number' ? { offsetMs } : {};
      await increase(meta, 'dropped', await settled(readings.count([body.sequence, body.platform]))); // read anew at that very moment
      readings.put({ readAt: body.sequence, platform: body.platform, dueAt: 0, attempts: 0, body, keptAt, ...known });
    }
    dead.clear();
    await finished;
  }

  /** Removes the dead letters and restarts the counts. */
  async discardDead() {
    const { readings, dead, meta, finished } = await this.#begin();
    dead.clear();
    meta.delete('dropped');
    meta.delete('delivered');
    meta.put(await settled(readings.count()), 'read');
    await finished;
  }

  async counts() {
    const { readings, dead, meta } = await this.#begin('readonly');
    const [buffered, deadLetters, dropped] = await Promise.all([
      settled(readings.count()),
      settled(dead.count()),
      settled(meta.get('dropped')),
    ]);
    return { buffered, dead: deadLetters, dropped: dropped ?? 0 };
  }

  /**
   * All readings since the counts started: how many were read and delivered, and how many of those that wait are held
   * until the configuration changes.
   */
  async totals() {
    const { readings, meta } = await this.#begin('readonly');
    const [read, delivered, held] = await Promise.all([
      settled(meta.get('read')),
      settled(meta.get('delivered')),
      settled(readings.index('byDue').count(IDBKeyRange.lowerBound([Infinity]))),
    ]);
    return { read: read ?? 0, delivered: delivered ?? 0, held };
  }

  /** @param {IDBTransactionMode} [mode] */
  async #begin(mode = 'readwrite') {
    this.#opening ??= open(this.#factory, () => {
      this.#opening = null;
    });
    const transaction = (await this.#opening).transaction(['readings', 'dead', 'meta'], mode, { durability: 'strict' });
    const [readings, dead, meta] = ['readings', 'dead', 'meta'].map((name) => transaction.objectStore(name));
    const stores = /** @type {Record<'readings' | 'dead' | 'meta', IDBObjectStore>} */ ({ readings, dead, meta });
    return { ...stores, finished: completion(transaction) };
  }
}

/** @param {Entry} entry @returns {Key} */
const keyOf = ({ readAt, platform }) => [readAt, platform];

/** @param {IDBFactory} factory @param {() => void} onLost @returns {Promise<IDBDatabase>} */
function open(factory, onLost) {
  const request = factory.open('studio-pulse', 2);
  request.onupgradeneeded = ({ oldVersion }) => {
    if (oldVersion < 1) {
      const readings = request.result.createObjectStore('readings', { keyPath: ['readAt', 'platform'] });
      readings.createIndex('byDue', ['dueAt', 'readAt']);
      request.result.createObjectStore('dead', { keyPath: 'id', autoIncrement: true });
      request.result.createObjectStore('meta');
    }
    const readings = request.transaction?.objectStore('readings');
    readings?.createIndex('byRoom', ['body.room_id', 'dueAt', 'readAt']);
    readings?.createIndex('byAge', 'keptAt');
    if (oldVersion === 1 && readings) setInitialAge(readings);
  };
  return settled(request).then(
    (database) => {
      database.onclose = onLost;
      database.onversionchange = () => {
        // another version of the extension takes over
        database.close();
        onLost();
      };
      return database;
    },
    (error) => {
      onLost();
      throw error;
    },
  );
}

/** Readings of the version before are as old as can be. @param {IDBObjectStore} readings */
function setInitialAge(readings) {
  const opening = readings.openCursor();
  opening.onsuccess = () => {
    const cursor = opening.result;
    if (!cursor) return;
    cursor.update({ ...cursor.value, keptAt: 0 });
    cursor.continue();
  };
}

/**
 * The time that has passed while readings were added, this one included.
 *
 * @param {IDBObjectStore} meta
 * @param {number} now
 * @returns {Promise<number>}
 */
async function advanceAge(meta, now) {
  const { age, at } = (await settled(meta.get('age'))) ?? { age: 0, at: now };
  const next = age + Math.min(Math.max(now - at, 0), MAX_STEP_MS);
  meta.put({ age: next, at: now }, 'age');
  return next;
}

/** @param {IDBObjectStore} meta @param {string} name @param {number} by */
async function increase(meta, name, by) {
  if (by > 0) meta.put(((await settled(meta.get(name))) ?? 0) + by, name);
}

/**
 * @param {IDBObjectStore} readings
 * @param {number} surplus
 * @param {number} before
 * @returns {Promise<number>} how many
 */
async function dropOldest(readings, surplus, before) {
  let dropped = 0;
  for (let cursor = await settled(readings.index('byAge').openCursor()); cursor; cursor = await advanced(cursor)) {
    if (dropped >= surplus && cursor.value.keptAt >= before) break;
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
function completion(transaction) {
  const outcome = new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
  outcome.catch(() => {}); // the failed request has rejected its caller already
  return outcome;
}

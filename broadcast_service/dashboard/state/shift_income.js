/**
 * Income of the current shift, feed by feed. History has the income before the last hour of a shift; the feed's ledger has the rest,
 * minute by minute. Pure but for the requests of `load`.
 */

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Feed} Feed */
/** @typedef {import('./studio.js').Shift} Shift */
/** @typedef {Map<number, {untilMinute: number, feeds: Map<string, number>}>} Bases by the beginning of the shift, in Unix seconds */
/**
 * @typedef {object} Progress
 * @property {Shift} shift
 * @property {number | null} earned tokens of this feed in the shift; null while that is not known
 * @property {number | null} target tokens
 * @property {number | null} share of the target, by what counts for it
 * @property {number} leftSeconds
 */
/**
 * @typedef {object} ShiftTotal shifts that began at the same time
 * @property {string[]} names
 * @property {number} from when they began, in Unix seconds
 * @property {number} earned tokens
 * @property {number | null} target tokens; null where none is set
 * @property {number} leftSeconds of the one that ends first
 * @property {Feed[]} feeds that work them
 */

export class ShiftIncome {
  /** @type {Bases} */
  #bases = new Map();

  /** @param {Store} store @param {(room: string, platform: string) => string} keyOf of a feed */
  constructor(store, keyOf) {
    this.store = store;
    this.keyOf = keyOf;
  }

  clear() {
    this.#bases.clear();
  }

  /**
   * What the current shifts earned before a minute, for `settle`; the feeds' ledgers have to be settled from that minute on. Raises what the
   * requests raise.
   * @param {{analytics: (span: {from: number, to: number, step: number}) => Promise<import('../link/api.js').Report>}} api
   * @param {number} nowMs @param {number} untilMinute
   */
  async load(api, nowMs, untilMinute) {
    const begins = new Set(this.store.studio.shiftsAt(nowMs).map(({ from }) => from));
    /** @type {Bases} */
    const bases = new Map();
    for (const from of begins) {
      const first = Math.floor(from / 60) * 60;
      const seconds = untilMinute * 60 - first;
      if (seconds <= 0) continue;
      const report = await api.analytics({ from: first, to: first + seconds, step: seconds });
      const earned = report.feeds.map(
        (feed) => /** @type {const} */ ([this.keyOf(feed.room_id, feed.platform), feed.earned]),
      );
      bases.set(from, { untilMinute, feeds: new Map(earned) });
    }
    return bases;
  }

  /** @param {Bases} bases */
  settle(bases) {
    this.#bases = bases;
  }

  /** The shift of a feed and how far it is; null where its room works none. @param {Feed} feed @param {number} asOfMs @returns {Progress | null} */
  of(feed, asOfMs) {
    const shift = this.store.studio.shiftOf(feed.room, asOfMs);
    if (!shift) return null;
    const target = this.store.studio.targetOf(shift, feed);
    const earned = this.#earned(feed, shift, asOfMs);
    const counted = target?.isAccount ? earned : this.#ofRoom(feed.room, shift, asOfMs);
    return {
      shift,
      earned,
      target: target?.tokens ?? null,
      share: target && counted !== null ? (target.tokens > 0 ? counted / target.tokens : 1) : null,
      leftSeconds: Math.max(0, shift.to - asOfMs / 1000),
    };
  }

  /**
   * The current shifts of the feeds shown: together, and by their beginnings; null where none of them works one.
   * @param {number} asOfMs @param {Set<string> | null} [shown] null: all
   */
  total(asOfMs, shown = null) {
    /** @type {Map<number, ShiftTotal & {counted: Set<string>}>} */
    const groups = new Map();
    for (const feed of this.store.feeds.values()) {
      if (shown && !shown.has(feed.key)) continue;
      const progress = this.of(feed, asOfMs);
      if (!progress) continue;
      if (progress.earned === null) return null;
      const { name, from } = progress.shift;
      const group = groups.get(from) ?? {
        ...{ names: [], from, earned: 0, target: null, leftSeconds: Infinity, feeds: [], counted: new Set() },
      };
      groups.set(from, group);
      group.earned += progress.earned;
      group.leftSeconds = Math.min(group.leftSeconds, progress.leftSeconds);
      group.feeds.push(feed);
      if (!group.names.includes(name)) group.names.push(name);
      const counted = this.store.studio.targetOf(progress.shift, feed)?.isAccount ? feed.key : feed.room;
      if (!group.counted.has(counted) && progress.target) group.target = (group.target ?? 0) + progress.target;
      group.counted.add(counted);
    }
    const parts = [...groups.values()].sort((one, other) => one.from - other.from);
    if (parts.length === 0) return null;
    const target = parts.reduce((sum, part) => sum + (part.target ?? 0), 0);
    return {
      names: [...new Set(parts.flatMap(({ names }) => names))],
      earned: parts.reduce((sum, { earned }) => sum + earned, 0),
      target: target || null,
      leftSeconds: Math.min(...parts.map(({ leftSeconds }) => leftSeconds)),
      parts,
    };
  }

  /** @param {string} room @param {Shift} shift @param {number} asOfMs */
  #ofRoom(room, shift, asOfMs) {
    let sum = 0;
    for (const feed of this.store.feedsOf(room)) {
      const earned = this.#earned(feed, shift, asOfMs);
      if (earned === null) return null;
      sum += earned;
    }
    return sum;
  }

  /** @param {Feed} feed @param {Shift} shift @param {number} asOfMs @returns {number | null} */
  #earned(feed, shift, asOfMs) {
    const [first, minute] = [Math.floor(shift.from / 60), Math.floor(asOfMs / 60_000)];
    const base = this.#bases.get(shift.from);
    if (base) return (base.feeds.get(feed.key) ?? 0) + feed.ledger.sum(Math.max(first, base.untilMinute), minute);
    return this.store.feedsKnownSinceMinute <= first ? feed.ledger.sum(first, minute) : null;
  }
}

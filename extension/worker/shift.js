/**
 * A broadcaster's own shift, computed in this browser from the readings that the studio's server has accepted: what the
 * balance gained and how long the page was on air. Pure. The studio's reports are computed on the server by the same rules
 * from all its readings, and they are what counts.
 *
 * A shift is a list of runs: from, to (the desk's clock, in milliseconds) and the balance that stood there meanwhile, null
 * while it could not be read. Readings arrive in any order: after an outage the newest comes first.
 */

/** Readings further apart do not belong together. */
const ON_AIR_GAP_MS = 60_000;
/** A gain across a longer gap belongs to no pace: it may have been earned elsewhere. */
const SESSION_GAP_MS = 15 * 60_000;
/** After such a silence a new shift begins. */
const SHIFT_GAP_MS = 60 * 60_000;
/** A fall, and a rise beyond this, must last before it is believed. */
const MAX_PLAUSIBLE_RISE = 5000;
const CONFIRMED_MS = 30_000;
const MAX_RUNS = 4000;

/** @returns {Shift} */
export const newShift = (account = '') => ({ account, runs: [] });

/**
 * @param {Shift | undefined} shift
 * @param {{ account: string, at: number, tokens: number | null }[]} samples of one platform
 * @returns {Shift}
 */
export function addSamples(shift, samples) {
  let current = shift ?? newShift(samples[0]?.account);
  for (const sample of samples.toSorted((one, other) => one.at - other.at)) {
    const end = current.runs.at(-1)?.[1];
    const isNew = end !== undefined && sample.at - end > SHIFT_GAP_MS;
    if (sample.account !== current.account || isNew) {
      if (end !== undefined && sample.at < end) continue; // an old reading, of the shift or the account before
      current = newShift(sample.account);
    }
    current = { ...current, runs: [...current.runs, [sample.at, sample.at, sample.tokens]] };
  }
  return { ...current, runs: mergeRuns(current.runs).slice(-MAX_RUNS) };
}

/** @param {Run[]} runs @returns {Run[]} in order, with equal neighbours as one */
function mergeRuns(runs) {
  /** @type {Run[]} */
  const result = [];
  for (const [from, to, balance] of runs.toSorted((one, other) => one[0] - other[0])) {
    const last = result.at(-1);
    const isSame = last && last[2] === balance && from - last[1] <= ON_AIR_GAP_MS;
    if (isSame) last[1] = Math.max(last[1], to);
    else result.push([from, to, balance]);
  }
  return result;
}

/**
 * @param {Shift | undefined} shift
 * @returns {{ earned: number | null, onAirMs: number, since: number | null, balance: number | null, until: number | null }} `earned` is null
 *   while no balance is known
 */
export function summaryOf(shift) {
  const runs = shift?.runs ?? [];
  const known = runs.filter(([, , balance]) => balance !== null);
  return {
    earned: known.length === 0 ? null : earnedIn(known),
    onAirMs: runs.reduce((sum, [from, to], index) => {
      const gap = from - (runs[index - 1]?.[1] ?? from);
      return sum + to - from + (gap > 0 && gap <= ON_AIR_GAP_MS ? gap : 0);
    }, 0),
    since: runs[0]?.[0] ?? null,
    until: runs.at(-1)?.[1] ?? null,
    balance: known.at(-1)?.[2] ?? null,
  };
}

/** @typedef {{ from: number, first: number, last: number, gained: number }} Doubted */

/** @param {Run[]} runs with a balance each */
function earnedIn(runs) {
  const [[, firstTo, first] = [0, 0, 0]] = runs;
  let base = Number(first);
  let end = firstTo;
  let sum = 0;
  /** @type {Doubted | null} */
  let doubted = null;
  for (const [from, to, balance] of runs.slice(1)) {
    const now = Number(balance);
    if (from - end > SESSION_GAP_MS) [base, doubted] = [now, null];
    else if (isDoubtful(base, now)) {
      /** @type {Doubted} */
      const doubt = doubted ?? { from, first: now, last: now, gained: 0 };
      doubted = { ...doubt, last: now, gained: doubt.gained + Math.max(0, now - doubt.last) };
      if (to - doubt.from >= CONFIRMED_MS) {
        sum += Math.max(0, doubt.first - base) + doubted.gained;
        [base, doubted] = [now, null];
      }
    } else [sum, base, doubted] = [sum + now - base, now, null];
    end = to;
  }
  return sum;
}

/** @param {number} base @param {number} balance */
const isDoubtful = (base, balance) => balance < base || balance - base > MAX_PLAUSIBLE_RISE;

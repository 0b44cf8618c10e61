/**
 * Whether two desks report one room, pure. No reading names its desk. But two desks give two readings in each interval, or name two accounts in turn.
 * A desk that sends stored readings late does not look like that: their times are an interval apart.
 */

/** @typedef {{stamps: number[], accounts: string[]}} Desks the last readings, oldest first */

const READINGS = 10;
/** Times are whole seconds and computers hesitate: only clearly denser readings count. */
const DENSER = 0.68;
const MIN_SWITCHES = 3;

/** @returns {Desks} */
export const noDesks = () => ({ stamps: [], accounts: [] });

/** Records a reading. @param {Desks} desks @param {{timestamp: number, account: string}} reading */
export function recordDesk({ stamps, accounts }, { timestamp, account }) {
  if (timestamp <= (stamps.at(-1) ?? -Infinity)) return; // sent again, or corrected
  stamps.push(timestamp);
  accounts.push(account);
  if (stamps.length > READINGS) {
    stamps.shift();
    accounts.shift();
  }
}

/** @param {Desks} desks @param {number} interval seconds between the readings of one desk */
export function areTwoDesks({ stamps, accounts }, interval) {
  if (stamps.length < READINGS || interval < 2) return false; // of a reading a second the times say nothing
  const took = Number(stamps.at(-1)) - Number(stamps[0]);
  const switches = accounts.filter((account, i) => i > 0 && account && accounts[i - 1] && account !== accounts[i - 1]);
  return took < DENSER * interval * (READINGS - 1) || switches.length >= MIN_SWITCHES;
}

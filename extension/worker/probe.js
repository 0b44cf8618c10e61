/**
 * "Test connection": the way of a reading, with one that cannot be stored because it is decades old. So the address, the
 * key and the room are tried, and no number appears anywhere.
 */
import { platformFor } from './config.js';
import { post } from './sender.js';
import { verdictOn } from './answers.js';

/** @typedef {'ok' | 'setup' | 'access' | 'refused' | 'room' | 'busy' | 'unreachable' | 'unexpected'} Outcome */

/**
 * @param {{ settings: Settings, isComplete: boolean }} configuration
 * @param {Settings | null} destination
 * @param {Pick<import('./sender.js').Surroundings, 'fetch' | 'now'>} given
 * @returns {Promise<{ outcome: Outcome, status: number }>}
 */
export async function probe({ settings, isComplete }, destination, given) {
  if (!isComplete) return { outcome: 'setup', status: 0 };
  if (!destination) return { outcome: 'access', status: 0 };
  const body = { room_id: settings.roomId, platform: platformFor(settings.token), tokens_count: 0, timestamp: 0, sequence: 0 };
  const answer = await post(settings, [body], given);
  return { outcome: outcomeOf(answer), status: answer.status };
}

/** @param {Answer} answer @returns {Outcome} */
function outcomeOf({ status, results }) {
  if (status === 0) return 'unreachable';
  const verdict = verdictOn(status);
  if (verdict === 'refused') return 'refused';
  if (verdict === 'later') return 'busy';
  if (verdict !== 'delivered' || !results) return 'unexpected';
  const inner = verdictOn(results[0]?.problem?.status ?? 422);
  return inner === 'refused' ? 'room' : inner === 'later' ? 'busy' : 'ok';
}

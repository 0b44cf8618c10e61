/**
 * "Test connection": the way of a reading, with one that cannot be stored because it is decades old. So the address, the
 * key and the room are tried, and no number appears anywhere.
 */

import { verdictOn, verdictOnAnswer } from './answers.js';
import { platformFor } from './config.js';
import { post } from './sender.js';

/** @typedef {'ok' | 'setup' | 'access' | 'refused' | 'room' | 'busy' | 'unreachable' | 'unexpected'} Outcome */

/**
 * @param {{ settings: Settings, isComplete: boolean }} configuration
 * @param {Settings | null} destination
 * @param {Pick<import('./sender.js').Environment, 'fetch' | 'now'>} given
 * @param {number} [offsetMs] by how much our clock is known to be ahead
 * @returns {Promise<{ outcome: Outcome, status: number }>}
 */
export async function probe({ settings, isComplete }, destination, given, offsetMs = 0) {
  if (!isComplete) return { outcome: 'setup', status: 0 };
  if (!destination) return { outcome: 'access', status: 0 };
  const body = {
    room_id: settings.roomId,
    platform: platformFor(settings.token),
    tokens_count: 0,
    timestamp: 0,
    sequence: 0,
  };
  const first = await post(settings, [body], given, offsetMs);
  const isClockFar = first.errors?.some((error) => error?.field === 'Pulse-Sent-At') && first.clock;
  const answer = isClockFar ? await post(settings, [body], given, Math.round(isClockFar.offsetMs)) : first;
  return { outcome: outcomeOf(answer), status: answer.status };
}

/** Right is an answer that finds nothing wrong but the time. @param {Answer} answer @returns {Outcome} */
function outcomeOf(answer) {
  if (answer.status === 0) return 'unreachable';
  const verdict = verdictOnAnswer(answer, 1);
  if (verdict === 'refused') return 'refused';
  if (verdict === 'later') return 'busy';
  if (verdict !== 'delivered') return 'unexpected';
  const problem = answer.results?.[0]?.problem;
  const inner = verdictOn(problem?.status ?? 422);
  if (inner === 'later') return 'busy';
  const isAboutRoom = problem?.errors?.some((error) => ['room_id', 'platform'].includes(String(error?.field)));
  return inner === 'refused' || isAboutRoom ? 'room' : inner === 'dead' ? 'ok' : 'unexpected';
}

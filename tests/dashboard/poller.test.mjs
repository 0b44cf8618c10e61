import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Poller } from '../../broadcast_service/dashboard/link/poller.js';
import { settle } from './scripted.mjs';

/** @typedef {import('../../broadcast_service/dashboard/link/poll.js').Polled} Polled */

function scripted() {
  /** @type {((answer: Polled) => void)[]} */
  const pending = [];
  /** @type {(() => void)[]} */
  const timers = [];
  /** @type {string[]} */
  const log = [];
  const poller = new Poller(
    {
      poll: () => new Promise((resolve) => pending.push(resolve)),
      timers: { now: () => 0, set: (run) => timers.push(run), clear: () => {} },
      random: () => 0.5,
    },
    {
      onEvents: (events) => log.push(`events ${events.length}`),
      onChange: () => log.push('change'),
      onRefused: (verdict) => log.push(verdict),
    },
  );
  return { poller, pending, timers, log };
}

test('an answer to an earlier run is ignored, so only one loop polls', async () => {
  const { poller, pending, timers, log } = scripted();
  poller.start('a');
  poller.stop();
  poller.start('a');
  pending[0]?.({ events: [] });
  await settle();
  assert.deepEqual([log, timers.length, poller.answered], [[], 0, false]);
  pending[1]?.({ events: [] });
  await settle();
  assert.deepEqual([log, timers.length, poller.answered], [['change', 'events 0'], 1, true]);
});

test('a stop inside a handler ends the loop', async () => {
  const { poller, pending, timers, log } = scripted();
  poller.start('a');
  log.push = () => {
    poller.stop();
    return 0;
  };
  pending[0]?.({ events: [] });
  await settle();
  assert.deepEqual([timers.length, poller.active], [0, false]);
});

test('a refused token is reported and not polled with again', async () => {
  const { poller, pending, timers, log } = scripted();
  poller.start('a');
  pending[0]?.({ verdict: 'token' });
  await settle();
  assert.deepEqual([log, timers.length], [['token'], 0]);
});

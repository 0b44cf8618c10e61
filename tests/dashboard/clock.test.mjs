import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerClock } from '../../broadcast_service/dashboard/state/server_clock.js';

test('the sample that travelled least decides', () => {
  const clock = new ServerClock();
  for (const travelMs of [80, 15, 200]) clock.sample(1_000_000, 1_000_000 + travelMs);
  assert.equal(clock.now(500), 485);
});

test('a clock that was set is followed', () => {
  const clock = new ServerClock();
  clock.sample(1_000_000, 1_000_000);
  clock.sample(5_000_000, 1_000_000);
  assert.equal(clock.now(0), 4_000_000);
});

test('messages that waited in a sleeping computer do not make old values fresh', () => {
  const clock = new ServerClock();
  clock.sample(1_000_000, 1_000_000);
  clock.sample(1_010_000, 9_000_000);
  clock.sample(1_020_000, 9_000_000);
  assert.equal(clock.now(9_000_000), 9_000_000);
});

test('a browser clock set ahead is believed when the next message agrees', () => {
  const clock = new ServerClock();
  clock.sample(1_000_000, 1_000_000);
  clock.sample(1_010_000, 4_610_000);
  clock.sample(1_020_000, 4_620_000);
  assert.equal(clock.now(4_620_000), 1_020_000);
});

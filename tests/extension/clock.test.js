import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BATCH } from '../../extension/worker/answers.js';
import { adjustedOffset, clockFault, inServerTime, measuredOffset } from '../../extension/worker/clock.js';
import { bodyAt, refused, rejected, respond, START, Studio } from './studio.js';

/** A server with a clock of its own: it refuses readings too far ahead, as the ingest service does; `shifts` is whether it knows Pulse-Sent-At. */
class Server {
  stored = [];

  constructor(studio, { aheadMs, shifts }) {
    this.studio = studio;
    this.aheadMs = aheadMs; // of the desk's clock
    this.shifts = shifts;
    studio.answer = (readings, request) => this.answer(readings, request);
  }

  answer(readings, { headers }) {
    const now = this.studio.now - this.aheadMs;
    const date = { Date: new Date(now).toUTCString() };
    const offset = now - Number(headers['Pulse-Sent-At']);
    if (this.shifts && Math.abs(offset) > 86_400_000) {
      return refused(400, { errors: [{ field: 'Pulse-Sent-At', detail: 'lies more than a day off' }] }, date);
    }
    const shift = this.shifts && Math.abs(offset) > 2000 ? Math.round(offset / 1000) : 0;
    const results = readings.map((reading, index) => {
      const timestamp = reading.timestamp + shift;
      const field = timestamp > now / 1000 + 300 || timestamp < now / 1000 - 86_400;
      if (field)
        return { index, ...rejected(422, { errors: [{ field: 'timestamp', detail: 'lies more than 300 s ahead' }] }) };
      this.stored.push({ ...reading, timestamp });
      return { index, result: 'accepted' };
    });
    return respond(200, { results, ...(this.shifts && { clock_offset_ms: offset }) }, date);
  }
}

for (const shifts of [true, false]) {
  for (const [what, aheadMs] of [
    ['10 min fast', 600_000],
    ['301 s fast', 301_000],
    ['an hour slow', -3_600_000],
    ['two days fast', 172_800_000],
    ['five years slow', -157_680_000_000],
    ['right', 400],
  ]) {
    test(`a clock that is ${what}: every reading arrives with the right time at a server that ${shifts ? 'shifts' : 'does not shift'} readings`, async () => {
      const studio = new Studio();
      const server = new Server(studio, { aheadMs, shifts });
      for (let minute = 0; minute < 12; minute += 1) {
        await studio.after(5000);
        await studio.read(1);
        await studio.sender.drain();
      }
      const { read, delivered } = await studio.outbox.totals();
      assert.deepEqual([read, delivered, await studio.outbox.counts()], [12, 12, { buffered: 0, dead: 0, dropped: 0 }]);
      const wrong = server.stored.filter(
        ({ timestamp }, index) => Math.abs(timestamp - (START + 5000 * (index + 1) - aheadMs) / 1000) > 3,
      );
      // A server that does not shift takes the very first reading of a slow clock as late; it has no way to know.
      assert.ok(wrong.length <= (!shifts && what === 'an hour slow' ? 1 : 0), JSON.stringify(wrong));
      assert.equal(
        clockFault(studio.state.offsetMs),
        Math.abs(aheadMs) < 30_000 ? null : aheadMs > 0 ? 'fast' : 'slow',
      );
      assert.ok(Math.abs(studio.state.offsetMs - aheadMs) <= 2500, `${studio.state.offsetMs}`);
    });

    test(`an hour of readings by a clock that is ${what}, sent after it was put right, loses none uncounted (${shifts ? 'shifting' : 'old'} server)`, async () => {
      const studio = new Studio();
      const server = new Server(studio, { aheadMs, shifts });
      await studio.after(5000);
      await studio.read(1);
      await studio.sender.drain();
      const known = studio.state.offsetMs;
      studio.settings = null;
      for (let count = 0; count < MAX_BATCH + 14; count += 1) {
        studio.now += 7000;
        await studio.outbox.add(bodyAt(studio.now), studio.now, known);
      }
      studio.settings = { roomId: 'blue', endpoint: 'https://pulse.example', token: 'secret', goal: null };
      studio.now -= aheadMs;
      server.aheadMs = 0;
      for (let round = 0; round < 10; round += 1) await studio.after(30_000);
      const [{ buffered, dead, dropped }, { read, delivered }] = [
        await studio.outbox.counts(),
        await studio.outbox.totals(),
      ];
      assert.equal(buffered + dead + dropped + delivered, read);
      assert.equal(buffered, 0);
      if (Math.abs(aheadMs) < 3_600_000 && !shifts) assert.equal(delivered, read);
    });
  }
}

test('the offset is known by the server’s measure, else by the Date header, else not', () => {
  const facts = {
    sentAt: START,
    receivedAt: START + 200,
    date: new Date(START - 60_000).toUTCString(),
    clockOffsetMs: -30_100,
    appliedMs: 1000,
  };
  assert.deepEqual(measuredOffset(facts), { offsetMs: 31_200, uncertaintyMs: 100 });
  assert.ok(Math.abs(measuredOffset({ ...facts, clockOffsetMs: undefined }).offsetMs - 60_000) <= 1500);
  assert.equal(measuredOffset({ ...facts, clockOffsetMs: undefined, date: null }), null);
});

test('a measure that does not contradict the known offset changes nothing, so that a reading sent again is the same', () => {
  for (const offsetMs of [-1900, 0, 1400, 2400]) assert.equal(adjustedOffset(0, { offsetMs, uncertaintyMs: 500 }), 0);
  assert.equal(adjustedOffset(null, { offsetMs: 700, uncertaintyMs: 500 }), 0);
  assert.equal(adjustedOffset(0, { offsetMs: 9000, uncertaintyMs: 8000 }), 0);
  assert.equal(adjustedOffset(0, { offsetMs: 61_400, uncertaintyMs: 500 }), 61_000);
  assert.equal(adjustedOffset(61_000, { offsetMs: 100, uncertaintyMs: 500 }), 0);
  assert.equal(adjustedOffset(61_000, null), 61_000);
});

test('second and sequence move together', () => {
  const body = bodyAt(START + 123);
  assert.deepEqual(inServerTime({ body }, 61_000), {
    ...body,
    timestamp: START / 1000 - 61,
    sequence: START + 123 - 61_000,
  });
  assert.equal(inServerTime({ body }, 0), body);
  assert.equal(inServerTime({ body, offsetMs: 0 }, 61_000), body);
});

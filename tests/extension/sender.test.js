import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, initialState, MAX_BATCH, retryAfterMs } from '../../extension/worker/answers.js';
import { accepted, bodyAt, refused, rejected, respond, START, Studio } from './studio.js';

/** @param {Studio} studio */
const left = async (studio) => studio.outbox.counts();

/** @param {() => Response} answer @param {number} [readings] */
async function studioAnswering(answer, readings = 1) {
  const studio = new Studio();
  studio.answer = answer;
  await studio.read(readings);
  await studio.sender.drain();
  return studio;
}

test('a reading goes out as the contract says, and is deleted when confirmed', async () => {
  const studio = await studioAnswering(accepted);
  const [{ url, method, headers, credentials, redirect, cache, referrerPolicy, readings }] = studio.requests;
  assert.equal(`${method} ${url}`, 'POST https://pulse.example/api/tracking/telemetry/batch');
  assert.deepEqual(headers, {
    Authorization: 'Bearer secret',
    'Content-Type': 'application/json',
    'Pulse-Sent-At': String(START),
  });
  assert.deepEqual([credentials, redirect, cache, referrerPolicy], ['omit', 'error', 'no-store', 'no-referrer']);
  assert.deepEqual(readings, [bodyAt(START)]);
  assert.deepEqual(await left(studio), { buffered: 0, dead: 0, dropped: 0 });
});

for (const result of ['accepted', 'duplicate', 'late']) {
  test(`${result} is confirmed`, async () => {
    const studio = await studioAnswering(() => respond(200, { results: [{ index: 0, result, version: 3 }] }));
    assert.equal((await left(studio)).buffered, 0);
    assert.deepEqual(studio.deliveries, [START]);
  });
}

test('a 2xx that says nothing about the readings confirms nothing', async () => {
  for (const answer of [
    () => new Response('<html>Welcome to our hotel</html>'),
    () => new Response(null, { status: 204 }),
    () => respond(200, { results: [] }),
  ]) {
    assert.equal((await left(await studioAnswering(answer))).buffered, 1);
  }
});

for (const status of [400, 422]) {
  test(`${status} makes a dead letter and goes on`, async () => {
    const studio = await studioAnswering(() => refused(status, { detail: 'timestamp is too old' }));
    assert.deepEqual(await left(studio), { buffered: 0, dead: 1, dropped: 0 });
    const [{ status: kept, detail, body }] = await studio.outbox.deadLetters();
    assert.deepEqual([kept, detail, body], [status, 'timestamp is too old', bodyAt(START)]);
    studio.answer = accepted;
    await studio.read(1);
    await studio.after(0);
    assert.equal((await left(studio)).buffered, 0);
  });
}

test('of a whole batch refused as bad only the bad reading dies', async () => {
  const isBad = ({ sequence }) => sequence === START - 10_000;
  const studio = await studioAnswering((readings) => (readings.some(isBad) ? refused(400) : accepted(readings)), 8);
  assert.deepEqual(await left(studio), { buffered: 0, dead: 1, dropped: 0 });
  assert.ok(isBad((await studio.outbox.deadLetters())[0].body));
});

for (const status of [401, 403]) {
  test(`${status} pauses, keeps buffering, and resumes when the configuration changes`, async () => {
    const studio = await studioAnswering(() => refused(status));
    assert.equal(studio.state.refused, true);
    studio.startWorker();
    await studio.read(1);
    await studio.after(3_600_000);
    assert.equal(studio.requests.length, 1);
    studio.answer = accepted;
    await studio.sender.restart();
    assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [2, 0]);
  });
}

test('413 halves the batch until it fits, and the next full batch is tried anew', async () => {
  const studio = await studioAnswering((readings) => (readings.length > 3 ? respond(413) : accepted(readings)), 8);
  assert.deepEqual(
    studio.requests.map(({ readings }) => readings.length),
    [8, 4, 2, 2, 2, 2],
  );
  assert.equal(studio.state.batchLimit, MAX_BATCH);
});

test('413 for a single reading makes a dead letter', async () => {
  assert.deepEqual(await left(await studioAnswering(() => refused(413))), { buffered: 0, dead: 1, dropped: 0 });
});

for (const status of [429, 503]) {
  for (const [form, header] of [
    ['seconds', '120'],
    ['a date', new Date(START + 120_000).toUTCString()],
  ]) {
    test(`${status} waits as long as Retry-After says in ${form}, also after the worker died`, async () => {
      const studio = await studioAnswering(() => respond(status, {}, { 'Retry-After': header }));
      studio.answer = accepted;
      studio.startWorker();
      await studio.after(119_000);
      assert.equal(studio.requests.length, 1);
      await studio.after(1000);
      assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [2, 0]);
    });
  }

  test(`${status} without Retry-After backs off`, async () => {
    assert.equal((await studioAnswering(() => respond(status))).state.nextAttemptAt, START + 2000);
  });
}

test('Retry-After means nothing beside another status', async () => {
  assert.equal(
    (await studioAnswering(() => respond(500, {}, { 'Retry-After': '120' }))).state.nextAttemptAt,
    START + 2000,
  );
});

test('Retry-After is never followed beyond an hour, and nonsense is ignored', () => {
  assert.equal(retryAfterMs('99999999', START), 3_600_000);
  assert.equal(retryAfterMs(new Date(START + 1e10).toUTCString(), START), 3_600_000);
  assert.equal(retryAfterMs(new Date(START - 1e6).toUTCString(), START), 0);
  for (const header of [null, '', 'soon', '-5', '1.5', '0x10', '1e3', '+7', 'Thursday'])
    assert.equal(retryAfterMs(header, START), null, header);
});

for (const status of [429, 503]) {
  for (const header of ['0', '-5', new Date(START - 1e6).toUTCString()]) {
    test(`${status} with Retry-After: ${header} is not asked again at once, and less and less often`, async () => {
      const studio = await studioAnswering(() => refused(status, {}, { 'Retry-After': header }));
      for (let second = 0; second < 60; second += 1) await studio.after(1000);
      assert.ok(studio.requests.length >= 4 && studio.requests.length <= 9, `${studio.requests.length}`);
    });
  }
}

test('items that are refused with a wait of 0 s are not sent again at once', async () => {
  const studio = await studioAnswering(
    (readings) =>
      respond(200, { results: readings.map((_, index) => ({ index, ...rejected(429, { retry_after_seconds: 0 }) })) }),
    3,
  );
  for (let second = 0; second < 60; second += 1) await studio.after(1000);
  assert.ok(studio.requests.length <= 9, `${studio.requests.length}`);
});

for (const [what, answer] of [
  ['408', () => respond(408)],
  ['500', () => respond(500)],
  ['502', () => respond(502)],
  ['404', () => respond(404)],
  [
    'a lost connection',
    () => {
      throw new TypeError('Failed to fetch');
    },
  ],
  [
    'a redirect',
    () => {
      throw new TypeError('unexpected redirect');
    },
  ],
]) {
  test(`${what} backs off, longer each time, and loses nothing`, async () => {
    const studio = await studioAnswering(answer);
    const waits = [];
    for (let round = 0; round < 9; round += 1) {
      waits.push(studio.state.nextAttemptAt - studio.now);
      studio.startWorker();
      await studio.after(waits.at(-1) - 1);
      await studio.after(1);
    }
    assert.deepEqual(waits, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
    assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [10, 1]);
  });
}

test('the wait is anything up to the bound, so that a studio does not come back all at once', () => {
  assert.deepEqual(
    [0, 0.25, 1].map((chance) => backoffMs(3, () => chance)),
    [0, 4000, 16_000],
  );
});

test('a request that hangs is given up after ten seconds', async () => {
  let signal;
  await studioAnswering((_, request) => {
    ({ signal } = request);
    return respond(500);
  });
  assert.ok(signal instanceof AbortSignal);
});

test('a clock put back by a day does not mean a day of silence', async () => {
  const studio = await studioAnswering(() => respond(503, {}, { 'Retry-After': '60' }));
  studio.answer = accepted;
  await studio.after(-86_400_000);
  assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [2, 0]);
});

test('a success ends the backoff', async () => {
  const studio = await studioAnswering(() => respond(500));
  studio.answer = accepted;
  await studio.after(2000);
  assert.deepEqual([studio.state.attempt, studio.state.nextAttemptAt, studio.state.failure], [0, 0, null]);
});

test('items of a batch are settled each by the same table', async () => {
  const outcomes = [
    { result: 'accepted' },
    rejected(422),
    rejected(403),
    rejected(500),
    { result: 'late' },
    rejected(413),
  ];
  const studio = new Studio();
  studio.answer = () => respond(200, { results: outcomes.map((outcome, index) => ({ index, ...outcome })) });
  await studio.read(outcomes.length);
  studio.answer = ((first) => (readings) => {
    studio.answer = accepted;
    return first(readings);
  })(studio.answer);
  await studio.sender.drain();
  assert.deepEqual(await left(studio), { buffered: 2, dead: 2, dropped: 0 });
  assert.equal(studio.state?.refused ?? false, false);
  await studio.after(2000);
  assert.deepEqual(studio.requests.at(-1).readings, [bodyAt(START - 15_000)]);
  await studio.sender.restart();
  assert.deepEqual(studio.requests.at(-1).readings, [bodyAt(START - 10_000)]);
});

for (const status of [429, 503]) {
  test(`an item refused with ${status} stays, and nothing is sent until its wait is over`, async () => {
    const studio = await studioAnswering(
      () =>
        respond(200, {
          results: [
            { index: 0, ...rejected(status, { retry_after_seconds: 7 }) },
            { index: 1, result: 'late' },
          ],
        }),
      2,
    );
    studio.answer = accepted;
    await studio.after(6999);
    assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [1, 1]);
    await studio.after(1);
    assert.deepEqual(studio.requests.at(-1).readings, [bodyAt(START)]);
  });
}

test('of several waits within one answer the longest counts', async () => {
  const studio = await studioAnswering(
    () =>
      respond(200, {
        results: [
          { index: 0, ...rejected(429, { retry_after_seconds: 7 }) },
          { index: 1, ...rejected(429, { retry_after_seconds: 3 }) },
        ],
      }),
    2,
  );
  assert.equal(studio.state.nextAttemptAt, START + 7000);
});

test('an item that fails again and again is tried less and less often', async () => {
  const studio = await studioAnswering(() => respond(200, { results: [{ index: 0, ...rejected(500) }] }));
  for (const wait of [2000, 4000, 8000]) {
    const { length } = studio.requests;
    await studio.after(wait - 1);
    assert.equal(studio.requests.length, length);
    await studio.after(1);
    assert.equal(studio.requests.length, length + 1);
  }
});

test('when every item is outside the key’s rooms, the key is refused', async () => {
  const studio = await studioAnswering(
    () =>
      respond(200, {
        results: [
          { index: 0, ...rejected(403) },
          { index: 1, ...rejected(403) },
        ],
      }),
    2,
  );
  assert.deepEqual([studio.state.refused, (await left(studio)).buffered], [true, 2]);
});

test('a poisoned reading does not slow the others', async () => {
  const studio = new Studio();
  studio.answer = (readings) =>
    respond(200, {
      results: readings.map(({ sequence }, index) => ({
        index,
        ...(sequence === START ? rejected(500) : { result: 'accepted' }),
      })),
    });
  await studio.read(1);
  for (let round = 0; round < 60; round += 1) {
    await studio.after(5000);
    await studio.read(1);
    await studio.sender.drain();
    assert.equal((await left(studio)).buffered, 1);
  }
});

test('after an outage the newest reading is the very first to be sent', async () => {
  const studio = await studioAnswering(() => respond(502), 720);
  studio.answer = accepted;
  await studio.after(10_000);
  const sent = studio.requests.slice(1).flatMap(({ readings }) => readings.map(({ sequence }) => sequence));
  assert.equal(sent[0], START);
  assert.deepEqual(
    sent,
    sent.toSorted((a, b) => b - a),
  );
  assert.deepEqual([new Set(sent).size, (await left(studio)).buffered], [720, 0]);
});

test('only one request is ever in flight', async () => {
  const studio = new Studio();
  let open = 0;
  studio.answer = async (readings) => {
    open += 1;
    assert.equal(open, 1);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    open -= 1;
    return accepted(readings);
  };
  await studio.read(3);
  await Promise.all([studio.sender.drain(), studio.sender.drain(), studio.sender.drain()]);
  assert.equal((await left(studio)).buffered, 0);
});

test('a reading written during a request goes out right after it', async () => {
  const studio = new Studio();
  studio.answer = async (readings) => {
    studio.answer = accepted;
    await studio.outbox.add(bodyAt(START + 5000), START + 5000);
    void studio.sender.drain();
    return accepted(readings);
  };
  await studio.read(1);
  await studio.sender.drain();
  assert.deepEqual(
    studio.requests.map(({ readings }) => readings.length),
    [1, 1],
  );
});

test('an answer to the old configuration does not refuse the new one', async () => {
  const studio = new Studio();
  await studio.read(1);
  studio.answer = async () => {
    studio.answer = accepted;
    void studio.sender.restart();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    return refused(401);
  };
  await studio.sender.drain();
  assert.deepEqual([studio.state?.refused ?? false, (await left(studio)).buffered], [false, 0]);
});

test('an answer to the old configuration holds nothing back from the new one', async () => {
  const studio = new Studio();
  await studio.read(2);
  studio.answer = async () => {
    studio.answer = accepted;
    void studio.sender.restart();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    return respond(200, {
      results: [
        { index: 0, ...rejected(403) },
        { index: 1, result: 'accepted' },
      ],
    });
  };
  await studio.sender.drain();
  assert.equal((await left(studio)).buffered, 0);
});

test('nothing is sent while there is nowhere to send to', async () => {
  const studio = new Studio();
  studio.settings = null;
  await studio.read(1);
  await studio.sender.drain();
  assert.deepEqual([studio.requests.length, (await left(studio)).buffered], [0, 1]);
});

test('dying after the answer and before the deletion sends the same reading again, byte for byte', async () => {
  const studio = new Studio();
  await studio.read(1);
  studio.outbox.remove = () => new Promise(() => {}); // the worker never gets there
  void studio.sender.drain();
  while (studio.requests.length === 0)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  studio.startWorker();
  await studio.sender.drain();
  assert.equal(studio.requests[1].body, studio.requests[0].body);
  assert.equal((await left(studio)).buffered, 0);
});

test('however many requests an outage needs, one event makes only so many', async () => {
  const studio = await studioAnswering(accepted, 0);
  await studio.read(100);
  studio.state = { ...initialState(), batchLimit: 1 };
  await studio.sender.drain();
  assert.equal(studio.requests.length, 20);
});

test('dead letters hold no token', async () => {
  const studio = await studioAnswering(() => refused(422));
  assert.ok(!JSON.stringify([await studio.outbox.deadLetters(), studio.state]).includes('secret'));
});

for (const status of [400, 401, 403, 404, 405, 407, 409, 410, 413, 422, 451]) {
  for (const [what, body] of [
    ['a page', '<html>Blocked by your administrator</html>'],
    ['nothing', ''],
    ['JSON of another server', '{"error":"bad request","code":17}'],
  ]) {
    test(`${status} with ${what} is not the studio’s server: nothing is lost, and not everything is tried`, async () => {
      const studio = new Studio();
      studio.answer = () => new Response(body, { status });
      await studio.read(40);
      for (let minute = 0; minute < 10; minute += 1) await studio.after(60_000);
      assert.deepEqual(await left(studio), { buffered: 40, dead: 0, dropped: 0 });
      assert.deepEqual(
        [studio.state.isForeign, studio.state.refused, studio.requests.length <= 11 || status === 413],
        [true, false, true],
      );
      studio.answer = accepted;
      await studio.after(30_000);
      assert.deepEqual([await left(studio), studio.state.isForeign], [{ buffered: 0, dead: 0, dropped: 0 }, false]);
    });
  }
}

for (const [what, results] of [
  ['[null]', [null]],
  ['[]', []],
  ['an unknown result', [{ index: 0, result: 'merged' }]],
  ['no index', [{ result: 'accepted' }]],
  ['another index', [{ index: 7, result: 'accepted' }]],
  [
    'one result too many',
    [
      { index: 0, result: 'accepted' },
      { index: 1, result: 'accepted' },
    ],
  ],
  ['a rejection without a problem', [{ index: 0, result: 'rejected' }]],
  ['a problem without a status', [{ index: 0, result: 'rejected', problem: { title: 'no' } }]],
  ['a number', 5],
  ['numbers', [5]],
  ['null', null],
]) {
  test(`a 200 whose results are ${what} is not ours: nothing is confirmed, and it backs off`, async () => {
    const studio = await studioAnswering(() => respond(200, { results }));
    assert.deepEqual(
      [await left(studio), studio.state.nextAttemptAt, studio.state.isForeign],
      [{ buffered: 1, dead: 0, dropped: 0 }, START + 2000, true],
    );
    assert.deepEqual(studio.deliveries, [null]);
  });
}

test('an answer that accepts nothing is no delivery, and its reason is known', async () => {
  const studio = await studioAnswering(() =>
    respond(200, { results: [{ index: 0, ...rejected(422, { detail: 'timestamp lies more than 300 s ahead' }) }] }),
  );
  assert.deepEqual([studio.deliveries, studio.state.isRejecting], [[null], true]);
  assert.deepEqual(studio.state.refusal, { at: START, status: 422, detail: 'timestamp lies more than 300 s ahead' });
  studio.answer = accepted;
  await studio.read(1);
  await studio.after(0);
  assert.deepEqual([studio.deliveries.at(-1), studio.state.isRejecting], [START, false]);
});

test('an answer that accepts one of two readings is a delivery', async () => {
  const studio = await studioAnswering(
    () =>
      respond(200, {
        results: [
          { index: 0, result: 'accepted' },
          { index: 1, ...rejected(422) },
        ],
      }),
    2,
  );
  assert.deepEqual([studio.deliveries, studio.state.isRejecting, (await left(studio)).dead], [[START], false, 1]);
});

for (const [what, refuse] of [
  ['the whole answer', () => refused(422, { detail: 'no' })],
  ['each item', (readings) => respond(200, { results: readings.map((_, index) => ({ index, ...rejected(422) })) })],
]) {
  test(`a server that refuses everything by ${what} stops the sending instead of the readings`, async () => {
    const studio = await studioAnswering(refuse, 202);
    for (let minute = 0; minute < 30; minute += 1) {
      await studio.after(60_000);
      await studio.read(1);
    }
    const { buffered, dead, dropped } = await left(studio);
    assert.ok(dead <= 3 && dropped === 0 && buffered + dead === 232, JSON.stringify({ buffered, dead, dropped }));
    assert.equal(studio.state.isRejecting, true);
    studio.answer = accepted;
    for (let round = 0; round < 20; round += 1) await studio.after(60_000);
    assert.equal((await left(studio)).buffered, 0);
  });
}

test('for every answer of a server, each reading is delivered, waits, is a dead letter, or was dropped and counted', async () => {
  let seed = 20_261_126;
  const chance = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const pick = (choices) => choices[Math.floor(chance() * choices.length)];
  const item = (index) =>
    pick([
      () => ({ index, result: 'accepted' }),
      () => ({ index, result: 'late' }),
      () => ({ index, ...rejected(pick([400, 403, 413, 422, 500, 503])) }),
      () => ({ index, ...rejected(429, { retry_after_seconds: pick([0, 1, 90]) }) }),
    ])();
  for (let run = 0; run < 25; run += 1) {
    const studio = new Studio({ entries: 40, dead: 5 });
    studio.random = chance();
    studio.answer = (readings) =>
      pick([
        () => accepted(readings),
        () => respond(200, { results: readings.map((_, index) => item(index)) }),
        () => refused(pick([400, 401, 403, 413, 422, 429, 503])),
        () => respond(pick([400, 404, 413, 500, 502])),
        () => {
          throw new TypeError('Failed to fetch');
        },
        () => respond(200, { results: [null] }),
        () => new Response('hotel'),
      ])();
    for (let step = 0; step < 60; step += 1) {
      await studio.read(1, { room_id: pick(['blue', 'blue', 'red']) });
      await studio.after(pick([0, 5000, 5001, 90_000, -7000]));
      if (chance() < 0.1) studio.startWorker();
      if (chance() < 0.1) await studio.sender.restart();
      if (chance() < 0.05) await studio.outbox.requeue();
      const [{ buffered, dead, dropped }, { read, delivered }] = [await left(studio), await studio.outbox.totals()];
      assert.equal(
        buffered + dead + dropped + delivered,
        read,
        `run ${run}, step ${step}: ${JSON.stringify({ buffered, dead, dropped, delivered, read })}`,
      );
    }
  }
});

test('readings of another room never block those of the room that is set, and are not said to be on their way', async () => {
  const studio = new Studio();
  await studio.read(5, { room_id: 'old' });
  studio.settings = { ...studio.settings, roomId: 'new' };
  studio.answer = (readings) =>
    respond(200, {
      results: readings.map(({ room_id: room }, index) => ({
        index,
        ...(room === 'new' ? { result: 'accepted' } : rejected(403)),
      })),
    });
  await studio.after(1000);
  await studio.read(3, { room_id: 'new' });
  await studio.sender.drain();
  assert.deepEqual(
    [studio.state.refused, await left(studio), (await studio.outbox.totals()).held],
    [false, { buffered: 5, dead: 0, dropped: 0 }, 5],
  );
  assert.ok(studio.requests.every(({ readings }) => new Set(readings.map(({ room_id: room }) => room)).size === 1));
  const count = studio.requests.length;
  await studio.after(3_600_000);
  assert.equal(studio.requests.length, count);
  studio.answer = accepted;
  await studio.sender.restart();
  assert.equal((await left(studio)).buffered, 0);
});

test('a whole answer of 403 to another room’s readings does not refuse the key', async () => {
  const studio = new Studio();
  await studio.read(2, { room_id: 'old' });
  studio.settings = { ...studio.settings, roomId: 'new' };
  studio.answer = () => refused(403);
  await studio.sender.drain();
  assert.deepEqual([studio.state?.refused ?? false, (await studio.outbox.totals()).held], [false, 2]);
});

test('the waiting ends when the network is back or a person looks', async () => {
  const studio = await studioAnswering(() => respond(502));
  studio.answer = accepted;
  await studio.sender.retryNow();
  assert.equal((await left(studio)).buffered, 0);
});

test('a reading that could not be written down is sent once', async () => {
  const studio = new Studio();
  assert.equal(await studio.sender.sendUnstored(bodyAt(START), START), true);
  studio.answer = () => refused(503);
  assert.equal(await studio.sender.sendUnstored(bodyAt(START + 5000), START + 5000), false);
  assert.deepEqual([studio.requests.length, studio.deliveries], [2, [START, null]]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store, statusOf } from '../../broadcast_service/dashboard/state/store.js';
import { totalsOf } from '../../broadcast_service/dashboard/state/totals.js';
import { TrustMonitor } from '../../broadcast_service/dashboard/state/trust.js';

/** @typedef {import('../../broadcast_service/dashboard/link/types.js').Link} Link */
const START = 1_764_000_000; // a whole minute

/** A studio whose clock the test turns: rooms report every five seconds, the server sends a heartbeat every ten. */
class Scene {
  store = new Store();
  watch = new TrustMonitor(this.store);
  /** @type {Link} */
  link = { phase: 'connecting', reason: 'start', retryAtMs: null, lostAtMs: null };
  now = START;
  version = 1;
  reporting = true;
  connected = false;

  /** @param {string[]} rooms */
  constructor(rooms) {
    this.rooms = rooms;
  }

  /** @param {any[]} events */
  receive(...events) {
    for (const event of events)
      this.store.apply({ timestamp: this.now, time_ms: this.now * 1000, ...event }, this.now * 1000);
    return this;
  }

  hello() {
    return this.receive({
      event_type: 'HELLO',
      heartbeat_seconds: 10,
      stale_seconds: 15,
      ttl_seconds: 3600,
      token_expires_at: START + 1e6,
      rooms: ['*'],
      platforms: null,
    });
  }
  sync(snapshot = false) {
    return this.receive({ event_type: 'SYNC', version: this.version, snapshot });
  }

  connect() {
    this.connected = true;
    this.link = { phase: 'live', reason: 'start', retryAtMs: null, lostAtMs: null };
    return this.hello();
  }

  handleClose() {
    this.connected = false;
    this.link = { phase: 'waiting', reason: 'lost', retryAtMs: null, lostAtMs: this.now * 1000 };
  }

  report(rooms = this.rooms) {
    this.version++;
    const numbers = {
      platform: 'camsoda',
      tokens: this.version * 10,
      tips: null,
      viewers: 7,
      goal: null,
      timestamp: this.now,
    };
    this.receive(
      ...rooms.map((room) => ({
        event_type: 'TELEMETRY_UPDATE',
        room_id: room,
        version: this.version,
        data: numbers,
      })),
    );
  }

  /** @param {number} seconds */
  pass(seconds) {
    for (const end = this.now + seconds; this.now < end; ) {
      this.now++;
      if (this.connected && this.reporting && this.now % 5 === 0) this.report();
      if (this.connected && this.now % 10 === 0) this.sync();
      this.assess();
    }
    return this.see();
  }

  assess() {
    return this.watch.assess(this.link, this.now * 1000);
  }

  see() {
    const assess = this.assess();
    const totals = totalsOf(this.store, assess.asOfMs, START * 1000 - 3_600_000);
    const statuses = [...this.store.feeds.values()].map((feed) =>
      statusOf(feed, assess.asOfMs, this.store, assess.trusted),
    );
    return {
      ...assess,
      statuses: [...new Set(statuses)].sort().join(),
      live: totals.feeds.live,
      viewers: totals.counts.viewers.sum,
      hour: totals.hour,
      today: totals.today,
    };
  }
}

/** A studio that has been reporting for a minute. @param {string[]} rooms */
function running(rooms = ['a', 'b', 'c']) {
  const scene = new Scene(rooms);
  scene.connect();
  scene.report();
  scene.sync(true).pass(62);
  return scene;
}

for (const outage of [5, 20, 80, 4000, 90_000]) {
  test(`a link lost for ${outage} s freezes statuses, totals and windows at the last contact`, () => {
    const scene = running();
    const before = scene.see();
    assert.deepEqual([before.trusted, before.statuses, before.live, before.viewers], [true, 'live', 3, 21]);
    scene.handleClose();
    const after = scene.pass(outage);
    assert.deepEqual([after.trusted, after.trouble, after.statuses], [false, 'link', 'unconfirmed']);
    assert.deepEqual(
      [after.live, after.viewers, after.hour, after.today],
      [before.live, before.viewers, before.hour, before.today],
    );
    assert.ok(after.nowMs - after.asOfMs >= outage * 1000);
  });
}

test('feeds that were off air at the last contact stay off air, live ones stay last known', () => {
  const scene = running();
  scene.receive({
    event_type: 'TELEMETRY_UPDATE',
    room_id: 'gone',
    version: 9,
    data: { platform: 'camsoda', tokens: 1, tips: null, viewers: 1, goal: null, timestamp: scene.now - 100 },
  });
  assert.equal(scene.see().statuses, 'live,off_air');
  scene.handleClose();
  assert.equal(scene.pass(7200).statuses, 'off_air,unconfirmed');
});

test('a lost source freezes the page although the link goes on', () => {
  const scene = running();
  const before = scene.see();
  scene.reporting = false;
  scene.pass(4);
  scene.receive({ event_type: 'UPSTREAM', status: 'degraded' });
  const after = scene.pass(600);
  assert.deepEqual(
    [after.trouble, after.statuses, after.live, after.viewers, after.hour],
    ['source', 'unconfirmed', 3, 21, before.hour],
  );
});

test('after a lost source the last known numbers stay until the rooms have reported again', () => {
  const scene = running();
  scene.reporting = false;
  scene.receive({ event_type: 'UPSTREAM', status: 'degraded' }).pass(80);
  scene.receive({ event_type: 'UPSTREAM', status: 'ok' }).sync();
  assert.deepEqual([scene.see().trouble, scene.see().live, scene.see().statuses], ['resuming', 3, 'unconfirmed']);
  scene.reporting = true;
  const after = scene.pass(6);
  assert.deepEqual([after.trouble, after.trusted, after.live, after.statuses], [null, true, 3, 'live']);
});

test('a room that ended during the outage delays the others only briefly', () => {
  const scene = running();
  scene.reporting = false;
  scene.receive({ event_type: 'UPSTREAM', status: 'degraded' }).pass(80);
  scene.receive({ event_type: 'UPSTREAM', status: 'ok' }).sync();
  scene.reporting = true;
  scene.rooms = ['a', 'b'];
  const after = scene.pass(16);
  assert.deepEqual([after.trusted, after.live, after.statuses], [true, 2, 'live,off_air']);
});

test('a page opened while the source is lost calls every room last known, and dates itself by the newest reading', () => {
  const scene = new Scene([]);
  const reading = (/** @type {string} */ room, /** @type {number} */ age) => ({
    event_type: 'TELEMETRY_UPDATE',
    room_id: room,
    version: 1,
    timestamp: START - age,
    data: { platform: 'camsoda', tokens: 1, tips: null, viewers: 5, goal: null, timestamp: START - age },
  });
  scene
    .connect()
    .receive(
      { event_type: 'UPSTREAM', status: 'degraded' },
      reading('a', 600),
      reading('b', 603),
      reading('ended', 900),
    )
    .sync(true);
  const seen = scene.pass(300);
  assert.deepEqual([seen.trusted, seen.statuses, seen.asOfMs], [false, 'unconfirmed', (START - 600) * 1000]);
});

/** One of two shards is lost: `a` goes on, `b` was last read a while ago. @param {Scene} scene @param {number} age */
function halfLost(scene, age) {
  const reading = (/** @type {string} */ room, /** @type {number} */ ago) => ({
    event_type: 'TELEMETRY_UPDATE',
    room_id: room,
    version: scene.version - ago,
    timestamp: scene.now - ago,
    data: { platform: 'camsoda', tokens: 1, tips: null, viewers: 5, goal: null, timestamp: scene.now - ago },
  });
  scene.rooms = ['a'];
  scene.version += 1000;
  return scene
    .connect()
    .receive({ event_type: 'UPSTREAM', status: 'degraded' }, reading('a', 0), reading('b', age))
    .sync(true);
}

test('a page opened while one shard is lost calls none of its rooms off air, until the shard is back and they are silent', () => {
  const scene = halfLost(new Scene([]), 600);
  assert.deepEqual([scene.see().trusted, scene.see().statuses, scene.see().viewers], [false, 'unconfirmed', 10]);
  assert.equal(scene.pass(120).statuses, 'unconfirmed');
  scene.receive({ event_type: 'UPSTREAM', status: 'ok' }).sync();
  assert.deepEqual([scene.see().trouble, scene.see().statuses], ['resuming', 'unconfirmed']);
  const after = scene.pass(20);
  assert.deepEqual([after.trusted, after.statuses], [true, 'live,off_air']);
});

test('a page that reconnects while one shard is lost keeps earlier off-air feeds off air and adds none', () => {
  const scene = running(['a', 'b']);
  scene.receive({
    event_type: 'TELEMETRY_UPDATE',
    room_id: 'gone',
    version: 9,
    data: { platform: 'camsoda', tokens: 1, tips: null, viewers: 1, goal: null, timestamp: scene.now - 100 },
  });
  scene.handleClose();
  scene.pass(300);
  halfLost(scene, 290);
  assert.deepEqual([scene.see().statuses, scene.pass(120).statuses], ['off_air,unconfirmed', 'off_air,unconfirmed']);
  const statusIn = (/** @type {string} */ room) =>
    [...scene.store.feeds.values()]
      .filter((feed) => feed.room === room)
      .map((feed) => statusOf(feed, scene.see().asOfMs, scene.store, false));
  assert.deepEqual(['a', 'b', 'gone'].flatMap(statusIn), ['unconfirmed', 'unconfirmed', 'off_air']);
});

test('a page opened while nothing answers knows nothing, and names no contact', () => {
  const scene = new Scene([]);
  scene.handleClose();
  const seen = scene.pass(30);
  assert.deepEqual([seen.trusted, seen.trouble, seen.sinceMs], [false, 'start', null]);
  assert.equal(totalsOf(scene.store, seen.asOfMs, 0).known, false);
});

test('a computer that slept wakes up with the numbers of then, not with rooms off air', () => {
  const scene = running();
  const before = scene.see();
  scene.now += 7200; // no timer ran, no message came, the link still says live
  const after = scene.see();
  assert.deepEqual(
    [after.trusted, after.trouble, after.statuses, after.live, after.hour],
    [false, 'quiet', 'unconfirmed', 3, before.hour],
  );
});

test('a heartbeat that waited in a sleeping computer does not make old numbers current', () => {
  const scene = running();
  const waited = (scene.now + 3) * 1000;
  scene.now += 7200;
  scene.receive({ event_type: 'SYNC', version: 99, snapshot: false, time_ms: waited });
  assert.deepEqual([scene.see().trusted, scene.see().live], [false, 3]);
});

test('several outages in a row never turn a room off air by the page’s own clock', () => {
  const scene = running();
  for (let i = 0; i < 4; i++) {
    scene.handleClose();
    assert.equal(scene.pass(100).statuses, 'unconfirmed');
    scene.connect().receive({ event_type: 'UPSTREAM', status: 'degraded' }).sync(true);
    assert.deepEqual([scene.see().statuses, scene.see().live], ['unconfirmed', 3]);
    assert.equal(scene.pass(100).statuses, 'unconfirmed');
  }
  scene.receive({ event_type: 'UPSTREAM', status: 'ok' });
  scene.report();
  scene.sync();
  assert.deepEqual([scene.see().trusted, scene.see().statuses, scene.see().live], [true, 'live', 3]);
});

test('midnight during an outage takes nothing away', () => {
  const scene = running();
  const before = scene.see();
  scene.handleClose();
  const { asOfMs } = scene.pass(90_000);
  assert.equal(new Date(asOfMs).toDateString(), new Date(before.nowMs).toDateString());
});

test('when all rooms fall silent the link is fine and nothing is said about the shows', () => {
  const scene = running();
  const before = scene.see();
  scene.reporting = false;
  assert.equal(scene.pass(12).trouble, null);
  const after = scene.pass(200);
  assert.deepEqual(
    [after.trouble, after.trusted, after.statuses, after.live, after.hour],
    ['silence', false, 'unconfirmed', 3, before.hour],
  );
  assert.equal(after.sinceMs, START * 1000 + 60_000);
  scene.reporting = true;
  const back = scene.pass(5);
  assert.deepEqual([back.trouble, back.trusted, back.statuses, back.live], [null, true, 'live', 3]);
});

test('while rooms report again one by one after a silence, the totals are those of before it', () => {
  const scene = running(['a', 'b', 'c', 'd', 'e', 'f']);
  const before = scene.see();
  scene.reporting = false;
  scene.pass(30);
  scene.report(['a']);
  const after = scene.pass(2);
  assert.deepEqual(
    [after.trouble, after.statuses, after.live, after.viewers],
    ['resuming', 'unconfirmed', before.live, before.viewers],
  );
  assert.equal(after.live, 6);
});

test('the one room of a studio that falls silent is late, then off air', () => {
  const scene = running(['only']);
  scene.reporting = false;
  assert.deepEqual([scene.pass(20).trouble, scene.see().statuses], ['late', 'stale']);
  assert.deepEqual([scene.pass(60).trouble, scene.see().statuses], [null, 'off_air']);
});

test('a move to another server is no outage', () => {
  const scene = running();
  scene.link = { phase: 'connecting', reason: 'moving', retryAtMs: null, lostAtMs: scene.now * 1000 };
  assert.equal(scene.see().trusted, true);
  scene.connected = false;
  assert.equal(scene.pass(5).trusted, false);
});

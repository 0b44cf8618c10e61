import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, run } from './content.js';

const START = 1_764_000_000_000;
const FRAME = 16;

/** A broadcaster's page whose time is ours: timers, observer, clock and the way to the worker. */
class OpenPage {
  now = START;
  setBackMs = 0;
  isOwn = true;
  isWorkerThere = true;
  runtime = {
    id: 'ours',
    sendMessage: async (message) => {
      this.attempts.push(message);
      if (!this.isWorkerThere) throw new Error('The message port closed before a response was received.');
    },
    onMessage: { addListener: (ask) => { this.ask = ask; } },
  };
  attempts = [];
  timers = new Map();
  isObserved = false;

  constructor() {
    const page = this;
    const context = loadContent();
    Object.assign(context, {
      chrome: { runtime: this.runtime },
      location: { hostname: 'chaturbate.com', pathname: '/b/alice/' },
      document: {},
      isOwnPage: () => this.isOwn,
      readMetrics: () => ({}),
      Date: { now: () => this.now + this.setBackMs },
      setInterval: (job, every) => { this.timers.set(job, { due: this.now + every, every }); return job; },
      clearInterval: (job) => this.timers.delete(job),
      MutationObserver: class {
        constructor(job) { page.change = job; }
        observe() { page.isObserved = true; }
        disconnect() { page.isObserved = false; }
      },
    });
    run(context, 'main');
  }

  /** Lets time pass; `busyUntil` is when the page stops to change at every frame. */
  pass(milliseconds, busyUntil = 0) {
    const end = this.now + milliseconds;
    for (; this.now <= end; this.now += FRAME) {
      if (this.isObserved && this.now <= busyUntil) this.change();
      for (const [job, timer] of this.timers) {
        if (timer.due > this.now) continue;
        timer.due += timer.every;
        job();
      }
    }
  }

  get gaps() {
    const moments = this.attempts.map(({ readAt }) => readAt);
    return moments.slice(1).map((moment, index) => moment - moments[index]);
  }
}

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test('a quiet page is read at once and then every five seconds', () => {
  const page = new OpenPage();
  page.pass(60_000);
  assert.ok(page.gaps.length >= 11 && page.gaps.every((gap) => Math.abs(gap - 5000) < 20), `${page.gaps}`);
});

test('whenever a page stops to change, the next reading is five seconds after the last', () => {
  for (let busyMs = 0; busyMs < 120_000; busyMs += 1_100) {
    const page = new OpenPage();
    page.pass(150_000, START + busyMs);
    assert.ok(page.gaps.length > 25 && page.gaps.every((gap) => gap >= 4750 && gap < 5100), `busy for ${busyMs}: ${page.gaps}`);
  }
});

test('the worker may ask at any time and gets no reading too many', () => {
  const page = new OpenPage();
  page.timers.clear();
  page.ask({ type: 'read' });
  assert.equal(page.attempts.length, 1);
  page.pass(30_000);
  page.ask({ type: 'read' });
  assert.equal(page.attempts.length, 2);
});

test('a clock put back does not silence a page', () => {
  const page = new OpenPage();
  page.setBackMs = -3_600_000;
  page.change();
  assert.equal(page.attempts.length, 2);
});

test('a clock put right by a tenth of a second costs no reading', () => {
  const page = new OpenPage();
  page.setBackMs = -100;
  page.pass(5_100);
  assert.equal(page.attempts.length, 2);
});

test('a page that is not the own one is not read, until it is', () => {
  const page = new OpenPage();
  page.isOwn = false;
  page.pass(20_000, Infinity);
  assert.equal(page.attempts.length, 1);
  page.isOwn = true;
  page.pass(FRAME, Infinity);
  assert.equal(page.attempts.length, 2);
});

test('a worker that dies with a reading in its hands is told the same reading once more', async () => {
  const page = new OpenPage();
  page.isWorkerThere = false;
  page.pass(5_100);
  await settled();
  const [, second, ...again] = page.attempts;
  assert.deepEqual(again, [second]);
});

test('a script that its extension left behind stops timer and observer, and tells nobody', async () => {
  const page = new OpenPage();
  delete page.runtime.id;
  page.runtime.sendMessage = () => { throw new Error('Extension context invalidated.'); };
  page.pass(20_000, Infinity);
  await settled();
  assert.deepEqual([page.timers.size, page.isObserved, page.attempts.length], [0, false, 1]);
});

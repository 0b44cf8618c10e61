import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, run } from './content.js';

const START = 1_764_000_000_000;
const FRAME = 16;
const ANSWER = { accountKey: '', camsodaEnabled: false, last: null };

/** A broadcaster's page whose time is ours: timers, observer, clocks and the way to the worker. */
class OpenPage {
  now = START;
  setBackMs = 0;
  owned = 'own';
  tokens = 1234;
  viewers = 552;
  answer = ANSWER;
  isWorkerThere = true;
  attempts = [];
  starts = 0;
  pages = [];
  timers = new Map();
  observers = new Set();
  listeners = new Set();
  document = { readyState: 'complete', addEventListener: () => {}, removeEventListener: () => {} };
  location = { hostname: 'chaturbate.com', pathname: '/b/alice/' };
  runtime = {
    id: 'ours',
    sendMessage: async (message) => {
      if (message.type === 'start') {
        this.starts += 1;
        return this.answer;
      }
      (message.type === 'page' ? this.pages : this.attempts).push(message);
      if (!this.isWorkerThere) throw new Error('The message port closed before a response was received.');
    },
    onMessage: { addListener: (ask) => this.listeners.add(ask), removeListener: (ask) => this.listeners.delete(ask) },
  };

  constructor(changes = {}) {
    Object.assign(this, changes);
    const page = this;
    let timers = 0;
    const set = (job, every, isRepeated) => {
      timers += 1;
      this.timers.set(timers, { job, due: this.now + every, every, isRepeated });
      return timers;
    };
    this.context = loadContent();
    Object.assign(this.context, {
      chrome: { runtime: this.runtime },
      location: this.location,
      document: this.document,
      addEventListener: (type, job) => {
        if (type === 'pageshow') this.onShow = job;
      },
      removeEventListener: () => {},
      ownership: () => this.owned,
      readMetrics: () => ({ tokens: this.reading(this.tokens), viewers: this.reading(this.viewers) }),
      accountMark: async (key, platform, name) => (key === '' ? undefined : `${key}-${platform}-${name}`),
      Date: { now: () => this.now + this.setBackMs },
      performance: { now: () => this.now - START },
      setInterval: (job, every) => set(job, every, true),
      setTimeout: (job, every) => set(job, every, false),
      clearInterval: (timer) => this.timers.delete(timer),
      clearTimeout: (timer) => this.timers.delete(timer),
      MutationObserver: class {
        constructor(job) {
          this.job = job;
        }
        observe() {
          page.observers.add(this.job);
        }
        disconnect() {
          page.observers.delete(this.job);
        }
      },
    });
    this.inject();
  }

  inject() {
    run(this.context, 'main');
  }

  reading(value) {
    return typeof value === 'number' ? { status: 'ok', value } : { status: value };
  }

  change() {
    for (const job of [...this.observers]) job();
  }

  ask() {
    for (const ask of [...this.listeners]) ask({ type: 'read' });
  }

  /** Lets time pass; `each` is called at every frame with the milliseconds since the call. */
  async pass(milliseconds, each = () => {}) {
    const begin = this.now;
    for (; this.now <= begin + milliseconds; this.now += FRAME) {
      each(this.now - begin);
      for (const [id, timer] of [...this.timers]) {
        if (timer.due > this.now || !this.timers.has(id)) continue;
        if (timer.isRepeated) timer.due += timer.every;
        else this.timers.delete(id);
        timer.job();
      }
      await settled();
    }
  }

  get gaps() {
    const moments = this.attempts.map(({ readAt }) => readAt);
    return moments.slice(1).map((moment, index) => moment - moments[index]);
  }

  get balances() {
    return this.attempts.map(({ metrics }) => metrics.tokens.value ?? metrics.tokens.status);
  }
}

const settled = async () => {
  for (let round = 0; round < 4; round += 1) await Promise.resolve();
};

test('a quiet page is read after its second look and then every five seconds', async () => {
  const page = new OpenPage();
  await page.pass(60_000);
  assert.ok(page.attempts[0].readAt - START < 2200, `${page.attempts[0].readAt - START}`);
  assert.ok(page.gaps.length >= 10 && page.gaps.every((gap) => Math.abs(gap - 5000) < 20), `${page.gaps}`);
});

test('whenever a page stops to change, the next reading is five seconds after the last', async () => {
  for (let busyMs = 0; busyMs < 40_000; busyMs += 3100) {
    const page = new OpenPage();
    await page.pass(60_000, (advanceAge) => {
      if (advanceAge < busyMs) page.change();
    });
    assert.ok(
      page.gaps.length > 8 && page.gaps.every((gap) => gap >= 4750 && gap < 6100),
      `busy for ${busyMs}: ${page.gaps}`,
    );
  }
});

test('the worker may ask at any time and gets no reading too many', async () => {
  const page = new OpenPage();
  await page.pass(2500);
  page.timers.clear();
  page.ask();
  page.ask();
  assert.equal(page.attempts.length, 1);
  await page.pass(30_000);
  page.ask();
  assert.equal(page.attempts.length, 2);
});

test('a hidden page that changed meanwhile is read a second after the worker has asked', async () => {
  const page = new OpenPage();
  await page.pass(2500);
  page.timers.clear();
  page.tokens = 1300;
  await page.pass(30_000);
  page.ask();
  await page.pass(1100);
  assert.deepEqual(page.balances, [1234, 1300]);
});

test('a wall clock put back does not silence a page', async () => {
  const page = new OpenPage();
  await page.pass(2500);
  page.setBackMs = -3_600_000;
  await page.pass(6000);
  assert.equal(page.attempts.length, 2);
});

test('a page that is not the own one is not read, until it is', async () => {
  const page = new OpenPage({ owned: 'none' });
  await page.pass(20_000, () => page.change());
  assert.deepEqual([page.attempts.length, page.pages.length], [0, 0]);
  page.owned = 'own';
  await page.pass(2500, () => page.change());
  assert.equal(page.attempts.length, 1);
});

test('a broadcast page that is not known to be the own one is reported as that, and not before it had time to load', async () => {
  const page = new OpenPage({ owned: 'unproven' });
  await page.pass(9000);
  assert.equal(page.pages.length, 0);
  await page.pass(12_000);
  assert.ok(page.pages.length >= 2 && page.pages.length <= 3);
  assert.ok(
    page.pages.every(
      ({ type, platform, page: state }) => type === 'page' && platform === 'chaturbate' && state === 'unproven',
    ),
  );
  assert.equal(page.attempts.length, 0);
});

test('CamSoda is not read until it is switched on, and says that it is off', async () => {
  const page = new OpenPage({ location: { hostname: 'www.camsoda.com', pathname: '/broadcast' } });
  await page.pass(20_000);
  assert.ok(
    page.attempts.length === 0 &&
      page.pages.length >= 2 &&
      page.pages.every(({ page: state }) => state === 'switched_off'),
  );
  page.answer = { ...ANSWER, camsodaEnabled: true };
  await page.pass(62_000);
  assert.ok(page.attempts.length > 0);
});

test('a worker that does not answer costs five seconds and switches nothing on', async () => {
  for (const hostname of ['chaturbate.com', 'www.camsoda.com']) {
    const page = new OpenPage({ answer: new Promise(() => {}), location: { hostname, pathname: '/b/alice/' } });
    await page.pass(9000);
    assert.equal(page.attempts.length, hostname === 'chaturbate.com' ? 1 : 0);
  }
});

test('a number that still counts up is not sent, and the reading goes out when it stands', async () => {
  const page = new OpenPage({ tokens: 0 });
  await page.pass(4000, (advanceAge) => {
    page.tokens = Math.min(1234, Math.floor(advanceAge / 2));
  });
  assert.deepEqual(page.balances, [1234]);
});

test('a zero for a while after a load is never sent', async () => {
  const page = new OpenPage({ tokens: 0 });
  await page.pass(8000);
  page.tokens = 1234;
  await page.pass(3000);
  assert.deepEqual(page.balances, [1234]);
});

test('a reload does not make a false low balance true: the last one is known to the worker', async () => {
  const page = new OpenPage({ tokens: 1, answer: { ...ANSWER, last: { tokens: 12_345, readAt: START - 9000 } } });
  await page.pass(6000);
  page.tokens = 12_345;
  await page.pass(3000);
  assert.deepEqual(page.balances, [12_345]);
});

test('a fall of the balance is sent once it has stood, within three intervals of the reading before', async () => {
  const page = new OpenPage();
  await page.pass(6500);
  page.tokens = 40;
  await page.pass(20_000);
  assert.deepEqual([page.balances.at(1), page.balances.find((each) => each !== 1234)], [1234, 40]);
  assert.ok(Math.max(...page.gaps) <= 15_000, `${page.gaps}`);
});

test('a balance that never stands still is sent as not known beside the viewers', async () => {
  const page = new OpenPage();
  await page.pass(30_000, (advanceAge) => {
    page.tokens = 5000 + Math.floor(advanceAge / 100);
  });
  assert.ok(page.attempts.length >= 2);
  assert.deepEqual([...new Set(page.balances)], ['unsettled']);
  assert.ok(page.attempts.every(({ metrics }) => metrics.viewers.value === 552));
});

test('a balance that is gone while the page redraws itself costs no reading without it', async () => {
  const page = new OpenPage();
  await page.pass(4000);
  page.tokens = 'missing';
  await page.pass(4000);
  page.tokens = 1240;
  await page.pass(4000);
  assert.deepEqual(page.balances, [1234, 1240]);
});

test('a balance that cannot be read for long is sent as that', async () => {
  const page = new OpenPage({ tokens: 'unparsed' });
  await page.pass(16_000);
  assert.ok(page.attempts.length >= 2);
  assert.deepEqual([...new Set(page.balances)], ['unparsed']);
});

test('after a change of the address nothing is read for an interval', async () => {
  const page = new OpenPage({ viewers: 9 });
  page.location.pathname = '/bob/';
  page.owned = 'none';
  await page.pass(9000);
  page.location.pathname = '/b/alice/';
  page.owned = 'own';
  await page.pass(700);
  page.viewers = 552;
  await page.pass(9000);
  assert.ok(page.attempts.length > 0 && page.attempts.every(({ metrics }) => metrics.viewers.value === 552));
});

test('each reading names its account, and the first of another account is no fall of the former', async () => {
  const page = new OpenPage({ answer: { ...ANSWER, accountKey: 'k' }, tokens: 15_000 });
  await page.pass(4000);
  page.location.pathname = '/b/bob/';
  page.tokens = 200;
  await page.pass(8000);
  assert.deepEqual(
    page.attempts.map(({ account, metrics }) => [account, metrics.tokens.value]),
    [
      ['k-chaturbate-alice', 15_000],
      ['k-chaturbate-bob', 200],
    ],
  );
});

test('no reading goes out before its account is known', async () => {
  const page = new OpenPage({ answer: { ...ANSWER, accountKey: 'k' } });
  const mark = page.context.accountMark;
  let isAllowed = false;
  page.context.accountMark = async (...named) => {
    while (!isAllowed)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    return mark(...named);
  };
  const late = new OpenPage({ answer: { ...ANSWER, accountKey: 'k' } });
  late.context.accountMark = page.context.accountMark;
  await late.pass(8000);
  assert.equal(late.attempts.length, 0);
  isAllowed = true;
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
  await late.pass(3000);
  assert.equal(late.attempts[0].account, 'k-chaturbate-alice');
});

test('a page whose HTML never ends is read all the same', async () => {
  const page = new OpenPage();
  page.document.readyState = 'loading';
  await page.pass(25_000);
  assert.ok(page.attempts.length > 0 && page.attempts[0].readAt - START > 14_000);
});

test('a second injection takes over: one script reads, at the same pace', async () => {
  const page = new OpenPage();
  await page.pass(7500);
  page.inject();
  await page.pass(30_000);
  assert.ok(
    page.gaps.every((gap) => gap > 1000 && gap < 6100),
    `${page.gaps}`,
  );
  assert.deepEqual([page.observers.size, page.listeners.size], [1, 1]);
  assert.ok(page.timers.size <= 3);
});

test('the files may run a second time in one page', () => {
  const context = loadContent();
  for (const name of ['parse', 'adapters', 'visibility', 'reader', 'stability', 'account']) run(context, name);
  assert.equal(context.parseCount('5').value, 5);
});

test('a worker that dies with a reading in its hands is sent the same reading once more', async () => {
  const page = new OpenPage();
  page.isWorkerThere = false;
  await page.pass(2500);
  const [first, ...again] = page.attempts;
  assert.deepEqual(again, [first]);
});

test('a script that its extension left behind stops timers and observer, and sends nothing', async () => {
  const page = new OpenPage();
  await page.pass(2500);
  delete page.runtime.id;
  page.runtime.sendMessage = () => {
    throw new Error('Extension context invalidated.');
  };
  await page.pass(20_000, () => page.change());
  assert.deepEqual([page.observers.size, page.attempts.length], [0, 1]);
  assert.equal([...page.timers.values()].filter(({ isRepeated }) => isRepeated).length, 0);
});

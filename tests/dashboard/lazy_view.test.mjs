import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LazyView } from '../../broadcast_service/dashboard/views/lazy_view.js';
import { settle } from './scripted.mjs';

/** @param {boolean[]} [answers] whether each attempt to load succeeds */
function scripted(answers = [true]) {
  /** @type {string[]} */
  const log = [];
  const view = {
    show: (/** @type {unknown[]} */ ...args) => log.push(`show ${args.join(' ')}`),
    reset: () => log.push('reset'),
    recover: () => log.push('recover'),
    clear: () => log.push('clear'),
  };
  const lazy = new LazyView(
    async () => {
      log.push('load');
      if (!answers.shift()) throw new Error('the server cannot be reached');
      return view;
    },
    () => log.push('failed'),
  );
  return { lazy, log };
}

test('a view is loaded when it is shown first, and shows the last request', async () => {
  const { lazy, log } = scripted();
  lazy.show(false);
  lazy.reset();
  lazy.recover();
  lazy.clear();
  assert.deepEqual(log, []);
  lazy.show('ana', 1);
  lazy.show('bea', 2);
  await settle();
  assert.deepEqual(log, ['load', 'show bea 2']);
  lazy.reset();
  lazy.show(false);
  assert.deepEqual(log.slice(2), ['reset', 'show false']);
});

test('a view that was left while it was loading stays hidden', async () => {
  const { lazy, log } = scripted();
  lazy.show(true);
  lazy.show(false);
  await settle();
  assert.deepEqual(log, ['load', 'show false']);
});

test('a failure is reported once the view is wanted, and the next click tries again', async () => {
  const { lazy, log } = scripted([false, false, true]);
  lazy.prefetch();
  await settle();
  assert.deepEqual(log, ['load']);
  lazy.show(true);
  await settle();
  assert.deepEqual(log, ['load', 'load', 'failed']);
  lazy.show(true);
  await settle();
  assert.deepEqual(log.slice(3), ['load', 'show true']);
});

test('a view that was fetched ahead is loaded once', async () => {
  const { lazy, log } = scripted();
  lazy.prefetch();
  lazy.prefetch();
  await settle();
  lazy.show(true);
  assert.deepEqual(log, ['load', 'show true']);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { handleUiMessage, REFUSED } from '../../extension/worker/ui_messages.js';

const TYPES = ['test', 'dead-letters', 'totals', 'requeue', 'discard', 'drain', 'retry-now', 'reinject'];

function scripted() {
  const calls = [];
  const handlers = Object.fromEntries(
    TYPES.map((type) => [
      type,
      async () => {
        calls.push(type);
        return `${type} answered`;
      },
    ]),
  );
  return { calls, handlers };
}

for (const type of TYPES) {
  test(`the message ${type} runs its handler alone`, async () => {
    const { calls, handlers } = scripted();
    assert.equal(await handleUiMessage(handlers, { type, more: 1 }), `${type} answered`);
    assert.deepEqual(calls, [type]);
  });
}

for (const message of [
  { type: 'look' },
  { type: 'revive' },
  { type: 'toString' },
  { type: '__proto__' },
  { type: 'constructor' },
  { type: ['test'] },
  { type: 7 },
  { type: '' },
  {},
  [],
  'test',
  0,
  null,
  undefined,
]) {
  test(`an unknown message is refused and runs nothing: ${JSON.stringify(message)}`, async () => {
    const { calls, handlers } = scripted();
    assert.deepEqual(await handleUiMessage(handlers, message), REFUSED);
    assert.deepEqual(calls, []);
  });
}

test('a handler that fails is an error and not a refusal', async () => {
  const { handlers } = scripted();
  const failing = { ...handlers, totals: () => Promise.reject(new Error('disk')) };
  await assert.rejects(handleUiMessage(failing, { type: 'totals' }), /disk/u);
});

test('the page and the extension create elements by the same code', () => {
  const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  assert.equal(read('extension/ui/element.js'), read('broadcast_service/dashboard/ui/element.js'));
});

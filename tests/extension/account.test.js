import assert from 'node:assert/strict';
import { createHmac, webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { loadContent } from './content.js';

const content = loadContent();
Object.assign(content, { crypto: webcrypto, TextEncoder });
const { accountMark } = content;

test('the mark is the keyed hash of platform and name, cut to 16 digits', async () => {
  const expected = createHmac('sha256', 'secret').update('chaturbate:alice').digest('hex').slice(0, 16);
  assert.equal(await accountMark('secret', 'chaturbate', 'Alice'), expected);
});

test('another key, platform or name is another mark', async () => {
  const marks = [
    ['k', 'chaturbate', 'alice'],
    ['l', 'chaturbate', 'alice'],
    ['k', 'stripchat', 'alice'],
    ['k', 'chaturbate', 'bob'],
  ];
  assert.equal(new Set(await Promise.all(marks.map((each) => accountMark(...each)))).size, 4);
});

test('without a key, or on a page without cryptography, there is no mark', async () => {
  assert.equal(await accountMark('', 'chaturbate', 'alice'), undefined);
  const insecure = loadContent();
  assert.equal(await insecure.accountMark('k', 'chaturbate', 'alice'), undefined);
});

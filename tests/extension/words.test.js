import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { manifest } from './content.js';

const root = new URL('../../extension/', import.meta.url);
const LANGUAGES = ['en', 'es', 'ro', 'pt_BR'];
const [en, ...others] = LANGUAGES.map((language) =>
  JSON.parse(readFileSync(new URL(`_locales/${language}/messages.json`, root), 'utf8')),
);
const [es] = others;
const sources = ['content', 'worker', 'ui'].flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, root)).map((name) => readFileSync(new URL(`${folder}/${name}`, root), 'utf8')),
);

for (const [index, other] of others.entries()) {
  test(`${LANGUAGES[index + 1]} says the same things as English, with the same values in them`, () => {
    assert.deepEqual(Object.keys(other), Object.keys(en));
    for (const [key, { message, placeholders }] of Object.entries(en)) {
      assert.deepEqual(other[key].placeholders, placeholders, key);
      assert.deepEqual(
        [...other[key].message.matchAll(/\$\w+\$/gu)].map(String).sort(),
        [...message.matchAll(/\$\w+\$/gu)].map(String).sort(),
        key,
      );
    }
  });

  test(`${LANGUAGES[index + 1]} translates everything that is not a name or a unit`, () => {
    const same = Object.keys(en).filter((key) => other[key].message === en[key].message);
    assert.deepEqual(
      same.filter((key) => !['name', 'hours', 'minutes', 'seconds', 'days', 'metric_tokens'].includes(key)),
      [],
    );
  });
}

test('a badge is short in every language', () => {
  for (const words of [en, ...others])
    for (const key of ['badge_setup', 'badge_refused', 'badge_connected']) assert.ok(words[key].message.length <= 5);
});

test('Spanish never asks for a “clave”, which is the password of a site', () => {
  assert.deepEqual(
    Object.entries(es)
      .filter(([, { message }]) => /\bclaves?\b/iu.test(message))
      .map(([key]) => key),
    [],
  );
});

test('every message is used, and every message asked for exists', () => {
  const used = new Set(
    sources.flatMap((source) => [...source.matchAll(/['"`]([a-z]\w+)(?:\$\{|['"`])/giu)].map(([, key]) => key)),
  );
  const families = ['field_', 'hint_', 'state_', 'detail_', 'metric_', 'status_', 'test_', 'badge_'];
  const isUsed = (key) =>
    used.has(key) ||
    families.some((family) => key.startsWith(family) && (used.has(family) || family === 'badge_')) ||
    key === 'description' ||
    key.startsWith('detail_buffering');
  assert.deepEqual(
    Object.keys(en).filter((key) => !isUsed(key)),
    [],
  );
  const asked = sources.flatMap((source) =>
    [...source.matchAll(/(?:(?<![\w.])t\('|data-text="|problem: ')(\w+)['"]/gu)].map(([, key]) => key),
  );
  assert.deepEqual(
    asked.filter((key) => !en[key]),
    [],
  );
});

test('the store takes the description', () => {
  for (const words of [en, ...others]) assert.ok(words.description.message.length <= 132);
});

test('the manifest asks for storage, alarms, scripting on the sites that it reads, and nothing more', () => {
  assert.deepEqual(manifest.permissions, ['storage', 'alarms', 'scripting']);
  assert.deepEqual(manifest.host_permissions, manifest.content_scripts[0].matches);
  assert.deepEqual(manifest.optional_host_permissions, ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*']);
  assert.deepEqual(manifest.content_scripts[0].js, [
    'content/parse.js',
    'content/adapters.js',
    'content/visibility.js',
    'content/reader.js',
    'content/stability.js',
    'content/account.js',
    'content/main.js',
  ]);
  for (const key of ['externally_connectable', 'web_accessible_resources', 'optional_permissions'])
    assert.ok(!(key in manifest), key);
});

test('the pages may load nothing from elsewhere and run no inline script', () => {
  const policy = manifest.content_security_policy.extension_pages;
  assert.match(
    policy,
    /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src https: /u,
  );
  assert.doesNotMatch(policy, /unsafe|data:/u);
});

test('nothing writes HTML, and nothing is logged', () => {
  for (const source of sources) assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|console\./u);
});

test('policy can set everything that a desk needs', () => {
  const schema = JSON.parse(readFileSync(new URL('managed_schema.json', root), 'utf8'));
  assert.deepEqual(Object.keys(schema.properties), [
    'studioCode',
    'roomId',
    'endpoint',
    'token',
    'goal',
    'roomName',
    'accountKey',
    'camsodaEnabled',
  ]);
});

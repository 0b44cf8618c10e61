import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { manifest } from './content.js';

const root = new URL('../../extension/', import.meta.url);
const [en, es] = ['en', 'es'].map((language) => JSON.parse(readFileSync(new URL(`_locales/${language}/messages.json`, root), 'utf8')));
const sources = ['content', 'worker', 'ui'].flatMap((folder) => readdirSync(new URL(`${folder}/`, root)).map((name) => readFileSync(new URL(`${folder}/${name}`, root), 'utf8')));

test('English and Spanish say the same things, with the same values in them', () => {
  assert.deepEqual(Object.keys(es), Object.keys(en));
  for (const [key, { message, placeholders }] of Object.entries(en)) {
    assert.deepEqual(es[key].placeholders, placeholders, key);
    assert.deepEqual([...es[key].message.matchAll(/\$\w+\$/gu)].map(String).sort(), [...message.matchAll(/\$\w+\$/gu)].map(String).sort(), key);
  }
});

test('every message is used, and every message asked for exists', () => {
  const used = new Set(sources.flatMap((source) => [...source.matchAll(/['"`]([a-z]\w+)(?:\$\{|['"`])/giu)].map(([, key]) => key)));
  const families = ['field_', 'hint_', 'state_', 'detail_', 'metric_', 'status_', 'test_'];
  const isUsed = (key) => used.has(key) || families.some((family) => key.startsWith(family) && used.has(family)) || key === 'description';
  assert.deepEqual(Object.keys(en).filter((key) => !isUsed(key)), []);
  const asked = sources.flatMap((source) => [...source.matchAll(/(?:say\('|data-text="|problem: ')(\w+)['"]/gu)].map(([, key]) => key));
  assert.deepEqual(asked.filter((key) => !en[key]), []);
});

test('the store takes the description', () => {
  assert.ok(en.description.message.length <= 132 && es.description.message.length <= 132);
});

test('the manifest asks for storage, alarms, three sites, and nothing more', () => {
  assert.deepEqual(manifest.permissions, ['storage', 'alarms']);
  assert.deepEqual(manifest.optional_host_permissions, ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*']);
  assert.deepEqual(manifest.content_scripts[0].js, ['content/parse.js', 'content/adapters.js', 'content/sight.js', 'content/reader.js', 'content/steady.js', 'content/account.js', 'content/main.js']);
  for (const key of ['host_permissions', 'externally_connectable', 'web_accessible_resources', 'optional_permissions']) assert.ok(!(key in manifest), key);
});

test('the pages may load nothing from elsewhere and run no inline script', () => {
  const policy = manifest.content_security_policy.extension_pages;
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src https: /u);
  assert.doesNotMatch(policy, /unsafe|data:/u);
});

test('nothing writes HTML, and nothing is logged', () => {
  for (const source of sources) assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|console\./u);
});

test('policy can set exactly what the form can', () => {
  const schema = JSON.parse(readFileSync(new URL('managed_schema.json', root), 'utf8'));
  assert.deepEqual(Object.keys(schema.properties), ['roomId', 'endpoint', 'token', 'goal']);
});

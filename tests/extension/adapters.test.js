import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadContent, manifest, plain } from './content.js';

const content = loadContent();
const adapters = plain(content.studioPulseAdapters);
const hypotheses = adapters.flatMap((adapter) => Object.values(adapter.metrics).flat());

test('every platform has a slug the wire contract takes, and a balance to read', () => {
  for (const { platform, metrics } of adapters) {
    assert.match(platform, /^[a-z0-9][a-z0-9_-]{0,31}$/u);
    assert.ok(metrics.tokens.length > 0 && metrics.viewers.length > 0);
  }
});

test('the manifest runs on the hosts of the adapters and on no other', () => {
  const domains = adapters.flatMap(({ hosts }) => hosts);
  const matched = manifest.content_scripts[0].matches.map(
    (pattern) => /^https:\/\/(?:\*\.)?([a-z.]+)\/\*$/u.exec(pattern)[1],
  );
  assert.deepEqual(matched, domains);
});

test('hypotheses have ids of their own within a metric, bounds that fit the contract, and a verification day or none', () => {
  for (const { metrics } of adapters) {
    for (const ranked of Object.values(metrics)) assert.equal(new Set(ranked.map(({ id }) => id)).size, ranked.length);
  }
  for (const { pick, min, max, verifiedOn } of hypotheses) {
    assert.ok(['first', 'only'].includes(pick) && min >= 0 && min < max && max <= 2 ** 32 - 2);
    assert.ok(verifiedOn === null || /^\d{4}-\d{2}-\d{2}$/u.test(verifiedOn));
  }
});

test('every hypothesis names its public source and when that was written, and each platform without any is off', () => {
  for (const { platform, metrics, ownPage, enabledBy } of adapters) {
    assert.ok(ownPage.evidence);
    for (const { id, evidence, evidenceOn } of Object.values(metrics).flat()) {
      assert.ok(evidence.length >= 10 && /^20\d\d(?:-\d\d){0,2}$/u.test(evidenceOn), `${platform} ${id}`);
      if (evidence.startsWith('none')) assert.ok(enabledBy, `${platform} ${id} is read without any evidence`);
    }
  }
  assert.deepEqual(
    adapters.filter(({ enabledBy }) => enabledBy).map(({ platform }) => platform),
    ['camsoda'],
  );
});

test('a balance has a shape of its own and is never a rounded number; tips are not read', () => {
  for (const { metrics } of adapters) {
    for (const { shape, compact } of metrics.tokens)
      assert.ok(shape.startsWith('^N') && shape.endsWith('$') && !compact);
    assert.ok(!('tips' in metrics));
  }
});

test('no selector leans on words or on attributes that a build makes', () => {
  for (const { css } of hypotheses) assert.doesNotMatch(css, /\[ts=|contains|title=|aria-label/u);
});

for (const [host, platform] of [
  ['chaturbate.com', 'chaturbate'],
  ['www.chaturbate.com', 'chaturbate'],
  ['testbed.cb.dev', 'chaturbate'],
  ['es.stripchat.com', 'stripchat'],
  ['www.mywebcamroom.com', 'stripchat'],
  ['notmywebcamroom.com', undefined],
  ['www.camsoda.com', 'camsoda'],
  ['evilchaturbate.com', undefined],
  ['chaturbate.com.evil.example', undefined],
  ['', undefined],
]) {
  test(`${host || 'no host'} belongs to ${platform ?? 'no platform'}`, () => {
    assert.equal(content.adapterForHost(host)?.platform, platform);
  });
}

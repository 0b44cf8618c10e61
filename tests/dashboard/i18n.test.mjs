import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../../broadcast_service/dashboard/i18n/en.js';
import { es } from '../../broadcast_service/dashboard/i18n/es.js';
import { chooseLanguage, chooseLocale, I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';

test('both languages say the same things with the same blanks', () => {
  const blanks = (/** @type {any} */ words) =>
    Object.fromEntries(
      Object.entries(words).map(([name, text]) => [
        name,
        [...new Set(JSON.stringify(text).match(/\{\w+\}/gu) ?? [])].sort(),
      ]),
    );
  assert.deepEqual(blanks(es), blanks(en));
});

test('the view of the rooms, the link and a room on air have a word each', () => {
  for (const words of [en, es]) assert.equal(new Set([words.rooms_title, words.link_live, words.status_live]).size, 3);
});

test('the first language we speak wins', () => {
  assert.equal(chooseLanguage(['fr', 'es-MX', 'en']), 'es');
  assert.equal(chooseLanguage(['fr']), 'en');
});

test('a regional variant decides how numbers look', () => {
  assert.equal(new I18n('es', ['es-MX']).number(12_345), '12,345');
  assert.equal(new I18n('es', ['es-CO']).number(12_345), '12.345');
});

test('plurals and unknown numbers are spelled out', () => {
  const i18n = new I18n('en');
  assert.equal(i18n.t('shown', { count: 1 }), '1 room');
  assert.equal(i18n.t('shown', { count: 1200 }), '1,200 rooms');
  assert.equal(i18n.number(null), '—');
});

test('a time that ends in a dot needs no second one', () => {
  assert.equal(new I18n('es').t('expiring', { time: '10:52 p. m.' }), 'Tu acceso vence a las 10:52 p. m.');
});

test('ages are written in the unit a person would use', () => {
  const i18n = new I18n('en');
  assert.deepEqual(
    [0.4, 3, 90, 7200, 200_000].map((age) => i18n.age(age)),
    ['now', '3\u00a0sec\u00a0ago', '1\u00a0min\u00a0ago', '2\u00a0hr\u00a0ago', '2\u00a0days\u00a0ago'], // never broken
  );
});

const ODD_TAGS = [
  'en-US@posix',
  'en_US.UTF-8',
  'en_US',
  'en-',
  'en-GB-oed',
  'en-x',
  'en-u',
  'en-US-u-ca',
  'en--US',
  'EN',
  'en-US-US-US',
  'en.UTF-8',
  'C',
  '',
  '*',
  'x',
  'i-klingon',
  '\u0000',
  'de-DE',
];
for (const tag of ODD_TAGS) {
  test(`a browser whose language is ${JSON.stringify(tag)} gets words and numbers`, () => {
    assert.equal(new I18n(chooseLanguage([tag]), [tag]).number(12_345), '12,345');
    assert.equal(new I18n('es', [tag, 'es-CO']).number(12_345), '12.345');
  });
}

test('a tag that Intl refuses still chooses the language and as much of the region as can be understood', () => {
  assert.equal(chooseLanguage(['es_CO.UTF-8', 'en']), 'es');
  assert.equal(chooseLocale('es', ['es_CO.UTF-8']), 'es-CO');
  assert.equal(chooseLocale('en', ['en-GB-oed']), 'en-GB');
  assert.equal(chooseLocale('es', ['en-US@posix', 'es-MX']), 'es-MX');
});

test('languages that are no list of texts mean English', () => {
  for (const wanted of /** @type {any[]} */ ([undefined, null, 'es', [null, 3], []])) {
    assert.equal(chooseLanguage(wanted), 'en');
    assert.equal(chooseLocale('en', wanted), 'en');
  }
});

test('a time that no clock can show is a dash and not an exception', () => {
  const i18n = new I18n('en');
  for (const { format } of [i18n.clock, i18n.hour, i18n.moment, i18n.weekday, i18n.weekdayName].map((times) => ({
    format: (/** @type {number} */ ms) => times.format(ms),
  }))) {
    for (const ms of [NaN, Infinity, 1e18, -1e18]) assert.equal(format(ms), '—');
  }
});

test('Spanish shortens numbers in one way at every size', () => {
  const i18n = new I18n('es', ['es-CO']);
  const said = [0, 250, 1000, 2500, 30_000, 1_250_000, 4_295_104_354, 2_147_483_647_000].map((value) =>
    i18n.short(value).replace(/\u00a0/gu, ' '),
  );
  assert.deepEqual(said, ['0', '250', '1 mil', '2,5 mil', '30 mil', '1,25 M', '4,3 mil M', '2,15 B']);
  assert.equal(new I18n('en').short(30_000), '30K');
});

test('numbers along an axis are short, and never two alike', () => {
  const i18n = new I18n('es', ['es-CO']);
  assert.deepEqual(
    i18n.axis([0, 10_000, 20_000]).map((words) => words.replace(/\u00a0/gu, ' ')),
    ['0', '10 mil', '20 mil'],
  );
  assert.deepEqual(i18n.axis([4_294_966_000, 4_294_967_000]), ['4.294.966.000', '4.294.967.000']);
  for (const ticks of [
    [999_000, 1_000_000, 1_001_000],
    [1_250_000, 1_500_000],
    [0, 1, 2],
    [123_456_000, 123_457_000],
  ]) {
    for (const language of /** @type {const} */ (['es', 'en']))
      assert.equal(new Set(new I18n(language).axis(ticks)).size, ticks.length);
  }
});

test('money is whole, or has two decimals', () => {
  const spanish = new I18n('es', ['es-CO']);
  const texts = [6.3, 20.75, 50, 222.4, 0].map((amount) => spanish.money({ code: 'USD', amount }).replace(/\s/gu, ' '));
  assert.deepEqual(texts, ['US$ 6,30', 'US$ 20,75', 'US$ 50', 'US$ 222', 'US$ 0']);
});

test('the locale of the studio comes before those of the browser, in its own language', () => {
  assert.equal(new I18n('es', ['es-CO', 'es-419']).number(537_027), '537.027');
  assert.equal(new I18n('en', ['es-CO', 'en-US']).number(537_027), '537,027');
});

test('a time on air is in hours and minutes, and from 100 hours on in hours', () => {
  const [es, en] = [new I18n('es', ['es-CO']), new I18n('en', ['en-US'])];
  assert.deepEqual(
    [0, 0.7, 1, 4.2, 83.6, 99.999, 3016.9].map((hours) => es.hours(hours).replaceAll('\u00a0', ' ')),
    ['0 min', '42 min', '1 h', '4 h 12 min', '83 h 36 min', '100 h', '3.017 h'],
  );
  assert.equal(en.hours(1.5), '1\u00a0hr\u00a030\u00a0min');
});

test('no line ends between a number and what it counts, or within the time that is left', () => {
  for (const language of /** @type {const} */ (['en', 'es'])) {
    const i18n = new I18n(language);
    for (const key of /** @type {const} */ (['kpi_live_of', 'kpi_live_stale', 'kpi_live_off', 'kpi_live_unconfirmed']))
      assert.doesNotMatch(i18n.t(key, { count: 12 }), /12 /u, key);
    assert.doesNotMatch(i18n.t('kpi_live_off', { count: 12 }), / /u);
    const left = i18n.t('shift_and_left', { words: 'Night:', left: i18n.left(8000) });
    assert.equal(left.split(' ').length, 2, left);
    assert.doesNotMatch(i18n.t('retry_in', { seconds: 7 }), / /u);
    assert.match(i18n.t('wall_pace'), /^▲▼\u00a0/u);
  }
});

test('the view, the link and a room on air have a word each', () => {
  for (const words of [en, es]) assert.equal(new Set([words.rooms_title, words.link_live, words.status_live]).size, 3);
});

test('no line ends within a time of day, and a weekday comes before its date', () => {
  const at = Date.UTC(2026, 10, 27, 6, 29);
  const es = new I18n('es', ['es-CO'], 'America/Bogota');
  assert.match(es.moment.format(at), /1:29\u00a0a\.\u00a0m\.$/u);
  assert.equal(es.weekday.format(at), 'vie 27');
  assert.equal(new I18n('en', ['en-US'], 'America/Bogota').weekday.format(at), 'Fri 27');
  assert.equal(es.weekday.format(Number.NaN), '—');
});

test('a time zone has a name in words, and keeps its identifier where it has none', () => {
  const [es, en] = [new I18n('es', ['es-CO']), new I18n('en', ['en-US'])];
  assert.match(es.zoneName('America/Bogota'), /^hora .*Colombia$/u);
  assert.match(en.zoneName('America/New_York'), /Eastern/u);
  assert.equal(en.zoneName('Etc/GMT+5'), 'Etc/GMT+5');
});

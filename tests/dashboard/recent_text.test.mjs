/** Leaders, sums of groups and colours say how many of their minutes are recorded. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { I18n } from '../../broadcast_service/dashboard/i18n/i18n.js';
import { Coverage } from '../../broadcast_service/dashboard/state/coverage.js';
import { measuredOf, measuredWords } from '../../broadcast_service/dashboard/ui/recent_text.js';

const MINUTE = 30_000_000;
const AT = MINUTE * 60_000 + 20_000;
const [EN, ES] = [new I18n('en'), new I18n('es', ['es-CO'])];
/** A store of which some of the last minutes were measured. @param {number[]} ago minutes before now @returns {any} */
function storeWith(ago) {
  const coverage = new Coverage(200);
  for (const minutes of ago) coverage.mark(MINUTE - minutes);
  return { coverageOfFeeds: coverage };
}
const whole = Array.from({ length: 60 }, (_, i) => i);

test('where the minutes are whole, nothing is said of them', () => {
  const store = storeWith(whole);
  assert.equal(measuredOf(store, AT, 60), 60);
  assert.equal(measuredWords('leaders_hint', 60, store, AT, EN), 'tokens in the last 60 min');
  assert.equal(measuredWords('group_sum', 60, store, AT, ES, { amount: 1200 }), '1.200 tokens en la última hora');
  assert.equal(measuredOf(storeWith(whole.slice(1)), AT, 60), 60); // the current minute is on its way
});

test('after an outage the figure says how many minutes it is of', () => {
  const store = storeWith(whole.filter((minutes) => minutes < 7 || minutes > 40));
  assert.equal(measuredOf(store, AT, 60), 26);
  assert.equal(
    measuredWords('group_sum', 60, store, AT, ES, { amount: 5 }),
    '5 tokens en la última hora, 26 min con registro',
  );
  assert.match(measuredWords('leaders_hint', 60, store, AT, ES), /60 min, 26 con registro$/u);
  assert.match(measuredWords('heat_hint', 30, store, AT, EN), /last 30 minutes, 7 recorded\.$/u);
});

test('of minutes of which none is recorded nothing is claimed, neither an amount nor none', () => {
  const store = storeWith([70]);
  assert.equal(measuredOf(store, AT, 60), 0);
  assert.equal(measuredWords('group_sum', 60, store, AT, EN, { amount: 0 }), 'last hour not recorded');
  assert.match(measuredWords('leaders_hint', 60, store, AT, EN), /not recorded/u);
  assert.match(measuredWords('heat_hint', 30, store, AT, ES), /no se sabe/u);
});

import { livePlatforms } from '../worker/status.js';
import { showForm } from './form.js';
import { at, element, moment, say, show, speak } from './page.js';
import { inOrder, labelOf, showGoalHint, showStatus, valueOf, watch } from './view.js';

speak();
document.title = say('optionsTitle');
at('version').textContent = say('version', chrome.runtime.getManifest().version);
await showForm(at('form'));
await watch((view) => {
  showStatus(at('status'), view);
  showGoalHint(view);
  showReadingsTable(view);
  void showDeadLetters(view.board.dead);
});

/** @param {import('./view.js').View} view */
function showReadingsTable({ board, now }) {
  const rows = livePlatforms(board, now).flatMap(([platform, { metrics }]) =>
    inOrder(metrics).map(([name, reading]) => element('tr', {},
      element('th', { scope: 'row' }, `${labelOf(platform)}: ${name === 'goal' ? say('goalOnPage') : say(`metric_${name}`)}`),
      element('td', {}, ...valueOf(reading)),
      element('td', {}, element('code', {}, reading.via ?? '')))));
  show(at('readings'), [rows.length === 0
    ? element('p', { class: 'muted' }, say('readingsNone'))
    : table(['column_metric', 'column_value', 'column_how'], rows)]);
}

/** @param {number} dead how many there are */
async function showDeadLetters(dead) {
  if (dead === 0) return show(at('dead'), [element('p', { class: 'muted' }, say('deadNone'))]);
  const letters = /** @type {DeadLetter[] | null} */ (await chrome.runtime.sendMessage({ type: 'dead-letters' }));
  const rows = (letters ?? []).map(({ at: when, status, detail, body }) => element('tr', {},
    element('td', {}, moment(when)),
    element('td', {}, `${labelOf(body.platform)}, ${body.room_id}`),
    element('td', {}, `${status}: ${detail}`)));
  return show(at('dead'), [element('p', {}, say('deadExplained')),
    element('div', { class: 'actions' }, button('tryAgain', 'revive'), button('discard', 'discard')),
    table(['column_when', 'field_roomId', 'column_why'], rows)]);
}

/** @param {string} words @param {string} type */
function button(words, type) {
  const made = element('button', { type: 'button' }, say(words));
  made.addEventListener('click', () => chrome.runtime.sendMessage({ type }));
  return made;
}

/** @param {string[]} columns @param {HTMLElement[]} rows */
function table(columns, rows) {
  const headings = columns.map((column) => element('th', { scope: 'col' }, say(column)));
  return element('table', {}, element('thead', {}, element('tr', {}, ...headings)), element('tbody', {}, ...rows));
}

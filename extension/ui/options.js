import { loadSettings } from '../worker/config.js';
import { connectionOf, livePlatforms } from '../worker/status.js';
import { element } from './element.js';
import { renderForm } from './form.js';
import { at, count, moment, show, t, translate } from './page.js';
import { inOrder, labelOf, readingNodes, reportCodes, showGoalHint, showStatus, watch } from './view.js';

translate();
document.title = t('optionsTitle');
at('version').textContent = t('version', chrome.runtime.getManifest().version);
await renderForm(at('form'));
await showCamsoda();
/** @type {import('./view.js').View | undefined} */
let newest;
await watch((view) => {
  newest = view;
  showStatus(at('status'), view);
  showGoalHint(view);
  showReadingsTable(view);
  void showDeadLetters(view.board.dead);
  void showTotals(view.board);
});
at('diagnosis').addEventListener('click', async () => {
  if (!newest) return;
  await navigator.clipboard.writeText(diagnosis(newest));
  at('copied').textContent = t('copied');
});

/** A platform whose reading was never checked on a live page is off until the broadcaster or the studio switches it on. */
async function showCamsoda() {
  const box = /** @type {HTMLInputElement} */ (at('camsoda'));
  const { settings } = await loadSettings();
  box.checked = settings.camsodaEnabled === true;
  box.disabled = 'camsodaEnabled' in (await chrome.storage.managed.get('camsodaEnabled').catch(() => ({})));
  box.addEventListener('change', async () => {
    const { settings: own = {} } = /** @type {{ settings?: Partial<Settings> }} */ (
      await chrome.storage.local.get('settings')
    );
    await chrome.storage.local.set({ settings: { ...own, camsodaEnabled: box.checked } });
  });
}

/** @param {StatusBoard} board */
async function showTotals({ buffered, held, dead, dropped }) {
  const totals = /** @type {{ read: number, delivered: number } | null} */ (
    await chrome.runtime.sendMessage({ type: 'totals' }).catch(() => null)
  );
  if (totals)
    at('totals').textContent = t(
      'totals',
      ...[totals.read, totals.delivered, buffered + held, dead, dropped].map(count),
    );
}

/** For the studio, without key, address, account and room. @param {import('./view.js').View} view */
function diagnosis({ board, now }) {
  const { buffered, held, dead, dropped, lost, failure, refusal, offsetMs, withheld, lastOkAt, platforms } = board;
  const seen = Object.entries(platforms).map(([platform, { metrics, asleep, readAt }]) => ({
    platform,
    asleep,
    age_ms: now - readAt,
    metrics: inOrder(metrics).map(([name, { status, via }]) => `${name} ${status} ${via ?? ''}`.trim()),
  }));
  return JSON.stringify(
    {
      version: chrome.runtime.getManifest().version,
      browser: navigator.userAgent,
      at: new Date(now).toISOString(),
      state: connectionOf(board, now),
      codes: reportCodes(board, now),
      last_ok_ms: lastOkAt ? now - lastOkAt : null,
      buffered,
      held,
      dead,
      dropped,
      lost,
      failure,
      refusal,
      offset_ms: offsetMs,
      withheld,
      pages: seen,
    },
    null,
    1,
  );
}

/** @param {import('./view.js').View} view */
function showReadingsTable({ board, now }) {
  const rows = livePlatforms(board, now).flatMap(([platform, { metrics }]) =>
    inOrder(metrics).map(([name, reading]) =>
      element(
        'tr',
        {},
        element(
          'th',
          { scope: 'row' },
          `${labelOf(platform)}: ${name === 'goal' ? t('goalOnPage') : t(`metric_${name}`)}`,
        ),
        element('td', { class: 'value' }, ...readingNodes(reading)),
        element('td', {}, element('code', {}, reading.via ?? '')),
      ),
    ),
  );
  show(at('readings'), [
    rows.length === 0
      ? element('p', { class: 'muted' }, t('readingsNone'))
      : element(
          'div',
          { class: 'scroll', tabindex: '0' },
          table(['column_metric', 'column_value', 'column_how'], rows),
        ),
  ]);
}

/** @param {number} dead how many there are */
async function showDeadLetters(dead) {
  if (dead === 0) return show(at('dead'), [element('p', { class: 'muted' }, t('deadNone'))]);
  const letters = /** @type {DeadLetter[] | null} */ (await chrome.runtime.sendMessage({ type: 'dead-letters' }));
  const rows = (letters ?? []).map(({ at: when, status, detail, body }) =>
    element(
      'tr',
      {},
      element('td', {}, moment(when)),
      element('td', {}, `${labelOf(body.platform)}, ${body.room_id}`),
      element('td', {}, `${status}: ${detail}`),
    ),
  );
  return show(at('dead'), [
    element('p', {}, t('deadExplained')),
    element('div', { class: 'actions' }, button('tryAgain', 'requeue'), button('discard', 'discard')),
    table(['column_when', 'field_roomId', 'column_why'], rows),
  ]);
}

/** @param {string} words @param {string} type */
function button(words, type) {
  const made = element('button', { type: 'button' }, t(words));
  made.addEventListener('click', () => chrome.runtime.sendMessage({ type }));
  return made;
}

/** @param {string[]} columns @param {HTMLElement[]} rows */
function table(columns, rows) {
  const headings = columns.map((column) => element('th', { scope: 'col' }, t(column)));
  return element('table', {}, element('thead', {}, element('tr', {}, ...headings)), element('tbody', {}, ...rows));
}

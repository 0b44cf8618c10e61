import { loadSettings } from '../worker/config.js';
import { renderForm } from './form.js';
import { at, translate } from './page.js';
import { showGoalHint, showReadings, showShift, showStatus, watch } from './view.js';

translate();
at('all-settings').addEventListener('click', () => chrome.runtime.openOptionsPage());
at('pause').addEventListener('click', () => chrome.storage.local.set({ pausedAt: Date.now() }));
await renderForm(at('form'));
at('settings').toggleAttribute('open', !(await loadSettings().catch(() => ({ isComplete: true }))).isComplete);
// A person is looking: what waits for a later try is tried now.
void chrome.runtime.sendMessage({ type: 'retry-now' }).catch(() => {});
addEventListener('online', () => void chrome.runtime.sendMessage({ type: 'retry-now' }).catch(() => {}));
await watch((view) => {
  showStatus(at('status'), view);
  showShift(at('shift'), view);
  showReadings(at('readings'), view);
  showGoalHint(view);
  at('pause').hidden = !view.board.configured || view.board.pausedAt !== null;
});

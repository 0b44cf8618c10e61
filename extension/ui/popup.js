import { loadSettings } from '../worker/config.js';
import { showForm } from './form.js';
import { at, speak } from './page.js';
import { showGoalHint, showReadings, showStatus, watch } from './view.js';

speak();
at('all-settings').addEventListener('click', () => chrome.runtime.openOptionsPage());
await showForm(at('form'));
at('settings').toggleAttribute('open', !(await loadSettings()).isComplete);
await watch((view) => {
  showStatus(at('status'), view);
  showReadings(at('readings'), view);
  showGoalHint(view);
});

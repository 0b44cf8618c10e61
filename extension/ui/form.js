/**
 * The settings form of popup and options page. The key goes from its field to the extension's own storage and is never
 * shown again; what the studio's policy has set is shown read-only.
 */
import { checkSettings, loadSettings, permissionFor } from '../worker/config.js';
import { element, say } from './page.js';

/** @type {{ name: SettingName, attributes: Record<string, string> }[]} */
const FIELDS = [
  { name: 'roomId', attributes: { type: 'text', required: '', maxlength: '64', autocapitalize: 'none' } },
  { name: 'endpoint', attributes: { type: 'text', required: '', inputmode: 'url', autocapitalize: 'none' } },
  { name: 'token', attributes: { type: 'password', required: '' } },
  { name: 'goal', attributes: { type: 'text', inputmode: 'numeric' } },
];

/** @param {Element} parent */
export async function showForm(parent) {
  const form = element('form', { novalidate: '' }, ...FIELDS.map(fieldFor),
    element('div', { class: 'foot' },
      element('div', { class: 'actions' },
        element('button', { type: 'submit', class: 'primary' }, say('save')),
        element('button', { type: 'button', id: 'test' }, say('test'))),
      element('p', { role: 'status', class: 'outcome', id: 'outcome' })));
  parent.replaceChildren(form);
  await fill(form);
  let isEdited = false;
  form.addEventListener('input', () => { isEdited = true; });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!await save(form)) return;
    isEdited = false;
    await test(form, `${say('saved')} `);
  });
  input(form, 'test').addEventListener('click', () => (isEdited ? form.requestSubmit() : test(form, '')));
}

/**
 * Asked for inside a click, as Chrome demands. The popup may close under the question: everything is saved by then.
 *
 * @param {string} endpoint
 */
export const requestAccess = (endpoint) => chrome.permissions.request(permissionFor(endpoint)).catch(() => false);

/** @param {(typeof FIELDS)[number]} field */
function fieldFor({ name, attributes }) {
  return element('div', { class: 'field' },
    element('label', { for: name }, say(`field_${name}`)),
    element('input', {
      id: name, name, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': `${name}-problem ${name}-hint`, ...attributes,
    }),
    element('p', { class: 'problem', id: `${name}-problem` }),
    element('p', { class: 'hint', id: `${name}-hint` }, say(`hint_${name}`)));
}

/** @param {HTMLFormElement} form */
async function fill(form) {
  const { settings, locked } = await loadSettings();
  for (const { name } of FIELDS) {
    const field = input(form, name);
    field.value = name === 'token' ? '' : String(settings[name] ?? '');
    field.readOnly = locked.includes(name);
    if (field.readOnly) tell(form, `${name}-hint`, say('byPolicy'));
    else if (name === 'token' && settings.token !== '') tell(form, 'token-hint', say('tokenSaved'));
  }
}

/** @param {HTMLFormElement} form @returns {Promise<boolean>} */
async function save(form) {
  const before = await loadSettings();
  const typed = Object.fromEntries(FIELDS.map(({ name }) => [name, input(form, name).value]));
  const token = typed.token?.trim() || before.settings.token;
  const { settings, problems } = checkSettings({ ...typed, token }, Date.now());
  showProblems(form, problems);
  if (Object.keys(problems).length > 0) return false;
  const own = Object.fromEntries(Object.entries(settings).filter(([name]) => !before.locked.includes(/** @type {SettingName} */ (name))));
  await chrome.storage.local.set({ settings: own });
  await requestAccess(settings.endpoint);
  await fill(form);
  return true;
}

/** @param {HTMLFormElement} form @param {Partial<Record<SettingName, string>>} problems */
function showProblems(form, problems) {
  tell(form, 'outcome', '');
  for (const { name } of FIELDS) {
    const problem = problems[name];
    tell(form, `${name}-problem`, problem ? say(problem) : '');
    input(form, name).setAttribute('aria-invalid', String(problem !== undefined));
  }
  const first = FIELDS.find(({ name }) => problems[name] !== undefined);
  if (first) input(form, first.name).focus();
}

/** @param {HTMLFormElement} form @param {string} prefix */
async function test(form, prefix) {
  tell(form, 'outcome', prefix + say('testing'));
  const result = await chrome.runtime.sendMessage({ type: 'test' });
  const { outcome, status } = result ?? { outcome: 'unreachable', status: 0 };
  const line = input(form, 'outcome');
  line.dataset.tone = outcome === 'ok' ? 'good' : 'bad';
  tell(form, 'outcome', prefix + say(`test_${outcome}`, status));
}

/** @param {HTMLFormElement} form @param {string} id */
const input = (form, id) => /** @type {HTMLInputElement} */ (form.querySelector(`#${id}`));

/** @param {HTMLFormElement} form @param {string} id @param {string} text */
const tell = (form, id, text) => { input(form, id).textContent = text; };

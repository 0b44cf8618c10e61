/**
 * The settings form of popup and options page. One thing is pasted: the studio's code. The key goes from its field to the
 * extension's own storage and is never shown again; what the studio's policy has set is shown read-only.
 */
import { checkSettings, loadSettings, permissionFor, readPasted, UNSET } from '../worker/config.js';
import { roomIdOf } from '../worker/rooms.js';
import { looksLikeCode } from '../worker/studio-code.js';
import { element } from './element.js';
import { t } from './page.js';

/** @type {{ name: SettingName, attributes: Record<string, string> }[]} */
const FIELDS = [
  { name: 'roomId', attributes: { type: 'text', required: '', maxlength: '64', autocapitalize: 'none' } },
  { name: 'endpoint', attributes: { type: 'text', required: '', inputmode: 'url', autocapitalize: 'none' } },
  { name: 'token', attributes: { type: 'password', required: '' } },
  { name: 'goal', attributes: { type: 'text', inputmode: 'numeric' } },
];
/** @type {SettingName[]} */
const PLACES = ['roomId', 'endpoint', 'token'];

/** @param {Element} parent */
export async function renderForm(parent) {
  const [room, endpoint, token, goal] = FIELDS.map(fieldFor);
  const form = element(
    'form',
    { novalidate: '' },
    codeField(),
    element(
      'details',
      { id: 'by-hand' },
      element('summary', {}, t('byHand')),
      element('div', { class: 'fields' }, ...fields([room, endpoint, token, goal])),
    ),
    element(
      'div',
      { class: 'foot' },
      element(
        'div',
        { class: 'actions' },
        element('button', { type: 'submit', class: 'primary' }, t('save')),
        element('button', { type: 'button', id: 'test' }, t('test')),
      ),
      element('p', { role: 'status', class: 'outcome', id: 'outcome' }),
    ),
  );
  parent.replaceChildren(form);
  await fill(form);
  input(form, 'code').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  let isEdited = false;
  form.addEventListener('input', () => {
    isEdited = true;
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!(await save(form))) return;
    isEdited = false;
    await test(form, `${t('saved')} `);
  });
  input(form, 'test').addEventListener('click', () => (isEdited ? form.requestSubmit() : test(form, '')));
}

/** @param {(HTMLElement | undefined)[]} made @returns {HTMLElement[]} */
const fields = (made) => made.flatMap((each) => (each ? [each] : []));

/** A text area keeps the lines of pasted text; an input would join them. */
const codeField = () =>
  element(
    'div',
    { class: 'field', id: 'code-field' },
    element('label', { for: 'code' }, t('field_code')),
    element('textarea', {
      id: 'code',
      name: 'code',
      rows: '2',
      autocomplete: 'off',
      spellcheck: 'false',
      autocapitalize: 'none',
      placeholder: 'pulse1_…',
      'aria-describedby': 'code-problem code-hint',
    }),
    element('p', { class: 'problem', id: 'code-problem' }),
    element('p', { class: 'hint', id: 'code-hint' }, t('hint_code')),
  );

/**
 * Asked for inside a click, as Chrome demands. The popup may close under the question: everything is saved by then.
 *
 * @param {string} endpoint
 */
export const requestAccess = (endpoint) => chrome.permissions.request(permissionFor(endpoint)).catch(() => false);

/** @param {(typeof FIELDS)[number]} field */
function fieldFor({ name, attributes }) {
  return element(
    'div',
    { class: 'field' },
    element('label', { for: name }, t(`field_${name}`)),
    element('input', {
      id: name,
      name,
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-describedby': `${name}-problem ${name}-hint`,
      ...attributes,
    }),
    element('p', { class: 'problem', id: `${name}-problem` }),
    element('p', { class: 'hint', id: `${name}-hint` }, t(`hint_${name}`)),
  );
}

/** @param {HTMLFormElement} form */
async function fill(form) {
  const { settings, locked } = await loadSettings().catch(() => ({
    settings: UNSET,
    locked: /** @type {SettingName[]} */ ([]),
  }));
  input(form, 'code').value = '';
  const isAllSet = PLACES.every((name) => locked.includes(name));
  input(form, 'code-field').hidden = isAllSet;
  if (isAllSet) input(form, 'by-hand').toggleAttribute('open', true);
  if (settings.token !== '' && !isAllSet) setText(form, 'code-hint', t('codeSaved'));
  for (const { name } of FIELDS) {
    const field = input(form, name);
    field.value = name === 'token' ? '' : shown(settings, name);
    field.readOnly = locked.includes(name);
    if (field.readOnly) setText(form, `${name}-hint`, t('byPolicy'));
    else if (name === 'token' && settings.token !== '') setText(form, 'token-hint', t('tokenSaved'));
    else if (name === 'roomId' && field.value !== settings.roomId)
      setText(form, 'roomId-hint', t('hint_roomIdPlain', settings.roomId));
  }
}

/** A room is shown as people write it. @param {Settings} settings @param {SettingName} name */
const shown = (settings, name) =>
  String(
    (name === 'roomId' && settings.roomName && roomIdOf(settings.roomName) === settings.roomId
      ? settings.roomName
      : settings[name]) ?? '',
  );

/** @param {HTMLFormElement} form @returns {Promise<boolean>} */
async function save(form) {
  const [before, { settings: stored = {} }] = await Promise.all([
    loadSettings(),
    /** @type {Promise<{ settings?: Partial<Settings> }>} */ (chrome.storage.local.get('settings')),
  ]);
  const pasted = input(form, 'code').value;
  const fromCode = readPasted(pasted) ?? {};
  const isUnread = pasted.trim() !== '' && Object.keys(fromCode).length === 0;
  showProblem(form, 'code', isUnread ? (looksLikeCode(pasted) ? 'problemCodeHalf' : 'problemCode') : undefined);
  if (isUnread) {
    showProblems(form, {});
    input(form, 'code').focus();
    return false;
  }
  const typed = { ...typedByHand(form), ...fromCode };
  const { settings, problems } = checkSettings({ ...typed, token: typed.token || before.settings.token }, Date.now());
  if (!typed.token && !problems.token && isElsewhere(before.settings.endpoint, settings.endpoint))
    problems.token = 'problemTokenAnew';
  showProblems(form, problems);
  if (Object.keys(problems).length > 0) return false;
  const roomName = fromCode.roomName ?? String(typed.roomId ?? '').trim();
  const own = Object.fromEntries(
    Object.entries(settings).filter(([name]) => !before.locked.includes(/** @type {SettingName} */ (name))),
  );
  const { camsodaEnabled, accountKey = fromCode.accountKey } = stored;
  await chrome.storage.local.set({
    settings: {
      ...own,
      ...(roomName !== settings.roomId && { roomName }),
      ...(accountKey !== undefined && { accountKey: fromCode.accountKey ?? accountKey }),
      ...(camsodaEnabled !== undefined && { camsodaEnabled }),
    },
  });
  setText(form, 'outcome', `${t('saved')} ${t('asking')}`);
  await requestAccess(settings.endpoint);
  await fill(form);
  return true;
}

/** The values of the fields; a link or a line pasted into one of them is split into its parts. @param {HTMLFormElement} form */
function typedByHand(form) {
  const typed = Object.fromEntries(FIELDS.map(({ name }) => [name, input(form, name).value]));
  const [fromToken, fromEndpoint] = [readPasted(typed.token ?? ''), readPasted(typed.endpoint ?? '')];
  const token = fromToken?.token ?? fromEndpoint?.token ?? typed.token?.trim() ?? '';
  return {
    ...typed,
    roomId: typed.roomId?.trim() || fromToken?.roomId || fromEndpoint?.roomId || '',
    endpoint: fromEndpoint?.token ? (fromEndpoint.endpoint ?? '') : typed.endpoint?.trim() || fromToken?.endpoint || '',
    token,
  };
}

/** A saved key is never sent to a server that it was not given for. @param {string} before @param {string} after */
const isElsewhere = (before, after) =>
  URL.canParse(before) && URL.canParse(after) && new URL(before).origin !== new URL(after).origin;

/** @param {HTMLFormElement} form @param {Partial<Record<SettingName, string>>} problems */
function showProblems(form, problems) {
  setText(form, 'outcome', '');
  for (const { name } of FIELDS) showProblem(form, name, problems[name]);
  const first = FIELDS.find(({ name }) => problems[name] !== undefined);
  if (!first) return;
  input(form, 'by-hand').toggleAttribute('open', true);
  input(form, first.name).focus();
}

/** @param {HTMLFormElement} form @param {string} name @param {string | undefined} problem */
function showProblem(form, name, problem) {
  setText(form, `${name}-problem`, problem ? t(problem) : '');
  input(form, name).setAttribute('aria-invalid', String(problem !== undefined));
}

/** @param {HTMLFormElement} form @param {string} prefix */
async function test(form, prefix) {
  setText(form, 'outcome', prefix + t('testing'));
  const result = await chrome.runtime.sendMessage({ type: 'test' });
  const { outcome, status } = result ?? { outcome: 'unreachable', status: 0 };
  const line = input(form, 'outcome');
  line.dataset.tone = outcome === 'ok' ? 'good' : 'bad';
  setText(form, 'outcome', prefix + t(`test_${outcome}`, status));
}

/** @param {HTMLFormElement} form @param {string} id */
const input = (form, id) => /** @type {HTMLInputElement} */ (form.querySelector(`#${id}`));

/** @param {HTMLFormElement} form @param {string} id @param {string} text */
const setText = (form, id, text) => {
  input(form, id).textContent = text;
};

/** Signed-in screens: approves one that shows letters, lists them, signs one out. */

import { browserName, normalizeLetters, SignInFailed } from '../link/signin.js';
import { DOT, find, html, setText } from '../ui/dom.js';
import { element } from '../ui/element.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('../link/signin.js').Screen} Screen */
/** @typedef {import('../link/signin.js').SignIn} SignIn */
/** @typedef {import('../link/signin.js').WaitingScreen} WaitingScreen */

export class ScreensView {
  #dialog = find(document, '#screens', HTMLDialogElement);
  #list = html('#screens-list');
  #empty = html('#screens-empty');
  #form = find(document, '#pair-form', HTMLFormElement);
  #input = find(document, '#pair-letters', HTMLInputElement);
  #error = html('#pair-error');
  #approval = find(document, '#pair-approval', HTMLFormElement);
  #about = html('#pair-about');
  #name = find(document, '#pair-name', HTMLInputElement);
  #days = find(document, '#pair-days', HTMLSelectElement);
  /** @type {SignIn} */
  #signIn;
  /** @type {() => I18n} */
  #i18n;
  #letters = '';
  /** @type {WaitingScreen | null} */
  #waiting = null;

  /** @param {SignIn} signIn @param {() => I18n} i18n */
  constructor(signIn, i18n) {
    this.#signIn = signIn;
    this.#i18n = i18n;
    html('#screens-close').addEventListener('click', () => this.#dialog.close());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#look(this.#input.value);
    });
    this.#approval.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#decide(!(event.submitter instanceof HTMLButtonElement && event.submitter.value === 'refuse'));
    });
  }

  /** Opens the list; with letters, the screen that waits with them. @param {string} [letters] */
  open(letters = '') {
    this.#forget();
    this.#input.value = letters;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
    void this.#load();
    if (letters) void this.#look(letters);
  }

  #forget() {
    this.#letters = '';
    this.#waiting = null;
    this.#approval.hidden = true;
    this.#name.value = '';
    this.#showMessage('');
  }

  async #load() {
    try {
      this.#show(await this.#signIn.screens());
    } catch (error) {
      this.#list.replaceChildren();
      this.#empty.hidden = false;
      setText(this.#empty, this.#i18n().t(phraseOf(error, 'screens_failed')));
    }
  }

  /** @param {Screen[]} screens */
  #show(screens) {
    const i18n = this.#i18n();
    this.#empty.hidden = screens.length > 0;
    setText(this.#empty, i18n.t('screens_none'));
    this.#list.replaceChildren(...screens.map((screen) => this.#row(screen, i18n)));
  }

  /** @param {Screen} screen @param {I18n} i18n */
  #row(screen, i18n) {
    const name = screen.name || browserName(screen.browser);
    const facts = [
      screen.name ? browserName(screen.browser) : '',
      screen.subject,
      screen.address,
      i18n.t('screens_until', { date: i18n.moment.format(screen.expires_at * 1000) }),
    ];
    const text = element(
      'div',
      {},
      element('strong', { translate: 'no' }, name),
      element('span', {}, facts.filter(Boolean).join(DOT)),
    );
    if (screen.this) return element('li', {}, text, element('em', {}, i18n.t('screens_this')));
    const label = i18n.t('sign_out');
    const button = element('button', { type: 'button', 'aria-label': `${label}: ${name}` }, label);
    button.addEventListener('click', () => {
      button.disabled = true;
      void this.#end(screen.screen_id);
    });
    return element('li', {}, text, button);
  }

  /** @param {string} screenId */
  async #end(screenId) {
    await this.#signIn.end(screenId).catch(() => undefined);
    await this.#load();
    html('#screens-close').focus();
  }

  /** @param {string} typed */
  async #look(typed) {
    const letters = normalizeLetters(typed);
    this.#forget();
    if (!letters) return this.#refuse('pair_malformed');
    try {
      this.#waiting = await this.#signIn.waiting(letters);
    } catch (error) {
      return this.#refuse(phraseOf(error, 'pair_unknown'));
    }
    this.#letters = letters;
    this.#approval.hidden = false;
    const { browser, address } = this.#waiting;
    setText(this.#about, this.#i18n().t('pair_about', { browser: browserName(browser), address }));
    this.#name.focus();
  }

  /** @param {boolean} approve */
  async #decide(approve) {
    const decision = approve ? { approve, name: this.#name.value.trim(), days: Number(this.#days.value) } : { approve };
    try {
      await this.#signIn.decide(this.#letters, decision);
    } catch (error) {
      return this.#refuse(phraseOf(error, 'pair_unknown'));
    }
    this.#forget();
    this.#input.value = '';
    this.#showMessage(approve ? 'pair_approved' : 'pair_refused');
    this.#input.focus();
    void this.#load();
  }

  /** @param {MessageKey} key */
  #refuse(key) {
    this.#showMessage(key);
    this.#input.setAttribute('aria-invalid', 'true');
    this.#input.focus();
  }

  /** @param {MessageKey | ''} key */
  #showMessage(key) {
    this.#input.removeAttribute('aria-invalid');
    setText(this.#error, key ? this.#i18n().t(key) : '');
  }
}

/** @param {unknown} error @param {MessageKey} otherwise @returns {MessageKey} */
function phraseOf(error, otherwise) {
  const status = error instanceof SignInFailed ? error.status : 0;
  if (status === 0 || status >= 500) return 'signin_unreachable';
  if (status === 401) return 'screens_signed_out';
  if (status === 403) return 'screens_not_allowed';
  if (status === 429) return 'signin_busy';
  return otherwise;
}

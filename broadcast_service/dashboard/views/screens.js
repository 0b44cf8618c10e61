/** Signed-in screens: approve one that shows letters, see which there are, sign one out. */

import { browserName, SignInFailed, tidyLetters } from '../link/signin.js';
import { find, html, write } from '../ui/dom.js';

/** @typedef {import('../i18n/i18n.js').Speech} Speech */
/** @typedef {import('../i18n/i18n.js').Phrase} Phrase */
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
  /** @type {() => Speech} */
  #speech;
  #letters = '';
  /** @type {WaitingScreen | null} */
  #waiting = null;

  /** @param {SignIn} signIn @param {() => Speech} speech */
  constructor(signIn, speech) {
    this.#signIn = signIn;
    this.#speech = speech;
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
    this.#say('');
  }

  async #load() {
    try {
      this.#show(await this.#signIn.screens());
    } catch (error) {
      this.#list.replaceChildren();
      this.#empty.hidden = false;
      write(this.#empty, this.#speech().say(phraseOf(error, 'screens_failed')));
    }
  }

  /** @param {Screen[]} screens */
  #show(screens) {
    const speech = this.#speech();
    this.#empty.hidden = screens.length > 0;
    write(this.#empty, speech.say('screens_none'));
    this.#list.replaceChildren(...screens.map((screen) => this.#row(screen, speech)));
  }

  /** @param {Screen} screen @param {Speech} speech */
  #row(screen, speech) {
    const row = document.createElement('li');
    const text = document.createElement('div');
    const title = document.createElement('strong');
    title.textContent = screen.name || browserName(screen.browser);
    title.translate = false;
    const facts = document.createElement('span');
    facts.textContent = [
      screen.name ? browserName(screen.browser) : '',
      screen.subject,
      screen.address,
      speech.say('screens_until', { date: speech.moment.format(screen.expires_at * 1000) }),
    ]
      .filter(Boolean)
      .join(' · ');
    text.append(title, facts);
    row.append(text);
    if (screen.this) {
      const own = document.createElement('em');
      own.textContent = speech.say('screens_this');
      row.append(own);
      return row;
    }
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = speech.say('screens_end');
    button.setAttribute('aria-label', `${speech.say('screens_end')}: ${title.textContent}`);
    button.addEventListener('click', () => {
      button.disabled = true;
      void this.#end(screen.screen_id);
    });
    row.append(button);
    return row;
  }

  /** @param {string} screenId */
  async #end(screenId) {
    await this.#signIn.end(screenId).catch(() => undefined);
    await this.#load();
    html('#screens-close').focus();
  }

  /** @param {string} typed */
  async #look(typed) {
    const letters = tidyLetters(typed);
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
    write(this.#about, this.#speech().say('pair_about', { browser: browserName(browser), address }));
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
    this.#say(approve ? 'pair_approved' : 'pair_refused');
    this.#input.focus();
    void this.#load();
  }

  /** @param {Phrase} phrase */
  #refuse(phrase) {
    this.#say(phrase);
    this.#input.setAttribute('aria-invalid', 'true');
    this.#input.focus();
  }

  /** @param {Phrase | ''} phrase */
  #say(phrase) {
    this.#input.removeAttribute('aria-invalid');
    write(this.#error, phrase ? this.#speech().say(phrase) : '');
  }
}

/** @param {unknown} error @param {Phrase} otherwise @returns {Phrase} */
function phraseOf(error, otherwise) {
  const status = error instanceof SignInFailed ? error.status : 0;
  if (status === 0 || status >= 500) return 'signin_unreachable';
  if (status === 401) return 'screens_signed_out';
  if (status === 403) return 'screens_not_allowed';
  if (status === 429) return 'signin_busy';
  return otherwise;
}

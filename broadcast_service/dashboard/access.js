/** The access of this browser: signing in by link, token or pairing, renewing before the end, and signing out. */

import { SignIn, SignInFailed } from './link/signin.js';
import { clearToken, saveToken, storedToken, survivesReload, takeLink } from './link/token.js';
import { html } from './ui/dom.js';
import { Gate } from './views/gate.js';
import { PairingView } from './views/pairing.js';
import { Renewal } from './views/renewal.js';
import { ReplacementDialog } from './views/replacement_dialog.js';
import { ScreensView } from './views/screens.js';

/** @typedef {import('./i18n/i18n.js').I18n} I18n */
/** @typedef {import('./i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('./link/token.js').Link} Link */
/**
 * @typedef {object} Environment
 * @property {import('./link/token.js').Tab} tab
 * @property {import('./link/connection.js').Connection} connection
 * @property {() => I18n} i18n
 * @property {(token: string) => Promise<import('./link/types.js').Probe>} probe asks the server whether it accepts a token
 * @property {() => void} onSwitch everything shown belongs to another access and must go
 * @property {() => void} onShow the page was signed in or out
 * @property {() => void} onChange something on the screen changed
 */

export class Access {
  /** Whether the page is signed in. */
  #signedIn = false;
  /** Letters of a screen that waits for approval, until this browser is signed in. */
  #waitingLetters = '';
  #environment;
  #connection;
  #signIn;
  #gate;
  #pairing;
  #screens;
  #replacement = new ReplacementDialog();
  #renewal;

  /** @param {Environment} environment */
  constructor(environment) {
    const { connection, i18n, onChange } = environment;
    this.#environment = environment;
    this.#connection = connection;
    this.#signIn = new SignIn(() => connection.token);
    this.#gate = new Gate(
      (token, keep) => void this.#enterPasted(token, keep),
      () => this.#pairing.start(),
    );
    this.#pairing = new PairingView(
      this.#signIn,
      () => this.#enter(''),
      () => {
        this.#gate.hideForm(this.#pairing.active);
        onChange();
      },
    );
    this.#screens = new ScreensView(this.#signIn, i18n);
    this.#renewal = new Renewal((token) => this.#renew(token));
    html('#screens-open').addEventListener('click', () => this.#screens.open());
    html('#sign-out').addEventListener('click', () => this.#signOut());
    addEventListener('hashchange', () => {
      const link = takeLink(environment.tab);
      if (link) void this.#begin(link);
    });
  }

  get signedIn() {
    return this.#signedIn;
  }

  /** Whether a reload would find the access again, or loses nothing. */
  get survivesReload() {
    return !this.#signedIn || survivesReload(this.#environment.tab);
  }

  /** Begins with the link that was in the address, if any. @param {Link | null} link */
  start(link) {
    void this.#begin(link);
  }

  /** The session began, or was renewed. @param {'HELLO' | 'TOKEN_RENEWED'} eventType @param {number} localMs */
  sessionChanged(eventType, localMs) {
    if (eventType === 'HELLO') this.#renewal.sessionStarted(localMs);
    else this.#renewal.showSuccess(localMs);
  }

  /** The outcome of a token that was offered over the open socket. @param {string} token @param {boolean} accepted */
  handleRenewal(token, accepted) {
    if (accepted) saveToken(this.#environment.tab, token);
    else void this.#startAgain(token);
  }

  /** Closes the page and asks for another access. @param {MessageKey | null} problem */
  leave(problem) {
    const { tab, onSwitch, onShow, onChange } = this.#environment;
    clearToken(tab);
    onSwitch();
    this.#renewal.reset();
    this.#signedIn = false;
    onShow();
    html('#screens-open').hidden = true;
    this.#gate.open(problem);
    onChange();
  }

  /** @param {I18n} i18n @param {number | null} expiresAt Unix seconds @param {number} nowMs the server's clock @param {number} localMs */
  paint(i18n, expiresAt, nowMs, localMs) {
    this.#gate.paint(i18n);
    this.#pairing.paint(i18n);
    this.#renewal.paint(i18n, this.#signedIn ? expiresAt : null, nowMs, localMs);
  }

  /** A link never replaces a working access unasked. @param {Link | null} link */
  async #begin(link) {
    if (link && !link.value) {
      if (!this.#signedIn) this.leave(link.kind === 'token' ? 'gate_malformed' : 'gate_link_used');
      return;
    }
    const isStored = link?.kind === 'token' && storedToken(this.#environment.tab) === link.value;
    const existing = isStored ? null : await this.#existingAccess();
    if (link?.kind === 'pair') this.#waitingLetters = link.value;
    if (!link || link.kind === 'pair')
      return existing === null ? this.leave(link ? 'gate_pair' : null) : this.#resume(existing);
    if (existing !== null && !(await this.#replacement.ask())) return this.#resume(existing);
    if (link.kind === 'token') return this.#signedIn ? this.#renew(link.value) : this.#enter(link.value);
    return this.#enterWithCode(link.value, existing);
  }

  /** @param {string} code single-use @param {string | null} existing */
  async #enterWithCode(code, existing) {
    try {
      await this.#signIn.withCode(code, true);
    } catch (error) {
      const isUsed = error instanceof SignInFailed && error.status === 410;
      return existing === null ? this.leave(isUsed ? 'gate_link_used' : 'gate_link_failed') : this.#resume(existing);
    }
    this.#enter('');
  }

  /**
   * The access this browser has, from its tab or its cookie: null when it has none. While the server cannot be asked, it may have one.
   * @returns {Promise<string | null>}
   */
  async #existingAccess() {
    const token = storedToken(this.#environment.tab);
    if (this.#signedIn || token !== null) return this.#signedIn ? this.#connection.token : token;
    try {
      return (await this.#signIn.current()) ? '' : null;
    } catch {
      return '';
    }
  }

  /** @param {string} token empty for a screen that is signed in by its cookie */
  #enter(token) {
    const { tab, onSwitch, onShow } = this.#environment;
    saveToken(tab, token);
    onSwitch();
    this.#gate.close();
    this.#signedIn = true;
    this.#connection.start(token);
    onShow();
    void this.#showScreensButton();
    this.#openWaitingScreen();
  }

  /** @param {string} token */
  #resume(token) {
    if (!this.#signedIn) return this.#enter(token);
    this.#openWaitingScreen();
  }

  #openWaitingScreen() {
    if (this.#waitingLetters) this.#screens.open(this.#waitingLetters);
    this.#waitingLetters = '';
  }

  async #showScreensButton() {
    const access = await this.#signIn.current().catch(() => undefined);
    if (access !== undefined) html('#screens-open').hidden = !(this.#signedIn && access?.manages);
  }

  /**
   * A pasted token opens this tab; on a screen that stays signed in it is exchanged for a session cookie first.
   * @param {string} token @param {boolean} keep
   */
  async #enterPasted(token, keep) {
    try {
      if (keep) await this.#signIn.withToken(token, true);
      if (keep && (await this.#signIn.current())?.screen_id) return this.#enter('');
    } catch (error) {
      if (error instanceof SignInFailed && error.status === 401) return this.leave('gate_token');
    }
    this.#enter(token); // where the browser keeps no cookie, or the server cannot be reached, the token itself is used
  }

  /** Over the open socket where there is one: nothing on the screen moves. @param {string} token */
  #renew(token) {
    this.#renewal.showPending();
    if (this.#connection.token === '') void this.#signIn.withToken(token, true).catch(() => undefined); // the cookie is renewed with the session
    if (!this.#connection.renew(token)) void this.#startAgain(token);
    this.#environment.onChange();
  }

  /** A token that could not continue the session may still begin one: for another subject, or because the link is down. @param {string} token */
  async #startAgain(token) {
    const { probe, tab, onChange } = this.#environment;
    const { verdict } = await probe(token);
    if (verdict !== 'token' && verdict !== 'forbidden' && verdict !== 'unreachable') return this.#enter(token);
    if (!this.#signedIn) return;
    saveToken(tab, this.#connection.token);
    this.#renewal.showError(verdict === 'unreachable' ? 'renew_unreachable' : 'renew_refused');
    onChange();
  }

  #signOut() {
    if (this.#connection.token === '') void this.#signIn.signOut().catch(() => undefined);
    this.#connection.stop();
    this.leave(null);
  }
}

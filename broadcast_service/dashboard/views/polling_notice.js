/** The line that names what refuses the socket while the numbers come by polling. */

import { html, setHidden, setText } from '../ui/dom.js';

/** @typedef {import('../link/types.js').Link} Link */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */

/** @type {Partial<Record<import('../link/types.js').Reason, MessageKey>>} */
const OBSTACLE_KEYS = {
  blocked: 'notice_blocked',
  origin: 'notice_origin',
  path: 'notice_path',
  gateway: 'notice_gateway',
  redirect: 'notice_redirect',
  odd: 'notice_odd',
  full: 'notice_full',
};

/** What refuses the socket, with the setting to change; null where nothing was found. @param {Link} link @param {I18n} i18n */
export function obstacleText({ reason, setting, status }, i18n) {
  const key = OBSTACLE_KEYS[reason];
  if (!key) return null;
  const values = {
    setting: setting ?? 'ALLOWED_ORIGINS',
    origin: location.origin,
    status: String(status ?? ''),
    path: new URL('ws/dashboard', document.baseURI).pathname,
  };
  return i18n.t(key, values);
}

export class PollingNotice {
  #line = html('#detour');
  #words = html('#detour-words');

  /** @param {Link} link @param {I18n} i18n */
  paint(link, i18n) {
    setHidden(this.#line, link.via !== 'polling');
    if (this.#line.hidden) return;
    setText(this.#words, `${obstacleText(link, i18n) ?? i18n.t('notice_blocked')} ${i18n.t('by_polling')}`);
  }
}

/** Two calm lines under the bar: numbers that come by polling because no socket gets through, and a newer version of the page. */

import { find, html, write } from '../ui/dom.js';

/** @typedef {import('../link/connection.js').Link} Link */
/** @typedef {import('../i18n/i18n.js').Speech} Speech */
/** @typedef {import('../i18n/i18n.js').Phrase} Phrase */

/** @type {Partial<Record<import('../link/connection.js').Reason, Phrase>>} */
const OBSTACLES = {
  blocked: 'say_blocked',
  origin: 'say_origin',
  path: 'say_path',
  gateway: 'say_gateway',
  redirect: 'say_redirect',
  odd: 'say_odd',
  full: 'say_full',
};

/** What refuses the socket, with the setting to change; null where nothing was found. @param {Link} link @param {Speech} speech */
export function obstacleWords({ reason, setting, status }, speech) {
  const phrase = OBSTACLES[reason];
  if (!phrase) return null;
  const values = {
    setting: setting ?? 'ALLOWED_ORIGINS',
    origin: location.origin,
    status: String(status ?? ''),
    path: new URL('ws/dashboard', document.baseURI).pathname,
  };
  return speech.say(phrase, values);
}

export class Detour {
  #line = html('#detour');
  #words = html('#detour-words');

  /** @param {Link} link @param {Speech} speech */
  paint(link, speech) {
    this.#line.hidden = link.via !== 'polling';
    if (this.#line.hidden) return;
    write(this.#words, `${obstacleWords(link, speech) ?? speech.say('say_blocked')} ${speech.say('by_polling')}`);
  }
}

export class UpdateOffer {
  #line = html('#update');

  /** @param {() => void} reload */
  constructor(reload) {
    find(document, '#update-reload', HTMLButtonElement).addEventListener('click', reload);
  }

  /** @param {boolean} isOffered */
  paint(isOffered) {
    this.#line.hidden = !isOffered;
  }
}

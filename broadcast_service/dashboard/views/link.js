/** The state of the connection, in words: a pill in the bar and a line under it. Said once per change, so a screen reader is not flooded. */

import { find, html, mark, write } from './dom.js';

/** @typedef {import('../connection.js').Link} Link */
/** @typedef {import('../i18n.js').Speech} Speech */
/** @typedef {import('../i18n.js').Phrase} Phrase */
/** @typedef {{link: Link, upstream: 'unknown' | 'ok' | 'degraded', offline: boolean}} Health */

const RECOVERED_SHOWN_MS = 4000;

/**
 * A server that drains says so, and everything it knows, before it goes, and spreads its clients over three seconds: what was live a moment
 * ago may be called so until the move should be over.
 */
const MOVING_MS = 5000;

/** @param {Health} health @param {number} localMs */
export function isTrusted({ link, upstream }, localMs) {
  if (upstream === 'degraded') return false;
  return link.phase === 'live' || (link.phase === 'connecting' && link.reason === 'moving' && localMs - (link.lostAtMs ?? 0) < MOVING_MS);
}

export class LinkView {
  #pill = html('#link');
  #word = html('#link-word');
  #notice = html('#notice');
  #words = html('#notice-words');
  #detail = html('#notice-detail');
  #retry = find(document, '#retry', HTMLButtonElement);
  #wasTrusted = true;
  #hideAtMs = 0;

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#retry.addEventListener('click', onRetry);
  }

  /** @param {Health} health @param {Speech} speech @param {number} localMs */
  paint(health, speech, localMs) {
    const trusted = isTrusted(health, localMs);
    mark(this.#pill, 'phase', trusted && health.link.phase === 'live' ? 'live' : health.link.phase === 'live' ? 'degraded' : health.link.phase);
    write(this.#word, speech.say(pillWord(health)));
    if (trusted) this.#recover(speech, localMs);
    else this.#warn(health, speech, localMs);
    this.#wasTrusted = trusted;
  }

  /** @param {Speech} speech @param {number} localMs */
  #recover(speech, localMs) {
    if (!this.#wasTrusted && !this.#notice.hidden) {
      this.#hideAtMs = localMs + RECOVERED_SHOWN_MS;
      mark(this.#notice, 'tone', 'good');
      write(this.#words, speech.say('say_recovered'));
      write(this.#detail, '');
      this.#retry.hidden = true;
    }
    if (localMs >= this.#hideAtMs) this.#notice.hidden = true;
  }

  /** @param {Health} health @param {Speech} speech @param {number} localMs */
  #warn({ link, upstream, offline }, speech, localMs) {
    const first = link.phase === 'connecting' && link.reason === 'start';
    this.#notice.hidden = first || (link.phase === 'stopped' && link.reason === 'token');
    mark(this.#notice, 'tone', link.phase === 'stopped' ? 'bad' : 'warn');
    const phrase = link.phase === 'live' && upstream === 'degraded' ? 'say_degraded' : offline ? 'say_offline' : REASONS[link.reason];
    write(this.#words, speech.say(phrase));
    const lost = link.lostAtMs === null ? '' : speech.say('last_at', { time: speech.clock.format(link.lostAtMs) });
    const next = link.retryAtMs === null ? '' : speech.say('retry_in', { seconds: Math.max(0, Math.ceil((link.retryAtMs - localMs) / 1000)) });
    write(this.#detail, `${lost} ${next}`.trim());
    this.#retry.hidden = link.phase !== 'waiting';
  }
}

/** @type {Record<import('../connection.js').Reason, Phrase>} */
const REASONS = {
  start: 'say_connecting', lost: 'say_lost', silent: 'say_silent', refused: 'say_refused', busy: 'say_busy',
  moving: 'say_moving', restart: 'say_restart', token: 'gate_token', forbidden: 'say_forbidden', protocol: 'say_protocol',
};

/** @param {Health} health @returns {Phrase} */
function pillWord({ link, upstream, offline }) {
  if (link.phase === 'live') return upstream === 'degraded' ? 'link_degraded' : 'link_live';
  return offline && link.phase !== 'stopped' ? 'link_offline' : `link_${link.phase}`;
}

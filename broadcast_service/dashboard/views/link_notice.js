/** The state of the connection, in words: a pill in the bar and a line under it. Said once per change, so a screen reader is not flooded. */

import { find, html, mark, write } from '../ui/dom.js';
import { obstacleWords } from './polling_notice.js';

/** @typedef {import('../link/connection.js').Link} Link */
/** @typedef {import('../i18n/i18n.js').Speech} Speech */
/** @typedef {import('../i18n/i18n.js').Phrase} Phrase */
/** @typedef {import('../state/trust.js').Sight} Sight */
/** @typedef {{link: Link, offline: boolean, silence: import('../state/silence.js').Silence | null}} Health */

const RECOVERED_SHOWN_MS = 4000;
/** From here on an outage is no hiccup. */
const GRAVE_MS = 60_000;

export class LinkView {
  #pill = html('#link');
  #word = html('#link-word');
  #notice = html('#notice');
  #words = html('#notice-words');
  #detail = html('#notice-detail');
  #retry = find(document, '#retry', HTMLButtonElement);
  #hideAtMs = 0;

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#retry.addEventListener('click', onRetry);
  }

  get visible() {
    return !this.#notice.hidden;
  }

  /** Whether the notice names an outage. */
  get alarmed() {
    return this.visible && this.#notice.dataset.tone !== 'good';
  }

  /** @param {Health} health @param {Sight} sight @param {Speech} speech @param {number} localMs */
  paint(health, sight, speech, localMs) {
    const { link } = health;
    const degraded = link.phase === 'live' && (sight.trouble === 'source' || sight.trouble === 'quiet');
    mark(this.#pill, 'phase', degraded ? 'degraded' : link.phase);
    mark(this.#pill, 'trouble', sight.trouble ?? 'none');
    write(this.#word, pillWords(health, sight, speech));
    const words = wordsOf(health, sight, speech);
    if (words === null) this.#recover(sight, speech, localMs);
    else this.#warn(health, words, sight, speech, localMs);
  }

  /** @param {Sight} sight @param {Speech} speech @param {number} localMs */
  #recover({ trusted }, speech, localMs) {
    if (this.alarmed && trusted) {
      this.#hideAtMs = localMs + RECOVERED_SHOWN_MS;
      mark(this.#notice, 'tone', 'good');
      write(this.#words, speech.say('say_recovered'));
      write(this.#detail, '');
      this.#retry.hidden = true;
    }
    if (localMs >= this.#hideAtMs) this.#notice.hidden = true;
  }

  /** @param {Health} health @param {string} words @param {Sight} sight @param {Speech} speech @param {number} localMs */
  #warn({ link }, words, { nowMs, sinceMs }, speech, localMs) {
    this.#notice.hidden = false;
    const lastedMs = sinceMs === null ? 0 : nowMs - sinceMs;
    mark(this.#notice, 'tone', link.phase === 'stopped' || lastedMs > GRAVE_MS ? 'bad' : 'warn');
    write(this.#words, words);
    const lasted = sinceMs === null ? '' : `(${speech.age(Math.max(0, lastedMs / 1000))})`;
    const next =
      link.retryAtMs === null
        ? ''
        : speech.say('retry_in', { seconds: Math.max(0, Math.ceil((link.retryAtMs - localMs) / 1000)) });
    write(this.#detail, `${lasted} ${next}`.trim());
    this.#retry.hidden = link.phase !== 'waiting';
  }
}

/** @type {Partial<Record<import('../link/connection.js').Reason, Phrase>>} what `obstacleWords` does not name */
const REASONS = {
  start: 'say_connecting',
  lost: 'say_lost',
  silent: 'say_silent',
  refused: 'say_refused',
  busy: 'say_busy',
  moving: 'say_moving',
  restart: 'say_restart',
  token: 'gate_token',
  forbidden: 'say_forbidden',
  protocol: 'say_protocol',
};

/** What the notice says, without what changes every second; null where there is nothing to say. @param {Health} health @param {Sight} sight @param {Speech} speech */
function wordsOf({ link, offline, silence }, { trouble, sinceMs }, speech) {
  const time = sinceMs === null ? null : speech.clock.format(sinceMs);
  switch (trouble) {
    case 'start':
    case 'link': {
      if (
        (link.phase === 'connecting' && link.reason === 'start') ||
        (link.phase === 'stopped' && link.reason === 'token')
      )
        return null;
      const reason = offline
        ? speech.say('say_offline')
        : (obstacleWords(link, speech) ?? speech.say(REASONS[link.reason] ?? 'say_refused'));
      if (time === null) return reason;
      return `${reason} ${speech.say(link.phase === 'stopped' ? 'numbers_from' : 'no_news_since', { time })}`;
    }
    case 'source':
      return `${speech.say('say_degraded')}${time === null ? '' : ` ${speech.say('no_news_since', { time })}`}`;
    case 'resuming':
      return speech.say('say_resuming', { time: time ?? '' });
    case 'silence':
    case 'some':
      if (!silence || time === null) return null;
      return `${silence.rooms === silence.of ? speech.say('silence_all', { count: silence.of, time }) : speech.say('silence_some', { count: silence.rooms, total: silence.of, time })} ${speech.say('silence_why')}`;
    default:
      return null;
  }
}

/** @param {Health} health @param {Sight} sight @param {Speech} speech */
function pillWords({ link, offline }, { trouble, nowMs, sinceMs }, speech) {
  const left = speech.span(Math.max(0, (nowMs - (sinceMs ?? nowMs)) / 1000));
  switch (trouble) {
    case null:
      return speech.say(link.via === 'polling' ? 'link_polling' : 'link_live');
    case 'source':
      return speech.say('link_degraded');
    case 'resuming':
      return speech.say('link_resuming');
    case 'quiet':
      return speech.say('link_quiet', { age: left });
    case 'late':
    case 'some':
    case 'silence':
      return speech.say('link_no_readings', { age: left });
    default:
      return speech.say(offline && link.phase !== 'stopped' ? 'link_offline' : `link_${link.phase}`);
  }
}

/** The state of the connection, in words: a pill in the bar and a line under it. Text changes once per state, so that a screen reader is not flooded. */

import { find, html, setData, setHidden, setText } from '../ui/dom.js';
import { obstacleText } from './polling_notice.js';

/** @typedef {import('../link/types.js').Link} Link */
/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {import('../i18n/i18n.js').MessageKey} MessageKey */
/** @typedef {import('../state/trust.js').Assessment} Assessment */
/** @typedef {{link: Link, offline: boolean, silence: import('../state/silence.js').Silence | null, demo: boolean}} Health `demo`: sample rooms are shown */

const RECOVERED_SHOWN_MS = 4000;
/** A longer outage is shown in red. */
const SEVERE_AFTER_MS = 60_000;

export class LinkNotice {
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

  /** @param {Health} health @param {Assessment} assessment @param {I18n} i18n @param {number} localMs */
  paint(health, assessment, i18n, localMs) {
    const { link } = health;
    const degraded = link.phase === 'live' && (assessment.trouble === 'source' || assessment.trouble === 'quiet');
    setData(this.#pill, 'phase', degraded ? 'degraded' : link.phase);
    setData(this.#pill, 'trouble', assessment.trouble ?? 'none');
    setText(this.#word, pillText(health, assessment, i18n));
    const words = noticeText(health, assessment, i18n);
    if (words === null) this.#recover(assessment, i18n, localMs);
    else this.#warn(health, words, assessment, i18n, localMs);
  }

  /** @param {Assessment} assessment @param {I18n} i18n @param {number} localMs */
  #recover({ trusted }, i18n, localMs) {
    if (this.alarmed && trusted) {
      this.#hideAtMs = localMs + RECOVERED_SHOWN_MS;
      setData(this.#notice, 'tone', 'good');
      setText(this.#words, i18n.t('notice_recovered'));
      setText(this.#detail, '');
      setHidden(this.#retry, true);
    }
    if (localMs >= this.#hideAtMs) setHidden(this.#notice, true);
  }

  /** @param {Health} health @param {string} words @param {Assessment} assessment @param {I18n} i18n @param {number} localMs */
  #warn({ link }, words, { nowMs, sinceMs }, i18n, localMs) {
    setHidden(this.#notice, false);
    const lastedMs = sinceMs === null ? 0 : nowMs - sinceMs;
    setData(this.#notice, 'tone', link.phase === 'stopped' || lastedMs > SEVERE_AFTER_MS ? 'bad' : 'warn');
    setText(this.#words, words);
    const lasted = sinceMs === null ? '' : `(${i18n.age(Math.max(0, lastedMs / 1000))})`;
    // An outage is a wait and a try by turns: the line and the button stay during both, else the page below would jump at each.
    const tries = link.phase === 'connecting' && link.reason !== 'start';
    const next =
      link.retryAtMs === null
        ? tries
          ? i18n.t('notice_connecting')
          : ''
        : i18n.t('retry_in', { seconds: Math.max(0, Math.ceil((link.retryAtMs - localMs) / 1000)) });
    setText(this.#detail, `${lasted} ${next}`.trim());
    setHidden(this.#retry, link.phase !== 'waiting' && !tries);
  }
}

/** @type {Partial<Record<import('../link/types.js').Reason, MessageKey>>} what `obstacleText` does not name */
const REASONS = {
  start: 'notice_connecting',
  lost: 'notice_lost',
  silent: 'notice_silent',
  refused: 'notice_refused',
  busy: 'notice_busy',
  moving: 'notice_moving',
  restart: 'notice_restart',
  token: 'gate_token',
  forbidden: 'notice_forbidden',
  protocol: 'notice_protocol',
};

/** The text of the notice without the seconds; null where there is no notice. @param {Health} health @param {Assessment} assessment @param {I18n} i18n */
function noticeText({ link, offline, silence }, { trouble, sinceMs }, i18n) {
  const time = sinceMs === null ? null : i18n.clock.format(sinceMs);
  switch (trouble) {
    case 'start':
    case 'link': {
      if (
        (link.phase === 'connecting' && link.reason === 'start') ||
        (link.phase === 'stopped' && link.reason === 'token')
      )
        return null;
      const reason = offline
        ? i18n.t('notice_offline')
        : (obstacleText(link, i18n) ?? i18n.t(REASONS[link.reason] ?? 'notice_refused'));
      if (time === null) return reason;
      return `${reason} ${i18n.t(link.phase === 'stopped' ? 'numbers_from' : 'no_news_since', { time })}`;
    }
    case 'source':
      return `${i18n.t('notice_degraded')}${time === null ? '' : ` ${i18n.t('no_news_since', { time })}`}`;
    case 'resuming':
      return i18n.t('notice_resuming', { time: time ?? '' });
    case 'silence':
    case 'some':
      if (!silence || time === null) return null;
      return `${silence.rooms === silence.of ? i18n.t('silence_all', { count: silence.of, time }) : i18n.t('silence_some', { count: silence.rooms, total: silence.of, time })} ${i18n.t('silence_why')}`;
    default:
      return null;
  }
}

/** @param {Health} health @param {Assessment} assessment @param {I18n} i18n */
function pillText({ link, offline, demo }, { trouble, nowMs, sinceMs }, i18n) {
  if (demo) return i18n.t('demo');
  const left = i18n.span(Math.max(0, (nowMs - (sinceMs ?? nowMs)) / 1000));
  switch (trouble) {
    case null:
      return i18n.t(link.via === 'polling' ? 'link_polling' : 'link_live');
    case 'source':
      return i18n.t('link_degraded');
    case 'resuming':
      return i18n.t('link_resuming');
    case 'quiet':
      return i18n.t('link_quiet', { age: left });
    case 'late':
    case 'some':
    case 'silence':
      return i18n.t('link_no_readings', { age: left });
    default:
      return i18n.t(offline && link.phase !== 'stopped' ? 'link_offline' : `link_${link.phase}`);
  }
}

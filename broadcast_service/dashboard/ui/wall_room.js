/** One room on the wall: a name and a figure, and as much beside them as the density has room for. */

import { paceOf } from '../state/leaders.js';
import { statusOf } from '../state/store.js';
import { setData, setFigure, setHidden, setName, setText } from './dom.js';
import { element } from './element.js';
import { bars } from './sparkline.js';

/** @typedef {import('../state/store.js').Store} Store */
/** @typedef {import('../state/store.js').Feed} Feed */
/** @typedef {import('./moment.js').Moment} Moment */

const SVG = 'http://www.w3.org/2000/svg';
export const HOUR_MINUTES = 60;
const EYE = 'M1 8c3-5 11-5 14 0-3 5-11 5-14 0zM8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z';

export class WallRoom {
  #name = element('span', { class: 'wall-name', translate: 'no' });
  #figure = element('b', { class: 'wall-figure', translate: 'no' });
  #pace = element('span', { class: 'wall-pace' });
  #state = element('span', {});
  #viewers = element('span', {});
  #audience = element('span', { class: 'wall-audience' }, eye(), this.#viewers, element('span', { class: 'unseen' }));
  #target = element('span', {});
  /** What does not fit is left out whole, the last part first. */
  #details = element('span', { class: 'wall-details' }, this.#state, this.#audience, this.#target);
  #bar = element('i', { class: 'wall-bar', 'aria-hidden': 'true' });
  #spark = document.createElementNS(SVG, 'svg');
  #path = document.createElementNS(SVG, 'path');
  #dot = element('span', { class: 'dot', 'aria-hidden': 'true' });

  /** @param {Feed} feed */
  constructor(feed) {
    this.#spark.setAttribute('viewBox', '0 0 90 30');
    this.#spark.setAttribute('preserveAspectRatio', 'none');
    this.#spark.setAttribute('class', 'wall-spark');
    this.#spark.setAttribute('aria-hidden', 'true');
    this.#spark.append(this.#path);
    const head = element('span', { class: 'wall-head' }, this.#name, this.#pace, this.#dot);
    this.element = element('li', { class: 'wall-room' }, head, this.#figure, this.#details, this.#bar);
    this.element.insertBefore(this.#spark, this.#details);
    this.element.dataset.room = feed.room;
    this.element.dataset.platform = feed.platform;
  }

  /** @param {Feed} feed @param {Store} store @param {Moment} moment @param {{best: number, isTwin: boolean, skipped: number}} among `isTwin`: another feed has this name too; `skipped`: letters that are left out of it */
  paint(feed, store, moment, { best, isTwin, skipped }) {
    const { asOfMs, nowMs, trusted, i18n } = moment;
    const status = statusOf(feed, asOfMs, store, trusted);
    const progress = store.shifts.of(feed, asOfMs);
    const earned = figureOf(feed, store, asOfMs);
    const name = store.studio.roomName(feed.room).slice(skipped);
    setData(this.element, 'status', status);
    setName(this.#name, isTwin ? `${name} · ${feed.platform.slice(0, 2)}` : name);
    setFigure(this.#figure, earned, i18n);
    const share = String(Math.round(Math.min(1, progress?.share ?? (earned ?? 0) / Math.max(1, best)) * 100));
    if (this.element.style.getPropertyValue('--share') !== share) this.element.style.setProperty('--share', share);
    const path = bars(store.recent(feed, asOfMs), 90, 30);
    if (this.#path.getAttribute('d') !== path) this.#path.setAttribute('d', path);
    const state =
      status === 'live' ? '' : `${i18n.t(`status_${status}`)} ${i18n.age(Math.max(0, nowMs / 1000 - feed.readAt))}`;
    const pace = status === 'live' ? paceOf(feed, store, asOfMs) : null;
    setText(this.#pace, pace === 'up' ? '▲' : pace === 'down' ? '▼' : '');
    setData(this.#pace, 'pace', pace ?? 'none');
    const target =
      progress?.target && progress.share !== null
        ? i18n.t('share_of_target', { share: i18n.percentage.format(progress.share), target: progress.target })
        : feed.platform;
    setHidden(this.#audience, state !== '' || feed.viewers === null);
    setText(this.#viewers, i18n.number(feed.viewers));
    setText(/** @type {HTMLElement} */ (this.#audience.lastElementChild), ` ${i18n.t('viewers_short')}`);
    setText(this.#state, state);
    setText(this.#target, state ? '' : target);
  }
}

function eye() {
  const icon = document.createElementNS(SVG, 'svg');
  icon.setAttribute('viewBox', '0 0 16 16');
  icon.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', EYE);
  icon.append(path);
  return icon;
}

/** Tokens of the current shift, or of the last 60 minutes where the room works none; null where they are not known. @param {Feed} feed @param {Store} store @param {number} asOfMs */
export function figureOf(feed, store, asOfMs) {
  const progress = store.shifts.of(feed, asOfMs);
  return progress ? progress.earned : earnedInHour(feed, store, asOfMs);
}

/** Tokens of the last 60 minutes; null before history has answered. @param {Feed} feed @param {Store} store @param {number} asOfMs */
export function earnedInHour(feed, store, asOfMs) {
  if (store.past === 'pending') return null;
  const minute = Math.floor(asOfMs / 60_000);
  return feed.ledger.sum(minute - HOUR_MINUTES + 1, minute);
}

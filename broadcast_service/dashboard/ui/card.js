/** One room card: draws a feed, and changes only the parts that differ. */

import { translate } from '../i18n/i18n.js';
import { hrefOf } from '../router.js';
import { COUNTS } from '../state/metrics.js';
import { SPARK_MINUTES, statusOf } from '../state/store.js';
import { cloneTemplate, find, setAttribute, setData, setFigure, setName, setText } from './dom.js';
import { recentText } from './recent_text.js';
import { bars } from './sparkline.js';
import { lastMinutes, minutesSince, pointAt, showIncome } from './why_link.js';

/** @typedef {import('../state/store.js').Feed} Feed */
/** @typedef {import('./moment.js').Moment} Moment */
/** @typedef {import('../state/store.js').Store} Store */

const FLASH_MS = 600;

export class Card {
  /** Whether it is near the screen; elsewhere drawing can wait. */
  near = false;

  /** @param {Feed} feed @param {import('../i18n/i18n.js').I18n} i18n @param {boolean} [isRow] of two lines, in which a finger has room for one figure alone */
  constructor(feed, i18n, isRow = false) {
    this.isRow = isRow;
    this.element = cloneTemplate('card-template');
    this.element.dataset.room = feed.room;
    this.element.dataset.platform = feed.platform;
    translate(this.element, i18n);
    const part = (/** @type {string} */ name) => find(this.element, `.${name}`, HTMLElement);
    this.parts = {
      badge: part('badge-word'),
      age: part('age'),
      unit: part('unit'),
      account: part('account'),
      money: part('money'),
      tokens: part('tokens'),
      why: part('balance-why'),
      recent: part('recent'),
      flash: part('flash'),
      goal: part('goal'),
      track: part('goal-track'),
      fill: part('goal-fill'),
      goalOf: part('goal-of'),
      goalShare: part('goal-share'),
      counts: COUNTS.map(({ name }) => ({ name, figure: part(name) })),
      spark: find(this.element, '.spark path', SVGPathElement),
    };
    const link = find(this.element, '.room a', HTMLAnchorElement);
    this.link = link;
    link.href = hrefOf({ view: 'room', room: feed.room, platform: feed.platform }, '');
    setText(part('platform'), feed.platform);
  }

  /** @param {Feed} feed @param {Moment} moment @param {Store} store */
  paint(feed, moment, store) {
    const { i18n } = moment;
    const progress = store.shifts.of(feed, moment.asOfMs);
    this.paintAge(feed, moment, store);
    setName(this.link, store.studio.roomName(feed.room), feed.room);
    setText(this.parts.account, store.studio.accountName(feed.platform, feed.account));
    setData(this.element, 'shows', progress ? 'shift' : 'balance');
    setFigure(this.parts.tokens, progress ? progress.earned : feed.tokens, i18n);
    setText(this.parts.unit, progress ? i18n.t('tokens_of_shift', { shift: progress.shift.name }) : i18n.t('tokens'));
    const ofShift = progress ? { ...minutesSince(progress.shift.from, moment.asOfMs), feeds: [feed] } : null;
    showIncome(
      this.parts.money,
      moneyText(progress?.earned ?? null, store, i18n),
      progress?.earned ? ofShift : null,
      i18n,
    );
    for (const { name, figure } of this.parts.counts) setFigure(figure, feed[name], i18n);
    this.#paintEarned(feed, store, moment);
    const figure = i18n.number(progress ? progress.earned : feed.tokens);
    this.#paintWhy(feed, moment, ofShift, `${store.studio.roomName(feed.room)} ${figure}`);
    if (progress) this.#paintTarget(progress, i18n);
    else this.#paintGoal(feed, i18n);
  }

  /** What the passing of time alone changes. @param {Feed} feed @param {Moment} moment @param {Store} terms */
  paintAge(feed, { nowMs, asOfMs, trusted, i18n }, terms) {
    const status = statusOf(feed, asOfMs, terms, trusted);
    setData(this.element, 'status', status);
    setData(this.parts.badge, 'explain', `explain_${status}`);
    setText(this.parts.badge, i18n.t(`status_${status}`));
    setData(this.parts.age, 'state', status === 'live' ? '' : i18n.t(`status_${status}`));
    setText(this.parts.age, i18n.age(Math.max(0, nowMs / 1000 - feed.readAt)));
  }

  /** @param {boolean} calm */
  flash(calm) {
    if (calm || !this.near) return;
    const running = this.parts.flash.getAnimations()[0];
    if (running) running.currentTime = 0;
    else this.parts.flash.animate({ opacity: [1, 0] }, { id: 'flash', duration: FLASH_MS, easing: 'ease-out' });
  }

  /** @param {Feed} feed @param {Store} store @param {Moment} moment */
  #paintEarned(feed, store, { asOfMs, i18n }) {
    const series = store.recent(feed, asOfMs);
    const amount = series.reduce((/** @type {number} */ sum, value) => sum + (value ?? 0), 0);
    const path = bars(series, 90, 30);
    setAttribute(this.parts.spark, 'd', path);
    const pending = feed.pending ? ` · ${i18n.t('pending', { amount: feed.pending })}` : '';
    const isCovered = this.isRow && matchMedia('(max-width: 640px)').matches; // by the link of the figure above
    const reasons = isCovered ? null : { ...lastMinutes(asOfMs, SPARK_MINUTES), feeds: [feed] };
    showIncome(this.parts.recent, recentText(amount, store, asOfMs, i18n) + pending, reasons, i18n);
    setData(this.parts.recent, 'earned', amount ? 'yes' : 'no');
  }

  /** The figure leads to the readings behind it, of the shift or of the minutes drawn beside it. @param {Feed} feed @param {Moment} moment @param {import('./why_link.js').Reasons | null} ofShift @param {string} name */
  #paintWhy(feed, { asOfMs, i18n }, ofShift, name) {
    pointAt(this.parts.why, ofShift ?? { ...lastMinutes(asOfMs, SPARK_MINUTES), feeds: [feed] });
    this.parts.why.toggleAttribute('data-income', ofShift !== null);
    const label = `${i18n.t('why')} ${name}`;
    setAttribute(this.parts.why, 'aria-label', label);
  }

  /** The remaining time of a shift is in the totals, once for all of its rooms. @param {import('../state/shift_income.js').Progress} progress @param {import('../i18n/i18n.js').I18n} i18n */
  #paintTarget({ target, share }, i18n) {
    this.#paintBar(share ?? 0, i18n.t('target_label'));
    const known = target !== null && share !== null;
    const percent = known ? i18n.percentage.format(Math.floor(share * 100) / 100) : '';
    const goal = target === null ? i18n.t('no_target') : `${i18n.t('target_label')} ${i18n.number(target)}`;
    setText(this.parts.goalOf, known ? i18n.t('share_of_target', { share: percent, target }) : goal);
    setText(this.parts.goalShare, '');
  }

  /** @param {number} share @param {string} label */
  #paintBar(share, label) {
    const { track, fill } = this.parts;
    const percent = String(Math.floor(Math.min(1, share) * 100));
    fill.style.setProperty('--share', percent);
    setData(this.parts.goal, 'reached', share >= 1 ? 'yes' : 'no');
    setAttribute(track, 'aria-valuenow', percent);
    setAttribute(track, 'aria-label', label);
  }

  /** @param {Feed} feed @param {import('../i18n/i18n.js').I18n} i18n */
  #paintGoal({ tokens, goal }, i18n) {
    const { goalOf, goalShare } = this.parts;
    const share = goal && tokens !== null ? Math.min(1, tokens / goal) : 0;
    this.#paintBar(share, i18n.t('goal_label'));
    setText(goalOf, goal === null ? i18n.t('no_goal') : `${i18n.t('goal_label')} ${i18n.number(goal)}`);
    setText(
      goalShare,
      goal === null ? '' : tokens === null ? '—' : i18n.percentage.format(Math.floor(share * 100) / 100),
    );
  }
}

/** What tokens are worth, empty where the studio has no currency. @param {number | null} tokens @param {Store} store @param {import('../i18n/i18n.js').I18n} i18n */
export function moneyText(tokens, { studio }, i18n) {
  const worth = tokens === null ? null : studio.worth(tokens);
  return worth ? i18n.money(worth) : '';
}

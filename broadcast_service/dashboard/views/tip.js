/** The small box that says what a square of the heat map means. */

import { statusOf } from '../store.js';
import { earnedLately } from './heatmap.js';

/** @typedef {import('../store.js').Store} Store */

export class Tip {
  /** @param {HTMLElement} box @param {Store} store @param {() => import('./moment.js').Moment} moment */
  constructor(box, store, moment) {
    this.box = box;
    this.store = store;
    this.moment = moment;
    this.lines = ['b', 'span', 'span', 'span'].map((tag) => document.createElement(tag));
    box.append(...this.lines);
  }

  /** @param {HTMLElement} anchor @param {import('../store.js').Feed} feed */
  show(anchor, feed) {
    const moment = this.moment();
    const { speech } = moment;
    const status = speech.say(`status_${statusOf(feed, moment.nowMs, this.store, moment.trusted)}`);
    const amount = earnedLately(feed, moment.nowMs);
    const words = [
      feed.room,
      `${feed.platform} · ${status} · ${speech.age(Math.max(0, moment.nowMs / 1000 - feed.readAt))}`,
      `${speech.number(feed.tokens)} ${speech.say('tokens')} · ${amount ? speech.say('earned_lately', { amount }) : speech.say('earned_none')}`,
      `${speech.number(feed.viewers)} ${speech.say('viewers')} · ${speech.number(feed.tips)} ${speech.say('tips')}`,
    ];
    for (const [i, line] of this.lines.entries()) line.textContent = words[i] ?? '';
    anchor.setAttribute('aria-describedby', this.box.id);
    this.box.hidden = false;
    this.#place(anchor.getBoundingClientRect());
  }

  hide() {
    this.box.hidden = true;
  }

  /** @param {DOMRect} anchor */
  #place(anchor) {
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = Math.min(Math.max(8, anchor.left + anchor.width / 2 - width / 2), innerWidth - width - 8);
    const above = anchor.top - height - 8;
    this.box.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > 8 ? above : anchor.bottom + 8)}px)`;
  }
}

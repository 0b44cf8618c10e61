/** Short lists of rooms: who earns most, who has become slow, and what happened. */

import { HOUR, RECENT } from '../state/leaders.js';
import { setData, setHidden, setName, setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';
import { lastMinutes, pointAtPage, showIncome } from './why_link.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {{id: string, room: string, platform: string, value: string, share?: number, kind?: string, words?: string, why?: {from: number, to: number}}} Line `why`: the value is income of this span */

/** A list whose lines keep their elements, and so the focus, from one drawing to the next. */
export class RoomList {
  /** @type {Map<string, {item: HTMLElement, link: HTMLElement, words: HTMLElement, value: HTMLElement}>} */
  #lines = new Map();

  /** @param {HTMLElement} root @param {HTMLElement} empty the sentence in place of an empty list @param {(room: string) => string} nameOf a room */
  constructor(root, empty, nameOf) {
    this.root = root;
    this.empty = empty;
    this.nameOf = nameOf;
  }

  clear() {
    this.#lines.clear();
    this.root.replaceChildren();
  }

  /** @param {Line[]} lines @param {I18n} i18n */
  paint(lines, i18n) {
    setHidden(this.empty, lines.length > 0);
    setHidden(this.root, lines.length === 0);
    const ids = new Set(lines.map(({ id }) => id));
    for (const id of this.#lines.keys()) if (!ids.has(id)) this.#lines.delete(id);
    reconcile(
      this.root,
      lines.map((line) => this.#line(line, i18n)),
    );
  }

  /** @param {Line} line @param {I18n} i18n */
  #line(line, i18n) {
    const parts = this.#lines.get(line.id) ?? this.#create(line);
    setName(parts.link, this.nameOf(line.room), line.platform);
    setText(parts.words, line.words ?? '');
    if (line.why)
      showIncome(parts.value, line.value, { ...line.why, feeds: [line] }, i18n, { name: this.nameOf(line.room) });
    else setText(parts.value, line.value);
    pointAtPage(parts.link, { view: 'room', room: line.room, platform: line.platform });
    if (line.kind) setData(parts.item, 'kind', line.kind);
    const share = String(Math.round((line.share ?? 0) * 100));
    if (parts.item.style.getPropertyValue('--share') !== share) parts.item.style.setProperty('--share', share);
    return parts.item;
  }

  /** @param {Line} line */
  #create({ id }) {
    const words = element('span', { class: 'line-words' });
    const value = element('span', { class: 'line-value' });
    const link = element('a', { translate: 'no' });
    const parts = { item: element('li', {}, link, words, value), link, words, value };
    this.#lines.set(id, parts);
    return parts;
  }
}

/** @param {import('../state/leaders.js').Leader[]} leaders @param {number} asOfMs @param {I18n} i18n @returns {Line[]} */
export const leaderLines = (leaders, asOfMs, i18n) =>
  leaders.map(({ feed, earned }) => ({
    id: feed.key,
    room: feed.room,
    platform: feed.platform,
    value: i18n.number(earned),
    share: earned / (leaders[0]?.earned ?? 1),
    why: lastMinutes(asOfMs, HOUR),
  }));

/** @param {import('../state/leaders.js').Slow[]} slow @param {number} asOfMs @param {I18n} i18n @returns {Line[]} */
export const slowLines = (slow, asOfMs, i18n) =>
  slow.map(({ feed, change, perHour }) => ({
    id: feed.key,
    room: feed.room,
    platform: feed.platform,
    words: `▼ ${i18n.percentage.format(-change)}`,
    value: i18n.t('per_hour_short', { amount: Math.round(perHour) }),
    why: lastMinutes(asOfMs, RECENT),
    kind: 'slow',
  }));

/** @param {import('../state/event_log.js').RoomEvent[]} events @param {I18n} i18n @returns {Line[]} */
export const eventLines = (events, i18n) =>
  events.map(({ id, atMs, room, platform, kind, value }) => ({
    id: String(id),
    room,
    platform,
    words: eventText(kind, value, i18n),
    value: i18n.hour.format(atMs),
    kind,
  }));

/** @param {import('../state/event_log.js').EventKind} kind @param {number} value @param {I18n} i18n */
function eventText(kind, value, i18n) {
  if (kind === 'goal') return i18n.t('event_goal', { goal: value });
  if (kind === 'off_air' && value >= 60) return i18n.t('event_off_air_after', { span: i18n.span(value) });
  return i18n.t(`event_${kind}`);
}

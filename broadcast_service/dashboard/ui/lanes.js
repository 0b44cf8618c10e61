/**
 * Several lanes over one time axis as SVG: bars and lines, the same time a week before in grey, time off air shaded, marks, and one crosshair.
 *
 * The crosshair is a slider: a mouse, the arrow keys or a tap move it from bar to bar. Enter and a click of the mouse open the bar under it; dragging
 * the mouse marks a part of the time to zoom into, and + and - zoom by key.
 */

import { element } from './element.js';
import { placeLabels, timeTicks, valueTicks } from './scales.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {{t: number, value: number}} Value `t` is in milliseconds */
/**
 * @typedef {object} Lane
 * @property {'bars' | 'line'} kind
 * @property {string} name
 * @property {string} unit
 * @property {number} share of the height
 * @property {'audience'} [of] what a line shows, where it has a colour of its own
 * @property {Value[]} points in order
 * @property {Value[]} [before] of a week before, at the moments of this week
 * @property {number} [gapMs] the longest gap that a line bridges
 * @property {boolean} [fromZero] bars always are; a line of balances would be flat if it were
 */
/**
 * @typedef {object} Picture
 * @property {number} fromMs
 * @property {number} toMs
 * @property {number} stepMs width of a bar, and of a step of the crosshair
 * @property {number} endMs now, if it is in the span
 * @property {Lane[]} lanes the first one names the picture
 * @property {{fromMs: number, toMs: number}[]} offAir
 * @property {{atMs: number, kind: string, words: string}[]} marks
 * @property {(atMs: number) => string} hrefOf what explains a bar
 */

const SVG = 'http://www.w3.org/2000/svg';
const RIGHT = 8;
const TITLE = 1.5; // of the type: room for a lane's name
const DRAG_PX = 6;
const MAX_BAR_WIDTH = 64;

export class Lanes {
  #svg = document.createElementNS(SVG, 'svg');
  #time = element('b', { class: 'lanes-time' });
  #values = element('span', { class: 'lanes-values' });
  #why = element('a', { class: 'lanes-why' });
  #readout = element('p', { class: 'chart-readout' }, this.#time, ' ', this.#values, ' ', this.#why);
  /** @type {{picture: Picture, i18n: I18n} | null} */
  #shown = null;
  /** @type {number | null} the moment of the bar under the crosshair */
  #at = null;
  /** @type {{lane: Lane, top: number, bottom: number, y: (value: number) => number}[]} */
  #drawn = [];
  #left = 52;
  /** @type {number | null} where a drag of the mouse began */
  #dragFrom = null;
  #x = (/** @type {number} */ _ms) => 0;
  #ms = (/** @type {number} */ _x) => 0;

  /**
   * @param {HTMLElement} root
   * @param {{onZoom: (fromMs: number, toMs: number) => void, onZoomOut: () => void}} handlers
   */
  constructor(root, { onZoom, onZoomOut }) {
    this.root = root;
    this.onZoom = onZoom;
    this.onZoomOut = onZoomOut;
    root.classList.add('chart', 'lanes');
    this.#svg.setAttribute('tabindex', '0');
    this.#svg.setAttribute('role', 'slider');
    root.append(this.#readout, this.#svg);
    new ResizeObserver(() => this.#draw()).observe(root);
    this.#svg.addEventListener('pointerdown', (event) => this.#press(event));
    this.#svg.addEventListener('pointermove', (event) => this.#move(event));
    this.#svg.addEventListener('pointerup', (event) => this.#release(event));
    this.#svg.addEventListener('pointercancel', () => this.#endDrag());
    this.#svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse' && this.#dragFrom === null && document.activeElement !== this.#svg)
        this.#point(null);
    }); // a finger leaves with every tap
    root.addEventListener('focusout', (event) => {
      if (!(event.relatedTarget instanceof Node && root.contains(event.relatedTarget))) this.#point(null);
    });
    this.#svg.addEventListener('focus', () => {
      if (this.#at === null && this.#svg.matches(':focus-visible')) this.#point(this.#last());
    });
    this.#svg.addEventListener('keydown', (event) => this.#key(event));
    document.addEventListener('pointerdown', (event) => {
      if (event.target instanceof Node && !root.contains(event.target)) this.#point(null);
    });
  }

  /** @param {Picture} picture @param {I18n} i18n */
  show(picture, i18n) {
    this.#shown = { picture, i18n };
    // A picture of another span has other bars: the crosshair is at the beginning of one.
    if (this.#at !== null)
      this.#at = this.#at < picture.fromMs || this.#at >= picture.toMs ? null : this.#barOf(this.#at);
    this.#draw();
  }

  clear() {
    this.#shown = null;
    this.#at = null;
    this.#svg.replaceChildren();
    for (const name of ['aria-label', 'aria-valuetext', 'aria-valuenow', 'aria-valuemin', 'aria-valuemax'])
      this.#svg.removeAttribute(name);
    this.#time.textContent = this.#values.textContent = this.#why.textContent = '';
  }

  /** The moment of the crosshair. */
  get at() {
    return this.#at;
  }

  #draw() {
    const { clientWidth: width, clientHeight } = this.root;
    const height = clientHeight - this.#readout.offsetHeight;
    if (!this.#shown || width < 40 || height < 80) return;
    const { picture, i18n } = this.#shown;
    const { fromMs, toMs, lanes } = picture;
    const type = Number.parseFloat(getComputedStyle(this.root).fontSize) * 0.8;
    const scales = lanes.map((lane) => scaleOf(lane));
    const words = scales.map((ticks) => i18n.axis(ticks));
    this.#left = Math.max(36, ...words.flat().map((text) => text.length * type * 0.64 + 12));
    const bottom = height - type * 2.1;
    const across = width - this.#left - RIGHT;
    this.#x = (ms) => this.#left + ((ms - fromMs) / (toMs - fromMs)) * across;
    this.#ms = (x) => fromMs + ((x - this.#left) / across) * (toMs - fromMs);
    const total = lanes.reduce((sum, { share }) => sum + share, 0);
    let top = 0;
    this.#drawn = lanes.map((lane, i) => {
      const own = (bottom * lane.share) / total;
      const [high, low] = [top + type * TITLE + 4, top + own - 4];
      top += own;
      const [least, most] = [scales[i]?.[0] ?? 0, scales[i]?.at(-1) ?? 1];
      return { lane, top: high, bottom: low, y: (value) => low - ((value - least) / (most - least)) * (low - high) };
    });
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#svg.setAttribute('aria-label', summaryOf(lanes[0], i18n));
    const most = Math.max(2, width / (type * (isLong(picture) ? 5.5 : 8.5)));
    const times = timeTicks(fromMs, toMs, most, i18n.zone).map((tick) => ({
      x: this.#x(tick),
      text: label(
        (isLong(picture) ? i18n.weekday : i18n.hour).format(tick),
        this.#x(tick),
        height - type * 0.5,
        'middle',
      ),
    }));
    this.#svg.replaceChildren(
      shape('rect', { class: 'lanes-ground', x: this.#left, y: 0, width: Math.max(0, across), height: bottom }),
      ...this.#offAir(picture, bottom),
      ...times.map(({ x }) => shape('line', { class: 'chart-grid', x1: x, x2: x, y1: 0, y2: bottom })),
      ...this.#drawn.flatMap((drawn, i) => this.#lane(drawn, scales[i] ?? [], words[i] ?? [], picture, width, type)),
      ...this.#marks(picture, bottom),
      ...times.map(({ text }) => text),
      shape('rect', { class: 'lanes-brush', x: 0, y: 0, width: 0, height: bottom }),
      this.#cursor(),
    );
    const places = placeLabels(
      times.map(({ text, x }) => ({ x, width: text.getComputedTextLength() })),
      this.#left - 12,
      width,
    );
    for (const [i, { text }] of times.entries()) {
      const place = places[i] ?? null;
      if (place === null) text.remove();
      else text.setAttribute('x', String(place));
    }
    this.#announce();
  }

  /**
   * @param {{lane: Lane, top: number, bottom: number, y: (value: number) => number}} drawn @param {number[]} ticks @param {string[]} words
   * @param {Picture} picture @param {number} width @param {number} type size in pixels
   */
  #lane({ lane, top, bottom, y }, ticks, words, picture, width, type) {
    const grid = ticks.flatMap((tick, i) => {
      const at = Math.round(y(tick)) + 0.5;
      return [
        shape('line', { class: 'chart-grid', x1: this.#left, x2: width - RIGHT, y1: at, y2: at }),
        label(words[i] ?? '', this.#left - 8, at + type * 0.35, 'end'),
      ];
    });
    const name = label(lane.name, this.#left + 4, top - type * 0.45, 'start');
    name.setAttribute('class', 'chart-label lanes-name');
    const { before = [], points } = lane;
    if (lane.kind === 'line')
      return [
        ...grid,
        shape('path', { class: 'chart-line lanes-before', d: this.#path(before, lane, y) }),
        shape('path', { class: 'chart-line', 'data-of': lane.of ?? '', d: this.#path(points, lane, y) }),
        name,
      ];
    const slot = this.#x(picture.stepMs) - this.#x(0);
    const gap = Math.max(slot > 6 ? Math.min(4, slot * 0.2) : slot * 0.15, slot - MAX_BAR_WIDTH);
    const bars = (/** @type {Value[]} */ values) =>
      values
        .filter(({ value }) => value > 0)
        .map(({ t, value }) => {
          const tall = Math.max(1, bottom - y(value));
          return `M${(this.#x(t) + gap / 2).toFixed(1)} ${bottom.toFixed(1)}v${(-tall).toFixed(1)}h${(slot - gap).toFixed(1)}v${tall.toFixed(1)}z`;
        })
        .join('');
    const isOpen = (/** @type {Value} */ { t }) => t + picture.stepMs > picture.endMs;
    return [
      ...grid,
      shape('path', { class: 'lanes-bars-before', d: bars(before) }),
      shape('path', { class: 'chart-bars', d: bars(points.filter((one) => !isOpen(one))) }),
      shape('path', { class: 'chart-bars chart-open', d: bars(points.filter(isOpen)) }),
      name,
    ];
  }

  /** A gap in the readings is a gap in the line. @param {Value[]} points @param {Lane} lane @param {(value: number) => number} y */
  #path(points, { gapMs = Infinity }, y) {
    return points
      .map(({ t, value }, i) => {
        const before = points[i - 1];
        return `${before && t - before.t <= gapMs ? 'L' : 'M'}${this.#x(t).toFixed(1)} ${y(value).toFixed(1)}`;
      })
      .join('');
  }

  /** @param {Picture} picture @param {number} bottom */
  #offAir({ offAir, fromMs, toMs }, bottom) {
    return offAir.map((stretch) => {
      const [left, right] = [Math.max(fromMs, stretch.fromMs), Math.min(toMs, stretch.toMs)].map((ms) => this.#x(ms));
      return shape('rect', {
        class: 'lanes-off',
        x: left ?? 0,
        y: 0,
        width: Math.max(1, (right ?? 0) - (left ?? 0)),
        height: bottom,
      });
    });
  }

  /** Each kind has a shape of its own, in a row along the axis. @param {Picture} picture @param {number} bottom */
  #marks({ marks }, bottom) {
    const lane = this.#drawn.at(-1);
    if (!lane) return [];
    return marks.map(({ atMs, kind }) => {
      const [x, y] = [this.#x(atMs), bottom - 5];
      const d =
        kind === 'fall'
          ? `M${x - 5} ${y - 5}h10l-5 9z`
          : kind === 'set_aside'
            ? `M${x - 4} ${y - 5}l8 8m0 -8l-8 8`
            : `M${x} ${y - 6}l5 5l-5 5l-5 -5z`;
      const group = shape('g', { class: 'lanes-mark', 'data-kind': kind });
      group.append(shape('line', { x1: x, x2: x, y1: lane.top, y2: y - 6 }), shape('path', { d }));
      return group;
    });
  }

  #cursor() {
    const group = shape('g', { class: 'chart-cursor' });
    const lane = this.#drawn.at(-1);
    if (this.#at === null || !this.#shown || !lane) return group;
    const { stepMs } = this.#shown.picture;
    const x = this.#x(this.#at + stepMs / 2);
    group.append(shape('line', { x1: x, x2: x, y1: 0, y2: lane.bottom }));
    for (const { lane: own, y } of this.#drawn) {
      const point = this.#valueOf(own);
      if (point) group.append(shape('circle', { cx: x, cy: y(point.value), r: 4 }));
    }
    return group;
  }

  /** The value of a lane in the bar under the crosshair: of a line, the last one. @param {Lane} lane @param {Value[]} [points] */
  #valueOf(lane, points = lane.points) {
    if (this.#at === null || !this.#shown) return;
    const [from, to] = [this.#at, this.#at + this.#shown.picture.stepMs];
    let found;
    for (const point of points) if (point.t >= from && point.t < to) found = point; // the oldest browsers have no findLast
    return found;
  }

  #announce() {
    if (!this.#shown) return;
    const { picture, i18n } = this.#shown;
    const { fromMs, toMs, stepMs, lanes, offAir, marks, hrefOf } = picture;
    const at = this.#at;
    const attributes = { 'aria-valuemin': '0', 'aria-valuemax': String(Math.ceil((toMs - fromMs) / stepMs) - 1) };
    for (const [name, value] of Object.entries(attributes)) this.#svg.setAttribute(name, value);
    if (at === null) {
      this.#svg.setAttribute('aria-valuenow', attributes['aria-valuemax']);
      const hint = i18n.t(matchMedia('(pointer: coarse)').matches ? 'lanes_hint_touch' : 'lanes_hint');
      this.#svg.setAttribute('aria-valuetext', hint);
      this.#time.textContent = '';
      this.#values.textContent = hint;
      this.#why.textContent = '';
      this.#why.hidden = true;
      return;
    }
    const values = lanes.flatMap((lane) => {
      const value = this.#valueOf(lane)?.value;
      const before = lane.before ? this.#valueOf(lane, lane.before)?.value : undefined;
      return value === undefined && before === undefined
        ? []
        : [
            `${value === undefined ? '—' : i18n.number(Math.round(value))} ${lane.unit}${before === undefined ? '' : ` (${i18n.t('lanes_before', { amount: Math.round(before) })})`}`,
          ];
    });
    const open = at + stepMs > picture.endMs && at <= picture.endMs ? [i18n.t('so_far')] : [];
    const own = marks.filter(({ atMs }) => atMs >= at && atMs < at + stepMs).map((mark) => mark.words);
    const isOff = offAir.some((stretch) => stretch.fromMs <= at && stretch.toMs >= at + stepMs);
    const time = `${i18n.moment.format(at)} – ${i18n.hour.format(at + stepMs)}`;
    const words =
      [...values, ...open, ...(isOff ? [i18n.t('status_off_air')] : []), ...new Set(own)].join(' · ') || '—';
    this.#time.textContent = time;
    this.#values.textContent = words;
    this.#why.hidden = false;
    this.#why.textContent = i18n.t('why');
    this.#why.setAttribute('href', hrefOf(at));
    this.#svg.setAttribute('aria-valuenow', String(Math.round((at - fromMs) / stepMs)));
    this.#svg.setAttribute('aria-valuetext', `${time}: ${words}`);
  }

  /** The bar that contains a moment. @param {number} ms */
  #barOf(ms) {
    if (!this.#shown) return 0;
    const { fromMs, toMs, stepMs } = this.#shown.picture;
    const index = Math.floor((ms - fromMs) / stepMs);
    return fromMs + Math.min(Math.ceil((toMs - fromMs) / stepMs) - 1, Math.max(0, index)) * stepMs;
  }

  /** The newest bar with a value. */
  #last() {
    if (!this.#shown) return null;
    const { lanes, fromMs } = this.#shown.picture;
    return this.#barOf(Math.max(fromMs, ...lanes.map(({ points }) => points.at(-1)?.t ?? fromMs)));
  }

  /** @param {number | null} at */
  #point(at) {
    if (at === this.#at || !this.#shown) return;
    this.#at = at;
    this.#svg.lastElementChild?.replaceWith(this.#cursor());
    this.#announce();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (!this.#shown) return;
    this.#point(this.#barOf(this.#ms(event.offsetX)));
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    this.#dragFrom = event.offsetX;
    this.#svg.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#shown) return;
    this.#point(this.#barOf(this.#ms(event.offsetX)));
    if (this.#dragFrom === null) return;
    const [from, to] = [this.#dragFrom, event.offsetX].sort((a, b) => a - b);
    const brush = this.#svg.querySelector('.lanes-brush');
    brush?.setAttribute('x', String(from));
    brush?.setAttribute('width', String(Math.max(0, (to ?? 0) - (from ?? 0))));
  }

  /** @param {PointerEvent} event */
  #release(event) {
    const from = this.#dragFrom;
    this.#endDrag();
    if (from === null || event.pointerType !== 'mouse' || !this.#shown) return;
    if (Math.abs(event.offsetX - from) > DRAG_PX) this.onZoom(this.#ms(from), this.#ms(event.offsetX));
    else this.#why.click();
  }

  #endDrag() {
    this.#dragFrom = null;
    this.#svg.querySelector('.lanes-brush')?.setAttribute('width', '0');
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.#shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { fromMs, toMs, stepMs } = this.#shown.picture;
    const at = this.#at ?? this.#last() ?? fromMs;
    const far = stepMs * (event.shiftKey ? 10 : 1);
    const to = {
      ArrowLeft: at - far,
      ArrowDown: at - far,
      ArrowRight: at + far,
      ArrowUp: at + far,
      PageDown: at - 10 * stepMs,
      PageUp: at + 10 * stepMs,
      Home: fromMs,
      End: this.#last() ?? toMs,
    }[event.key];
    if (to !== undefined) this.#point(this.#barOf(to));
    else if (event.key === 'Enter') this.#why.click();
    else if (event.key === '+') this.onZoom(at - (toMs - fromMs) / 8, at + (toMs - fromMs) / 8);
    else if (event.key === '-' || event.key === 'Escape') this.onZoomOut();
    else return;
    event.preventDefault();
  }
}

/** @param {Lane} lane */
function scaleOf({ kind, points, before = [], fromZero = true }) {
  const values = [...points, ...before].map(({ value }) => value);
  const least = kind === 'bars' || fromZero || values.length === 0 ? 0 : Math.min(...values);
  return valueTicks(least, Math.max(least, ...values), 3);
}

/** @param {Picture} picture */
const isLong = ({ fromMs, toMs }) => toMs - fromMs > 2 * 86_400_000;

/** @param {Lane | undefined} lane @param {I18n} i18n */
function summaryOf(lane, i18n) {
  if (!lane) return '';
  if (lane.points.length === 0) return `${lane.name}: ${i18n.t('chart_empty')}`;
  const most = lane.points.reduce((best, point) => (point.value > best.value ? point : best));
  return `${lane.name}. ${i18n.t('chart_most', { value: Math.round(most.value), time: i18n.moment.format(most.t) })} ${lane.unit}`;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function shape(tag, attributes) {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  return created;
}

/** @param {string} words @param {number} x @param {number} y @param {string} anchor */
function label(words, x, y, anchor) {
  const created = /** @type {SVGTextElement} */ (shape('text', { class: 'chart-label', x, y, 'text-anchor': anchor }));
  created.textContent = words;
  return created;
}

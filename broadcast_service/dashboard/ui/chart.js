/**
 * Bars or a line over time as SVG, drawn to the size it is given, with a crosshair that shows the value under the pointer or the arrow keys.
 */

import { placeLabels, timeTicks, valueTicks } from './scales.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/**
 * @typedef {object} Series
 * @property {'bars' | 'line'} kind
 * @property {number} fromMs
 * @property {number} toMs
 * @property {number} stepMs width of a bar, and the longest gap that a line bridges is three of them
 * @property {{t: number, value: number}[]} points times in ms
 * @property {string} name
 * @property {string} [unit]
 * @property {number} [openFromMs] from here on a bar is not complete
 * @property {boolean} [fromZero] bars always are; a line of balances would be flat if it were
 */

const SVG = 'http://www.w3.org/2000/svg';
const [RIGHT, TOP] = [8, 10];
/** A bar is no wider than this, however few there are: just after midnight today has one. */
const MAX_BAR_WIDTH = 64;

export class Chart {
  #svg = document.createElementNS(SVG, 'svg');
  #readout = document.createElement('p');
  /** @type {{series: Series, i18n: I18n} | null} */
  #shown = null;
  /** @type {number | null} index of the pointed-at value */
  #at = null;
  /** Room for the labels, which grow with the page's type. */
  #left = 52;
  #bottom = 24;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    root.classList.add('chart');
    this.#readout.className = 'chart-readout';
    this.#readout.setAttribute('aria-live', 'polite');
    this.#svg.setAttribute('tabindex', '0');
    this.#svg.setAttribute('role', 'img');
    root.append(this.#readout, this.#svg);
    new ResizeObserver(() => this.#draw()).observe(root);
    for (const type of /** @type {const} */ (['pointermove', 'pointerdown']))
      this.#svg.addEventListener(type, (event) => this.#point(this.#nearest(event.offsetX)));
    this.#svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.#point(null);
    }); // a finger leaves with every tap
    this.#svg.addEventListener('blur', () => this.#point(null));
    this.#svg.addEventListener('keydown', (event) => this.#moveByKey(event));
  }

  /** @param {Series} series @param {I18n} i18n */
  show(series, i18n) {
    const pointedAt = this.#at === null ? null : this.#shown?.series.points[this.#at]?.t;
    this.#shown = { series, i18n };
    const at = series.points.findIndex(({ t }) => t === pointedAt);
    this.#at = at < 0 ? null : at;
    this.#draw();
  }

  clear() {
    this.#shown = null;
    this.#svg.replaceChildren();
    this.#svg.removeAttribute('aria-label');
    this.#readout.textContent = '';
  }

  #draw() {
    const { clientWidth: width, clientHeight } = this.root;
    const height = clientHeight - this.#readout.offsetHeight;
    if (!this.#shown || width < 40 || height < 40) return;
    const { series, i18n } = this.#shown;
    const values = series.points.map(({ value }) => value);
    const ticks = valueTicks(
      series.fromZero === false && values.length > 0 ? Math.min(...values) : 0,
      Math.max(0, ...values),
    );
    const [least, most] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
    const type = Number.parseFloat(getComputedStyle(this.root).getPropertyValue('font-size')) * 0.8;
    this.#left = Math.max(36, ...i18n.axis(ticks).map((words) => words.length * type * 0.64 + 12));
    this.#bottom = type * 2.1;
    this.x = (/** @type {number} */ t) =>
      this.#left + ((t - series.fromMs) / (series.toMs - series.fromMs)) * (width - this.#left - RIGHT);
    this.y = (/** @type {number} */ value) =>
      height - this.#bottom - ((value - least) / (most - least)) * (height - TOP - this.#bottom);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#svg.setAttribute('aria-label', summary(series, i18n));
    const times = this.#times(series, width, height, type, i18n);
    this.#svg.replaceChildren(
      ...this.#grid(ticks, width, type, i18n),
      ...times.map(({ text }) => text),
      ...this.#marks(series, height),
      this.#cursor(series, height),
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
    this.#updateReadout();
  }

  /** @param {number[]} ticks @param {number} width @param {number} type size in pixels @param {I18n} i18n */
  #grid(ticks, width, type, i18n) {
    const words = i18n.axis(ticks);
    return ticks.flatMap((tick, i) => {
      const y = Math.round(this.#y(tick)) + 0.5;
      return [
        shape('line', { class: 'chart-grid', x1: this.#left, x2: width - RIGHT, y1: y, y2: y }),
        label(words[i] ?? '', this.#left - 8, y + type * 0.35, 'end'),
      ];
    });
  }

  /** @param {Series} series @param {number} width @param {number} height @param {number} type size in pixels @param {I18n} i18n */
  #times({ fromMs, toMs }, width, height, type, i18n) {
    const week = toMs - fromMs > 2 * 86_400_000;
    const format = week ? i18n.weekday : i18n.hour;
    const ticks = timeTicks(fromMs, toMs, Math.max(2, width / (type * (week ? 5.5 : 8.5))));
    return ticks.map((tick) => ({
      x: this.#x(tick),
      text: label(format.format(tick), this.#x(tick), height - type * 0.5, 'middle'),
    }));
  }

  /** @param {Series} series @param {number} height */
  #marks({ kind, points, stepMs, openFromMs = Infinity }, height) {
    if (kind === 'line') return [shape('path', { class: 'chart-line', d: this.#path(points, stepMs) })];
    const base = height - this.#bottom;
    const slot = this.#x(stepMs) - this.#x(0);
    const gap = Math.max(slot > 6 ? Math.min(4, slot * 0.2) : slot * 0.15, slot - MAX_BAR_WIDTH);
    const bar = (/** @type {{t: number, value: number}} */ { t, value }) => {
      const tall = Math.max(1, base - this.#y(value));
      const round = Math.min(3, (slot - gap) / 2, tall);
      return `M${(this.#x(t) + gap / 2).toFixed(1)} ${base}v${(round - tall).toFixed(1)}q0 ${-round} ${round} ${-round}h${(slot - gap - 2 * round).toFixed(1)}q${round} 0 ${round} ${round}v${(tall - round).toFixed(1)}z`;
    };
    const earning = points.filter(({ value }) => value > 0);
    const path = (/** @type {boolean} */ open) =>
      earning
        .filter(({ t }) => t >= openFromMs === open)
        .map(bar)
        .join('');
    return [
      shape('path', { class: 'chart-bars', d: path(false) }),
      shape('path', { class: 'chart-bars chart-open', d: path(true) }),
    ];
  }

  /** A gap in the readings is a gap in the line. @param {{t: number, value: number}[]} points @param {number} stepMs */
  #path(points, stepMs) {
    return points
      .map(({ t, value }, i) => {
        const before = points[i - 1];
        return `${before && t - before.t <= 3 * stepMs ? 'L' : 'M'}${this.#x(t).toFixed(1)} ${this.#y(value).toFixed(1)}`;
      })
      .join('');
  }

  /** @param {Series} series @param {number} height */
  #cursor({ points, kind, stepMs }, height) {
    const group = shape('g', { class: 'chart-cursor' });
    const point = this.#at === null ? undefined : points[this.#at];
    if (!point) return group;
    const x = this.#x(point.t + (kind === 'bars' ? stepMs / 2 : 0));
    group.append(
      shape('line', { x1: x, x2: x, y1: TOP, y2: height - this.#bottom }),
      shape('circle', { cx: x, cy: this.#y(point.value), r: 4 }),
    );
    return group;
  }

  /** @param {number | null} index */
  #point(index) {
    if (index === this.#at || !this.#shown) return;
    this.#at = index;
    this.#svg.lastElementChild?.replaceWith(
      this.#cursor(this.#shown.series, this.root.clientHeight - this.#readout.offsetHeight),
    );
    this.#updateReadout();
  }

  /** @param {number} offsetX */
  #nearest(offsetX) {
    const { points, kind, stepMs } = this.#shown?.series ?? { points: [], kind: 'line', stepMs: 0 };
    let best = null;
    let least = Infinity;
    for (const [i, { t }] of points.entries()) {
      const distance = Math.abs(this.#x(t + (kind === 'bars' ? stepMs / 2 : 0)) - offsetX);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  /** @param {KeyboardEvent} event */
  #moveByKey(event) {
    const last = (this.#shown?.series.points.length ?? 0) - 1;
    const at = this.#at ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#point(Math.min(last, Math.max(0, to)));
  }

  #updateReadout() {
    if (!this.#shown) return;
    const { series, i18n } = this.#shown;
    const point = this.#at === null ? undefined : series.points[this.#at];
    const words = point
      ? `${i18n.moment.format(point.t)} · ${i18n.number(Math.round(point.value))} ${series.unit ?? ''}${point.t >= (series.openFromMs ?? Infinity) ? ` · ${i18n.t('so_far')}` : ''}`
      : '\u00a0';
    if (this.#readout.textContent !== words) this.#readout.textContent = words;
  }

  /** @param {number} t */
  #x(t) {
    return this.x?.(t) ?? 0;
  }
  /** @param {number} value */
  #y(value) {
    return this.y?.(value) ?? 0;
  }
}

/** @param {Series} series @param {I18n} i18n */
function summary({ name, points, unit }, i18n) {
  if (points.length === 0) return `${name}: ${i18n.t('chart_empty')}`;
  const most = points.reduce((best, point) => (point.value > best.value ? point : best));
  return `${name}. ${i18n.t('chart_most', { value: Math.round(most.value), time: i18n.moment.format(most.t) })} ${unit ?? ''}`.trim();
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** @param {string} words @param {number} x @param {number} y @param {string} anchor */
function label(words, x, y, anchor) {
  const element = /** @type {SVGTextElement} */ (shape('text', { class: 'chart-label', x, y, 'text-anchor': anchor }));
  element.textContent = words;
  return element;
}

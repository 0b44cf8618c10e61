/**
 * Stacked bars over the steps of a report as SVG, with a legend, and the figures of a step under the pointer or the arrow keys. A step that is not
 * over is hatched, and one in which nothing was measured is marked at the foot.
 */

import { setText } from './dom.js';
import { element } from './element.js';
import { reconcile } from './reconcile.js';
import { valueTicks } from './scales.js';

/** @typedef {import('../i18n/i18n.js').I18n} I18n */
/** @typedef {{name: string, values: number[]}} Part the last one may be of all others */
/**
 * @typedef {object} Stack
 * @property {string} name
 * @property {Part[]} parts from the foot up
 * @property {number[]} totals
 * @property {('future' | 'unknown' | 'open' | 'over')[]} states
 * @property {number[] | null} before the totals of the period before, by step
 * @property {string} beforeName
 * @property {string[]} labels of the steps, below the axis
 * @property {string[]} moments of the steps, in words
 * @property {(step: number) => string} hrefOf what explains a step
 * @property {(step: number) => string} beforeHrefOf the same of the period before
 */

const SVG = 'http://www.w3.org/2000/svg';
const [RIGHT, TOP] = [8, 10];
const MAX_BAR_WIDTH = 64;
/** Colours of the parts; the one of all others is the last. */
export const COLOURS = 6;

export class StackChart {
  #svg = document.createElementNS(SVG, 'svg');
  #words = element('span', { 'aria-live': 'polite' });
  #before = element('a', { class: 'lanes-why', 'data-income': '' });
  #why = element('a', { class: 'lanes-why' });
  #readout = element('p', { class: 'chart-readout' }, this.#words, ' ', this.#before, ' ', this.#why);
  #legend;
  /** @type {{stack: Stack, i18n: I18n} | null} */
  #shown = null;
  /** @type {number | null} the step that is pointed at */
  #at = null;
  #left = 52;
  #bottom = 24;
  #height = 0;
  #most = 1;

  /** @param {HTMLElement} root @param {HTMLElement} legend a list */
  constructor(root, legend) {
    this.root = root;
    this.#legend = legend;
    root.classList.add('chart');
    this.#svg.setAttribute('tabindex', '0');
    this.#svg.setAttribute('role', 'img');
    root.append(this.#readout, this.#svg);
    new ResizeObserver(() => this.#draw()).observe(root);
    for (const type of /** @type {const} */ (['pointermove', 'pointerdown']))
      this.#svg.addEventListener(type, (event) => this.#point(this.#stepAt(event.offsetX)));
    this.#svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.#point(null);
    }); // a finger leaves with every tap
    root.addEventListener('focusout', (event) => {
      if (!(event.relatedTarget instanceof Node && root.contains(event.relatedTarget))) this.#point(null);
    });
    this.#svg.addEventListener('click', (event) => {
      if (!matchMedia('(pointer: coarse)').matches) this.#open(this.#stepAt(event.offsetX)); // a finger points first
    });
    this.#svg.addEventListener('keydown', (event) => this.#moveByKey(event));
  }

  /** @param {Stack} stack @param {I18n} i18n */
  show(stack, i18n) {
    if (this.#shown?.stack.totals.length !== stack.totals.length) this.#at = null;
    this.#shown = { stack, i18n };
    this.#paintLegend(stack);
    this.#draw();
  }

  clear() {
    this.#shown = null;
    this.#at = null;
    this.#svg.replaceChildren();
    this.#svg.removeAttribute('aria-label');
    this.#legend.replaceChildren();
    for (const part of [this.#words, this.#before, this.#why]) setText(part, '');
    this.#before.hidden = this.#why.hidden = true;
  }

  /** Opens what explains a step that has begun. @param {number | null} step */
  #open(step) {
    this.#point(step);
    if (!this.#why.hidden) this.#why.click();
  }

  /** @param {Stack} stack */
  #paintLegend({ parts, before, beforeName }) {
    const known = new Map(
      [...this.#legend.children].map((item) => [/** @type {HTMLElement} */ (item).dataset.name, item]),
    );
    const items = [
      ...parts.map(({ name }, i) => ({ name, part: String(i) })),
      ...(before ? [{ name: beforeName, part: 'before' }] : []),
    ];
    reconcile(
      this.#legend,
      items.map(({ name, part }) => {
        const item =
          known.get(name) ??
          element(
            'li',
            { 'data-name': name },
            element('span', { class: 'swatch', 'aria-hidden': 'true' }),
            element('span', { translate: 'no' }, name),
          );
        item.firstElementChild?.setAttribute('data-part', part);
        return item;
      }),
    );
  }

  #draw() {
    const { clientWidth: width, clientHeight } = this.root;
    const height = clientHeight - this.#readout.offsetHeight;
    if (!this.#shown || width < 40 || height < 40) return;
    const { stack, i18n } = this.#shown;
    const ticks = valueTicks(0, Math.max(0, ...stack.totals, ...(stack.before ?? [])));
    const type = Number.parseFloat(getComputedStyle(this.root).fontSize) * 0.8;
    this.#most = ticks.at(-1) ?? 1;
    this.#height = height;
    this.#left = Math.max(36, ...i18n.axis(ticks).map((words) => words.length * type * 0.64 + 12));
    this.#bottom = type * 2.1;
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#svg.setAttribute('aria-label', summary(stack, i18n));
    const labels = stack.labels.map((words, i) => label(words, this.#middle(i, width), height - type * 0.5, 'middle'));
    this.#svg.replaceChildren(
      hatch(),
      ...this.#grid(ticks, width, type, i18n),
      ...labels,
      ...this.#bars(stack, width),
      ...this.#line(stack, width),
      this.#cursor(width),
    );
    const lengths = labels.map((text) => text.getComputedTextLength());
    const every = Math.max(1, Math.ceil((Math.max(0, ...lengths) + type) / this.#slot(width)));
    for (const [i, text] of labels.entries()) {
      const overhang = this.#middle(i, width) + (lengths[i] ?? 0) / 2 - width;
      if (i % every || overhang > 0) text.remove();
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

  /** One path for each part, and one for each part of the steps that are not over. @param {Stack} stack @param {number} width */
  #bars({ parts, states }, width) {
    const slot = this.#slot(width);
    const wide = Math.min(MAX_BAR_WIDTH, slot > 6 ? slot - Math.min(6, slot * 0.22) : slot * 0.85);
    const floors = states.map(() => 0);
    const paths = parts.flatMap(({ values }, part) => {
      const drawn = { over: '', open: '' };
      for (const [i, value] of values.entries()) {
        if (value <= 0) continue;
        const floor = floors[i] ?? 0;
        floors[i] = floor + value;
        const [low, high] = [this.#y(floor), this.#y(floor + value)];
        const path = `M${(this.#middle(i, width) - wide / 2).toFixed(1)} ${low.toFixed(1)}h${wide.toFixed(1)}V${high.toFixed(1)}h${(-wide).toFixed(1)}z`;
        drawn[states[i] === 'open' ? 'open' : 'over'] += path;
      }
      return [
        shape('path', { class: 'stack-part', 'data-part': part, d: drawn.over }),
        shape('path', { class: 'stack-part stack-open', 'data-part': part, d: drawn.open }),
        ...(drawn.open ? [shape('path', { class: 'stack-hatch', d: drawn.open })] : []),
      ];
    });
    const base = this.#y(0);
    const unknown = states
      .map((state, i) =>
        state === 'unknown' ? `M${(this.#middle(i, width) - wide / 2).toFixed(1)} ${base - 2}h${wide.toFixed(1)}` : '',
      )
      .join('');
    return [...paths, shape('path', { class: 'stack-unknown', d: unknown })];
  }

  /** The totals of the period before. @param {Stack} stack @param {number} width */
  #line({ before }, width) {
    if (!before) return [];
    const slot = this.#slot(width);
    const d = before
      .map(
        (value, i) =>
          `M${(this.#middle(i, width) - slot / 2).toFixed(1)} ${this.#y(value).toFixed(1)}h${slot.toFixed(1)}`,
      )
      .join('');
    return [shape('path', { class: 'stack-before', d })];
  }

  /** @param {number} width */
  #cursor(width) {
    const group = shape('g', { class: 'chart-cursor' });
    if (this.#at === null) return group;
    const slot = this.#slot(width);
    group.append(
      shape('rect', {
        class: 'stack-cursor',
        x: this.#middle(this.#at, width) - slot / 2,
        y: TOP,
        width: slot,
        height: this.#y(0) - TOP,
      }),
    );
    return group;
  }

  /** @param {number | null} step */
  #point(step) {
    if (step === this.#at || !this.#shown) return;
    this.#at = step;
    this.#svg.lastElementChild?.replaceWith(this.#cursor(this.root.clientWidth));
    this.#updateReadout();
  }

  /** @param {number} offsetX */
  #stepAt(offsetX) {
    const steps = this.#shown?.stack.totals.length ?? 0;
    if (!steps) return null;
    const at = Math.floor((offsetX - this.#left) / this.#slot(this.root.clientWidth));
    return Math.min(steps - 1, Math.max(0, at));
  }

  /** @param {KeyboardEvent} event */
  #moveByKey(event) {
    if (event.key === 'Enter') return this.#open(this.#at);
    const stack = this.#shown?.stack;
    const last = (stack?.totals.length ?? 0) - 1;
    const known = stack?.states.findLastIndex?.((state) => state === 'open' || state === 'over') ?? last;
    const at = this.#at ?? (known < 0 ? last : known);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#point(Math.min(last, Math.max(0, to)));
  }

  #updateReadout() {
    if (!this.#shown) return;
    const { stack, i18n } = this.#shown;
    const at = this.#at;
    setText(this.#words, at === null ? '\u00a0' : this.#wordsOf(stack, at, i18n));
    this.#why.hidden = at === null || !['open', 'over'].includes(stack.states[at] ?? '');
    this.#before.hidden = at === null || stack.before?.[at] === undefined || stack.states[at] === 'future';
    if (at === null) return;
    setText(this.#why, i18n.t('why'));
    this.#why.setAttribute('href', stack.hrefOf(at));
    setText(this.#before, `${stack.beforeName} ${i18n.number(stack.before?.[at] ?? 0)}`);
    this.#before.setAttribute('href', stack.beforeHrefOf(at));
  }

  /** @param {Stack} stack @param {number} at @param {I18n} i18n */
  #wordsOf({ parts, totals, states, moments }, at, i18n) {
    const moment = moments[at] ?? '';
    if (states[at] === 'future') return moment;
    if (states[at] === 'unknown') return `${moment} · ${i18n.t('not_measured')}`;
    const shares =
      parts.length > 1
        ? parts.flatMap(({ name, values }) => (values[at] ? [`${name} ${i18n.number(values[at] ?? 0)}`] : []))
        : [];
    return [
      moment,
      `${i18n.number(totals[at] ?? 0)} ${i18n.t('tokens')}`,
      ...(states[at] === 'open' ? [i18n.t('so_far')] : []),
      ...shares,
    ].join(' · ');
  }

  /** @param {number} width */
  #slot(width) {
    return (width - this.#left - RIGHT) / Math.max(1, this.#shown?.stack.totals.length ?? 1);
  }

  /** @param {number} step @param {number} width */
  #middle(step, width) {
    return this.#left + (step + 0.5) * this.#slot(width);
  }

  /** @param {number} value */
  #y(value) {
    return this.#height - this.#bottom - (value / this.#most) * (this.#height - TOP - this.#bottom);
  }
}

/** @param {Stack} stack @param {I18n} i18n */
function summary({ name, totals, moments }, i18n) {
  const most = Math.max(0, ...totals);
  if (most === 0) return `${name}: ${i18n.t('chart_empty')}`;
  return `${name}. ${i18n.t('chart_most', { value: most, time: moments[totals.indexOf(most)] ?? '' })}`;
}

function hatch() {
  const defs = shape('defs', {});
  const pattern = shape('pattern', {
    id: 'stack-hatch',
    width: 6,
    height: 6,
    patternUnits: 'userSpaceOnUse',
    patternTransform: 'rotate(45)',
  });
  pattern.append(shape('line', { class: 'stack-hatch-line', x1: 0, y1: 0, x2: 0, y2: 6 }));
  defs.append(pattern);
  return defs;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function shape(tag, attributes) {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  return created;
}

/** @param {string} words @param {number} x @param {number} y @param {string} anchor */
function label(words, x, y, anchor) {
  const text = /** @type {SVGTextElement} */ (shape('text', { class: 'chart-label', x, y, 'text-anchor': anchor }));
  text.textContent = words;
  return text;
}

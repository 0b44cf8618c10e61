'use strict';

/**
 * What a person sees of an element: the text that is drawn, in the order in which it is drawn. `textContent` joins
 * hidden children, collapsed copies and words that stand far apart.
 */

/** An element with more parts than this holds more than a number. */
var MAX_PARTS = 100;
/** Text that is drawn smaller cannot be read. In CSS pixels, which the browser's zoom does not change. */
var MIN_TEXT_PX = 3;
/** Of a text that is cut off at least so much must be left, in width and in height. */
var MIN_SHOWN_SHARE = 0.5;
var MIN_OPACITY = 0.05;
var BLANK = /^[ \t\n\r\f]*$/u;
var TRANSPARENT = /^transparent$|^rgba\(.*,\s*0(?:\.0\d*)?\)$|\/\s*0(?:\.0\d*)?%?\)$/u;
var NUMERIC_END = /[\p{Nd}.,'’\u066b\u066c\u00a0\u2007-\u200a\u202f]$/u;
var NUMERIC_START = /^[\p{Nd}.,'’\u066b\u066c\u00a0\u2007-\u200a\u202f]/u;

/**
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Box in CSS pixels of the viewport
 * @typedef {{ text: string, isShown: boolean, isHidden: boolean, isDoubtful: boolean }} VisibleText `isDoubtful`: something is
 *   drawn that the text does not hold, or in another order, so that its number must not be believed
 */

/** @param {Element} element @returns {VisibleText} */
function readVisibleText(element) {
  const scan = {
    text: '',
    isHidden: false,
    isDoubtful: false,
    gap: false,
    parts: 0,
    last: /** @type {Box | null} */ (null),
  };
  readNode(element, scan);
  const hasText = !BLANK.test(scan.text);
  if (hasText && isDrawnInAnotherOrder(element)) scan.isDoubtful = true;
  return { text: scan.text, isShown: hasText, isHidden: scan.isHidden, isDoubtful: scan.isDoubtful };
}

/**
 * @typedef {{ text: string, isHidden: boolean, isDoubtful: boolean, gap: boolean, parts: number, last: Box | null }} Scan
 *
 * @param {Element} element
 * @param {Scan} scan
 */
function readNode(element, scan) {
  scan.parts += 1;
  if (scan.parts > MAX_PARTS) {
    scan.isDoubtful = true;
    return;
  }
  readPseudoElement(element, '::before', scan);
  for (const node of element.childNodes) {
    if (node instanceof Element) readNode(node, scan);
    else if (node instanceof Text) readTextNode(node, scan);
  }
  readPseudoElement(element, '::after', scan);
}

/** @param {Text} node @param {Scan} scan */
function readTextNode(node, scan) {
  if (BLANK.test(node.data)) {
    scan.gap ||= node.data !== '';
    return;
  }
  const parent = node.assignedSlot ?? node.parentElement;
  if (!parent || (parent instanceof HTMLDetailsElement && !parent.open)) return;
  const range = node.ownerDocument.createRange();
  range.selectNodeContents(node);
  const lines = [...range.getClientRects()].filter(({ width, height }) => width >= 1 && height >= MIN_TEXT_PX);
  const shown = lines.length > 0 && isOpaque(parent) ? shownPart(parent, around(lines)) : null;
  if (!shown) {
    scan.isHidden = true;
    return;
  }
  if (shown < 1 && lines.length > 1) scan.isDoubtful = true; // which of the lines is seen?
  const style = getComputedStyle(parent);
  if (style.textDecorationLine.includes('line-through')) scan.isDoubtful = true;
  const [first] = lines;
  if (first) scan.text += `${scan.last ? between(scan, node.data, first, style) : ''}${node.data}`;
  scan.last = lines.at(-1) ?? null;
  scan.gap = false;
}

/**
 * Two digits in two elements are one number only if they are drawn as one: side by side, on one line, of one size.
 *
 * @param {Scan} scan
 * @param {string} text what comes next
 * @param {Box} box where it is drawn
 * @param {CSSStyleDeclaration} style
 */
function between({ text: before, last, gap }, text, box, style) {
  if (!last) return '';
  const height = last.bottom - last.top;
  const isGap = gap || /[ \t\n\r\f]$/u.test(before) || /^[ \t\n\r\f]/u.test(text);
  const isInLine =
    Math.abs(box.bottom - last.bottom) <= height * 0.15 && Math.abs(box.bottom - box.top - height) <= height * 0.15;
  const distance = box.left - last.right;
  const isBeside =
    isInLine && distance >= -0.2 * height && distance <= 0.3 * height && !/^(?:super|sub)$/u.test(style.verticalAlign);
  const isNumeric =
    NUMERIC_END.test(before.replace(/[ \t\n\r\f]+$/u, '')) && NUMERIC_START.test(text.replace(/^[ \t\n\r\f]+/u, ''));
  if (isNumeric) return isBeside && !isGap ? '' : '\n';
  return isGap || !isBeside ? ' ' : '';
}

/**
 * Text that a style sheet adds is visible text: a "k" or a "%" changes the number. Digits of a style sheet are
 * not read, as a counter cannot be.
 *
 * @param {Element} element
 * @param {'::before' | '::after'} which
 * @param {Scan} scan
 */
function readPseudoElement(element, which, scan) {
  const style = getComputedStyle(element, which);
  const { content } = style;
  if (
    !content ||
    content === 'none' ||
    content === 'normal' ||
    style.display === 'none' ||
    style.visibility !== 'visible'
  )
    return;
  if (Number(style.opacity) < MIN_OPACITY || Number.parseFloat(style.fontSize) < MIN_TEXT_PX || !isOpaque(element))
    return;
  const strings = [...content.matchAll(/"((?:[^"\\]|\\.)*)"/gu)].map(([, string]) => string ?? '').join('');
  const others = content.replace(/"(?:[^"\\]|\\.)*"/gu, '');
  if (/counter|attr/u.test(others) || /\p{N}/u.test(strings)) scan.isDoubtful = true;
  const words = strings.replace(/[\ue000-\uf8ff\u200b\s]/gu, '');
  if (words !== '' && !scan.isDoubtful) scan.text += which === '::after' ? `${strings.trimEnd()}` : strings;
}

/** @param {Element} element */
function isShown(element) {
  const boxes = [...element.getClientRects()].filter(({ width, height }) => width >= 1 && height >= 1);
  if (boxes.length === 0) return readVisibleText(element).isShown;
  return (
    isOpaque(element) && shownPart(element.parentElement, around(boxes), getComputedStyle(element).position) !== null
  );
}

/** Whether the element and its text are drawn at all. @param {Element} element */
function isOpaque(element) {
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  const style = getComputedStyle(element);
  if (style.getPropertyValue('-webkit-text-security') !== 'none') return false;
  const fill = style.getPropertyValue('-webkit-text-fill-color') || style.color;
  return !TRANSPARENT.test(fill) || style.getPropertyValue('background-clip') === 'text';
}

/**
 * Follows a box up to the page: cut off by what surrounds it, moved out of reach, faded, or there. A box that has been
 * scrolled out of sight counts as seen, because a person can scroll.
 *
 * @param {Element | null} start the first element that may cut it off
 * @param {Box} box
 * @param {string} [position] of the element that the box belongs to
 * @returns {number | null} the part that is seen, null for none
 */
function shownPart(start, box, position = 'static') {
  const needs = { width: (box.right - box.left) * MIN_SHOWN_SHARE, height: (box.bottom - box.top) * MIN_SHOWN_SHARE };
  let seen = box;
  let opacity = 1;
  let held = position;
  let part = 1;
  for (let element = start; element?.parentElement; element = parentOf(element)) {
    const style = getComputedStyle(element);
    opacity *= Number(style.opacity);
    if (opacity < MIN_OPACITY || /opacity\(0(?:\.0\d*)?%?\)/u.test(style.filter) || isCutAway(style)) return null;
    const isHolder =
      style.transform !== 'none' ||
      style.filter !== 'none' ||
      style.perspective !== 'none' ||
      /paint|layout|strict|content/u.test(style.contain);
    const isAround = held === 'fixed' ? isHolder : held !== 'absolute' || isHolder || style.position !== 'static';
    if (!isAround || style.display === 'contents') continue;
    held = style.position;
    if (style.display === 'inline' || isPageItself(element)) continue;
    const cut = cutOff(element, style, seen);
    if (cut.right - cut.left < needs.width || cut.bottom - cut.top < needs.height) return null;
    if (cut.isCut) part = MIN_SHOWN_SHARE;
    seen = cut;
  }
  return isInReach(seen, needs, held === 'fixed') ? part : null;
}

/** The body's own overflow is the page's, unless the root element has one. @param {Element} element */
function isPageItself(element) {
  const root = element.ownerDocument.documentElement;
  return element === element.ownerDocument.body && getComputedStyle(root).overflow === 'visible';
}

/** @param {CSSStyleDeclaration} style */
function isCutAway({ clip, clipPath, position }) {
  if (/^(?:absolute|fixed)$/u.test(position) && clip.startsWith('rect(')) {
    const [top = 0, right = 0, bottom = 0, left = 0] = clip.match(/-?[\d.]+/gu)?.map(Number) ?? [];
    if (!clip.includes('auto') && (right - left < MIN_TEXT_PX || bottom - top < MIN_TEXT_PX)) return true;
  }
  if (/^(?:circle|ellipse)\(0(?:px|%)?[ )]/u.test(clipPath)) return true;
  const inset = /^inset\(([^)]*?)(?: round .*)?\)$/u.exec(clipPath)?.[1];
  if (!inset?.includes('%')) return false;
  const [top = 0, right = top, bottom = top, left = right] = inset.split(' ').map(Number.parseFloat);
  return top + bottom >= 100 || right + left >= 100;
}

/** @param {Element} element @param {CSSStyleDeclaration} style @param {Box} box @returns {Box & { isCut: boolean }} */
function cutOff(element, style, box) {
  const frame = element.getBoundingClientRect();
  const across = axis(
    style.overflowX,
    box.left,
    box.right,
    frame.left,
    frame.right,
    element.scrollLeft,
    element.scrollWidth,
  );
  const down = axis(
    style.overflowY,
    box.top,
    box.bottom,
    frame.top,
    frame.bottom,
    element.scrollTop,
    element.scrollHeight,
  );
  return {
    left: across.start,
    right: across.end,
    top: down.start,
    bottom: down.end,
    isCut: across.isCut || down.isCut,
  };
}

/**
 * One direction of an element that cuts off (`hidden`, `clip`) or scrolls (`auto`, `scroll`) its content.
 *
 * @param {string} overflow
 * @param {number} start
 * @param {number} end
 * @param {number} from
 * @param {number} to
 * @param {number} scrolled
 * @param {number} length
 */
function axis(overflow, start, end, from, to, scrolled, length) {
  if (overflow === 'visible') return { start, end, isCut: false };
  if (overflow === 'hidden' || overflow === 'clip') {
    const cut = { start: Math.max(start, from), end: Math.min(end, to) };
    return { ...cut, isCut: cut.end - cut.start < (end - start) * 0.9 };
  }
  const first = start - from + scrolled;
  const isReachable = first + (end - start) > 0 && first < Math.max(length, to - from);
  return isReachable ? { start: from, end: to, isCut: false } : { start: 0, end: 0, isCut: true };
}

/** Whether scrolling the page can show the box. @param {Box} box @param {{ width: number, height: number }} needs @param {boolean} isFixed */
function isInReach(box, needs, isFixed) {
  const root = document.documentElement;
  const width = root.clientWidth;
  const isFromRight = getComputedStyle(root).direction === 'rtl';
  const reach = isFixed
    ? { left: 0, top: 0, right: width, bottom: innerHeight }
    : {
        left: (isFromRight ? width - root.scrollWidth : 0) - scrollX,
        right: (isFromRight ? width : Math.max(root.scrollWidth, width)) - scrollX,
        top: -scrollY,
        bottom: Math.max(root.scrollHeight, root.clientHeight) - scrollY,
      };
  return (
    Math.min(box.right, reach.right) - Math.max(box.left, reach.left) >= needs.width &&
    Math.min(box.bottom, reach.bottom) - Math.max(box.top, reach.top) >= needs.height
  );
}

/** `<bdo dir=rtl>4321</bdo>` is seen as 1234. @param {Element} element */
function isDrawnInAnotherOrder(element) {
  for (let each = /** @type {Element | null} */ (element); each; each = parentOf(each)) {
    if (getComputedStyle(each).unicodeBidi.includes('override')) return true;
  }
  return [...element.querySelectorAll('*')]
    .slice(0, MAX_PARTS)
    .some((each) => getComputedStyle(each).unicodeBidi.includes('override'));
}

/** The element around it as drawn: through slots and out of shadow trees. @param {Element} element @returns {Element | null} */
function parentOf(element) {
  if (element.assignedSlot) return element.assignedSlot;
  if (element.parentElement) return element.parentElement;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

/** @param {Box[]} boxes @returns {Box} */
function around(boxes) {
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  };
}

"""What a person sees as broken, found by measuring.

Words that are cut off, outside the window or over each other, lines that begin with the dot between two parts, and neighbours that
are not level.
"""

from typing import Final

from playwright.sync_api import Page

# Each text as the rectangles of its lines, cut to what its ancestors let through.
FINDINGS: Final = """() => {
  const found = new Set();
  const dialog = document.querySelector('dialog[open]');
  const words = (text) => JSON.stringify(text.data.trim().replace(/\\s+/g, ' ').slice(0, 40));
  const place = (element) => element.closest('[id]')?.id + ' .' + (element.className.baseVal ?? element.className ?? element.tagName);
  // Elements that are laid over the page on purpose: each layer has rooms of its own.
  const layerOf = (element) => {
    for (let box = element; box && box !== document.body; box = box.parentElement) {
      if (['fixed', 'sticky'].includes(getComputedStyle(box).position) || box.matches('dialog')) return box;
    }
    return null;
  };
  const lines = [];
  const blockOf = (element) => {
    let box = element;
    while (box.parentElement && getComputedStyle(box).display === 'inline') box = box.parentElement;
    return box;
  };
  const placeOf = (text, at) => {
    const letter = document.createRange();
    letter.setStart(text, at);
    letter.setEnd(text, at + 1);
    return letter.getBoundingClientRect();
  };
  let before = null; // the last letter of the text before
  // The dot between two parts stays with the part before it.
  const findDots = (text, parent) => {
    const block = blockOf(parent);
    for (const { index } of text.data.matchAll(/·/g)) {
      const start = text.data.slice(0, index).trimEnd().length - 1;
      const last = start >= 0 ? placeOf(text, start) : before?.block === block ? before.letter : null;
      const dot = placeOf(text, index);
      if (last && dot.top > last.top + 0.5 * last.height) found.add(`begins a line: ${words(text)} in ${place(parent)}`);
    }
    before = { block, letter: placeOf(text, text.data.trimEnd().length - 1) };
  };
  const texts = document.createTreeWalker(dialog ?? document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const parent = text.parentElement;
    if (!text.data.trim() || parent.closest('.unseen, .skip, option, script, style, template, svg')) continue;
    const box = parent.getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight) continue;
    if (!parent.checkVisibility({ contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true })) continue;
    findDots(text, parent);
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const own of range.getClientRects()) {
      if (own.bottom < 0 || own.top > innerHeight || own.width < 1) continue;
      let [left, right, top, bottom] = [own.left, own.right, own.top, own.bottom];
      let isCut = false; // by a box that does not say so with an ellipsis
      let scrolls = false;
      for (let box = parent; box && box !== document.documentElement; box = box.parentElement) {
        const style = getComputedStyle(box);
        if (style.clipPath !== 'none') { left = right; break; }
        if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
        const edge = box.getBoundingClientRect();
        if (style.overflowX === 'auto' || style.overflowX === 'scroll') scrolls = true;
        if (style.textOverflow !== 'ellipsis' && (right - edge.right > 1.5 || edge.left - left > 1.5)) isCut = true;
        [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
        [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
        if (style.position === 'fixed') break;
      }
      if (right - left < 1 || bottom - top < 0.25 * own.height) continue; // left out whole
      const report = (what) => found.add(`${what}: ${words(text)} in ${place(parent)}`);
      if (!scrolls) {
        if (isCut) report('cut at the side');
        if (own.bottom - bottom > 0.3 * own.height || top - own.top > 0.3 * own.height) report('cut in its height');
        if (right > innerWidth + 1 || left < -1) report('outside the window');
      }
      const inset = 0.2 * own.height; // leading above and below the letters
      lines.push({ text, parent, left, right, top: top + inset, bottom: bottom - inset });
    }
  }
  // Words of one row of a table are on one line, and so are the figures of neighbouring cards.
  const levels = new Map();
  for (const { parent, bottom } of lines) {
    if (parent.matches('.row-platform')) continue;
    const row = parent.closest('.room-table tbody tr') ?? (parent.matches('.card .tokens') ? parent.closest('.card') : null);
    if (!row) continue;
    const key = `${row.localName} ${Math.round(row.getBoundingClientRect().top)}`;
    const [least, most] = levels.get(key) ?? [bottom, bottom];
    levels.set(key, [Math.min(least, bottom), Math.max(most, bottom)]);
    if (Math.max(most, bottom) - Math.min(least, bottom) > 1) found.add(`not level: ${place(parent)}`);
  }
  lines.sort((one, other) => one.top - other.top);
  for (const [at, one] of lines.entries()) {
    for (let next = at + 1; next < lines.length && lines[next].top < one.bottom - 1; next++) {
      const other = lines[next];
      if (other.text === one.text || Math.min(one.right, other.right) - Math.max(one.left, other.left) < 2) continue;
      if (Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) < 2) continue;
      if (layerOf(one.parent) !== layerOf(other.parent)) continue;
      found.add(`over each other: ${words(one.text)} in ${place(one.parent)} and ${words(other.text)} in ${place(other.parent)}`);
    }
  }
  for (const chart of (dialog ?? document).querySelectorAll('svg.kpi-pulse path, svg.spark path, svg.wall-spark path')) {
    const drawn = chart.getBoundingClientRect();
    if (drawn.bottom < 0 || drawn.top > innerHeight) continue;
    if (!chart.checkVisibility({ contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true })) continue;
    for (const { parent, text, left, right, top, bottom } of lines) {
      const width = Math.min(right, drawn.right) - Math.max(left, drawn.left);
      const height = Math.min(bottom, drawn.bottom) - Math.max(top, drawn.top);
      if (width > 2 && height > 2 && layerOf(parent) === layerOf(chart)) found.add(`over a chart: ${words(text)} in ${place(parent)}`);
    }
  }
  return [...found].slice(0, 12);
}"""


def geometry_findings(page: Page) -> list[str]:
    """Words in the window that are cut off, outside it, over other words, or not level. An ellipsis and text left out whole are none."""
    return [str(finding) for finding in page.evaluate(FINDINGS)]

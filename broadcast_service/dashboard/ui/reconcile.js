/** Keyed children: puts elements in a wanted order while moving as few as possible (a moved element loses its animations). */

/** Runs a change of the page that may move the element that has the focus, which would lose it. @param {() => void} change */
export function keepingFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement)
    focused.focus({ preventScroll: true });
}

/** Replaces the rows of a table; the focus goes from a link to its successor. @param {Element} body @param {Element[]} rows */
export function replaceRows(body, rows) {
  const before = [...body.querySelectorAll('a')];
  const at = before.indexOf(/** @type {any} */ (document.activeElement));
  body.replaceChildren(...rows);
  if (at < 0) return;
  const after = [...body.querySelectorAll('a')];
  const hrefs = (/** @type {HTMLAnchorElement[]} */ links) => links.map(({ href }) => href);
  after[successorOf(hrefs(before), at, hrefs(after))]?.focus({ preventScroll: true });
}

/**
 * Which of the new links takes the place of a former one: with the same address, as the same of several with it, else in the same place counted
 * from the end, since new rows come first.
 * @param {string[]} before addresses @param {number} at @param {string[]} after
 */
export function successorOf(before, at, after) {
  const alike = after.flatMap((href, i) => (href === before[at] ? [i] : []));
  const earlier = before.slice(0, at).filter((href) => href === before[at]).length;
  return alike[earlier] ?? after.length - before.length + at;
}

/** @param {Element} parent @param {Element[]} wanted */
export function reconcile(parent, wanted) {
  keepingFocus(() => move(parent, wanted));
}

/** @param {Element} parent @param {Element[]} wanted */
function move(parent, wanted) {
  const staying = new Set(wanted);
  for (const child of [...parent.children]) if (!staying.has(child)) child.remove();
  const place = new Map([...parent.children].map((child, index) => [child, index]));
  const still = longestIncreasing(wanted.map((element) => place.get(element) ?? -1));
  /** @type {Element | null} */
  let after = null;
  for (let i = wanted.length - 1; i >= 0; i--) {
    const element = /** @type {Element} */ (wanted[i]);
    if (!still.has(i)) parent.insertBefore(element, after);
    after = element;
  }
}

/**
 * Indices of a longest strictly increasing run of values, skipping negative ones.
 * @param {number[]} values @returns {Set<number>}
 */
export function longestIncreasing(values) {
  /** @type {number[]} tails[n] ends the best run of length n + 1 */
  const tails = [];
  /** @type {number[]} */
  const previous = [];
  for (const [i, value] of values.entries()) {
    if (value < 0) continue;
    let low = 0;
    for (let high = tails.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (/** @type {number} */ (values[/** @type {number} */ (tails[middle])]) < value) low = middle + 1;
      else high = middle;
    }
    previous[i] = low > 0 ? /** @type {number} */ (tails[low - 1]) : -1;
    tails[low] = i;
  }
  /** @type {Set<number>} */
  const run = new Set();
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i] ?? -1) run.add(i);
  return run;
}

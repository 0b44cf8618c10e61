/** Repeats parts of the page for every metric, so that a metric needs no markup of its own. */

import { CHARTED, COUNTS } from '../state/metrics.js';

/** @type {Record<string, readonly import('../state/metrics.js').Count[]>} */
const LISTS = { counts: COUNTS, charts: CHARTED };

/**
 * Puts a copy of each `<template data-each="counts">` (or `charts`) in front of it for every metric, with the metric's name in place of `{name}` in
 * attributes. Templates within templates are repeated too.
 * @param {ParentNode} root
 */
export function repeatForEachMetric(root) {
  for (const template of root.querySelectorAll('template')) {
    repeatForEachMetric(template.content);
    for (const { name } of LISTS[template.dataset.each ?? ''] ?? []) {
      const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
      for (const element of copy.querySelectorAll('*')) fillIn(element, name);
      template.before(copy);
    }
  }
}

/** @param {Element} element @param {string} name */
function fillIn(element, name) {
  for (const attribute of element.attributes) attribute.value = attribute.value.replace('{name}', name);
}

/** Loads the content scripts the way Chrome does: as classic scripts, in the manifest's order, without main.js. */
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const root = new URL('../../extension/', import.meta.url);

/** @param {Record<string, unknown>} [globals] what the page would offer */
export function loadContent(globals = {}) {
  const context = vm.createContext({ ...globals });
  context.globalThis = context;
  for (const name of ['parse', 'adapters', 'reader']) {
    vm.runInContext(readFileSync(new URL(`content/${name}.js`, root), 'utf8'), context, { filename: `${name}.js` });
  }
  return context;
}

/** Values made in another realm have other prototypes; deepEqual wants ours. @param {unknown} value */
export const plain = (value) => JSON.parse(JSON.stringify(value));

export const manifest = JSON.parse(readFileSync(new URL('manifest.json', root), 'utf8'));

/** Loads the content scripts the way Chrome does: as classic scripts, in the manifest's order. */
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const root = new URL('../../extension/', import.meta.url);

/** All but main.js, which starts to read as soon as it is there. */
export function loadContent() {
  const context = vm.createContext();
  for (const name of ['parse', 'adapters', 'visibility', 'reader', 'stability', 'account']) run(context, name);
  return context;
}

/** @param {vm.Context} context @param {string} name */
export const run = (context, name) =>
  vm.runInContext(readFileSync(new URL(`content/${name}.js`, root), 'utf8'), context, { filename: `${name}.js` });

/** Values made in another realm have other prototypes; deepEqual wants ours. @param {unknown} value */
export const plain = (value) => JSON.parse(JSON.stringify(value));

export const manifest = JSON.parse(readFileSync(new URL('manifest.json', root), 'utf8'));

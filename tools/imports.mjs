// What scripts name: those that a browser fetches with them, and those that it fetches when they are needed.
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const names = (text) => [...text.matchAll(/['"`](\.{1,2}\/[^'"`]+\.js)['"`]/g)].map(([, name]) => name);

/** What a script imports at once, and with `workers` those that it starts. */
const statically = (text, workers) =>
  names(
    text
      .replaceAll(/import\([^)]*\)/g, '')
      .replaceAll(workers ? /(?<!new Worker\()new URL\([^)]*\)/g : /new URL\([^)]*\)/g, ''),
  );

/** What a script imports when it is needed. */
export const whenNeeded = (text) => (text.match(/import\(['"`][^)]*['"`]\)/g) ?? []).flatMap(names);

/**
 * Scripts and whatever they import at once, in turn; the scripts of WebAssembly modules are not among them.
 * @param {string[]} starts
 * @param {{ workers?: boolean }} [options] whether the workers that they start are
 */
export async function scriptsFrom(starts, { workers = false } = {}) {
  const found = new Set(starts);
  for (const file of found) {
    for (const name of statically(await readFile(file, 'utf8'), workers))
      if (path.basename(name) !== 'g_ghostnet.js') found.add(path.resolve(path.dirname(file), name));
  }
  return [...found];
}

// Assembles the page as a folder for any static host, from any path below it: dist/site/.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { minify } from './minify.mjs';
import { repository } from './serve.mjs';
import { writeThirdParty } from './third-party.mjs';

const target = path.join(repository, 'dist/site');

/** Copies a folder; scripts are minified, each on its own, so that the page's addresses stay as they are. */
async function ship(from, to) {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, copy] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await ship(source, copy);
    else if (entry.name.endsWith('.js')) await writeFile(copy, await minify(await readFile(source, 'utf8')));
    else if (!entry.name.endsWith('.d.ts')) await cp(source, copy);
  }
}

await rm(target, { recursive: true, force: true });
await ship(path.join(repository, 'www'), target);
await ship(path.join(repository, 'dist/wasm'), path.join(target, 'wasm'));
await cp(path.join(repository, 'models'), path.join(target, 'models'), { recursive: true });
await writeThirdParty(target);
console.log('dist/site/ is ready: any static host can serve it, from any path.');

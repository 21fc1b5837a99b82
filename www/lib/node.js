/**
 * @file The library in Node: the same nets in place, files read from disk, pictures decoded by sharp where it is
 * installed.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { defaultModelUrl } from './default-model.js';
import { addressOf, fetchOrRead } from './disk.js';
import { download } from './download.js';
import { flavours, parts } from './flavours.js';
import { clearCache, GGhostError, load as loadAnywhere, openSimilarity as openAnywhere } from './index.js';
import { lazy } from './lazy.js';
import { optionsOf } from './options.js';
import { decodeImage } from './sharp.js';

export { clearCache, decodeImage, GGhostError };

/**
 * The scripts of modules as bundlers of servers follow them: a copy at an address may be no module there.
 * @type {Record<string, () => Promise<any>>} their types are known once they are built
 */
const scripts = {
  edit: () => import('../wasm/edit/g_ghostnet.js'),
  fixed: () => import('../wasm/fixed/g_ghostnet.js'),
  'fixed-int8': () => import('../wasm/fixed-int8/g_ghostnet.js'),
  reader: () => import('../wasm/reader/g_ghostnet.js'),
  relaxed: () => import('../wasm/relaxed/g_ghostnet.js'),
  'relaxed-int8': () => import('../wasm/relaxed-int8/g_ghostnet.js'),
  similarity: () => import('../wasm/similarity/g_ghostnet.js'),
  teach: () => import('../wasm/teach/g_ghostnet.js'),
  webgpu: () => import('../wasm/webgpu/g_ghostnet.js'),
};
for (const module of [...flavours, ...Object.values(parts)]) module.glue = scripts[module.name];
lazy.gpu = () => import('./gpu.js');
lazy.more = () => import('./more.js');

/** @type {import('./image.js').Platform} */
const platform = {
  fetch: fetchOrRead,
  decode: async (blob) => decodeImage(new Uint8Array(await blob.arrayBuffer())),
  // A folder keeps the slash at its end.
  resolve: (text) => addressOf(text).replace(/\/+$/, '/'),
};

/** Whether the package's files are where this script looks for them. */
function isBeside() {
  try {
    return existsSync(fileURLToPath(defaultModelUrl()));
  } catch {
    return false; // the bundler made something else of the address
  }
}

/**
 * The package's folder, where a bundler has moved this script away from it: as the program would find it.
 * @returns {string | undefined}
 */
function folderElsewhere() {
  if (isBeside()) return undefined;
  for (const program of [path.join(process.cwd(), 'package.json'), process.argv[1]]) {
    try {
      const manifest = createRequire(program).resolve('g-ghostnet/package.json');
      return pathToFileURL(path.dirname(manifest)).href + '/';
    } catch {
      // It is not among its packages.
    }
  }
  return undefined;
}

/**
 * What this host adds to a call's options.
 * @template {{ worker?: boolean, packageUrl?: string | URL }} T
 * @param {T | undefined} options
 * @param {string} of the function
 */
const inNode = (options, of) => {
  const given = optionsOf(options, undefined, of);
  return { worker: false, ...given, packageUrl: given.packageUrl ?? folderElsewhere(), platform };
};

/** @type {import('./index.d.ts').load} */
export async function load(options) {
  return loadAnywhere(inNode(options, 'load'));
}

/** @type {import('./similarity.d.ts').openSimilarity} */
export async function openSimilarity(options) {
  return openAnywhere(inNode(options, 'openSimilarity'));
}

/**
 * Reads a picture file to RGBA as a browser does.
 * @param {string | URL} file
 */
export async function readImage(file) {
  const url = file instanceof URL ? file.href : pathToFileURL(path.resolve(file)).href;
  return decodeImage(await download(url, { what: 'The picture', picture: true, fetch: fetchOrRead }));
}

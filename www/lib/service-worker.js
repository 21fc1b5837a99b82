/**
 * @file The library for module service workers, an extension's background among them: everything is imported
 * beforehand, because nothing may be imported later there. It runs in place, because there are no workers either.
 */
import './at-once.js';
import { flavours, parts } from './flavours.js';
import { clearCache, GGhostError, load as loadAnywhere, openSimilarity as openAnywhere } from './index.js';
import { optionsOf } from './options.js';
import * as edit from '../wasm/edit/g_ghostnet.js';
import * as fixed from '../wasm/fixed/g_ghostnet.js';
import * as fixedInt8 from '../wasm/fixed-int8/g_ghostnet.js';
import * as reader from '../wasm/reader/g_ghostnet.js';
import * as relaxed from '../wasm/relaxed/g_ghostnet.js';
import * as relaxedInt8 from '../wasm/relaxed-int8/g_ghostnet.js';
import * as similarity from '../wasm/similarity/g_ghostnet.js';
import * as teach from '../wasm/teach/g_ghostnet.js';
import * as webgpu from '../wasm/webgpu/g_ghostnet.js';

export { clearCache, GGhostError };

/** @type {Record<string, object>} */
const scripts = {
  edit,
  fixed,
  'fixed-int8': fixedInt8,
  reader,
  relaxed,
  'relaxed-int8': relaxedInt8,
  similarity,
  teach,
  webgpu,
};
for (const module of [...flavours, ...Object.values(parts)]) {
  const script = scripts[module.name];
  if (script) Object.assign(module, { glue: async () => script, imported: true });
}

/** @type {import('./index.d.ts').load} */
export const load = async (options) => loadAnywhere({ ...optionsOf(options, undefined, 'load'), worker: false });

/** @type {import('./similarity.d.ts').openSimilarity} */
export const openSimilarity = async (options) =>
  openAnywhere({ ...optionsOf(options, undefined, 'openSimilarity'), worker: false });

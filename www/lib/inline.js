/**
 * @file The library with its engine inside the script, for bundlers that lose files. It runs in place,
 * because a worker would be a file too.
 */
import './at-once.js';
import { clearCache, GGhostError, load as loadAnywhere } from './index.js';
import { wasm } from './inline-wasm.js';
import { optionsOf } from './options.js';
import * as glue from '../wasm/fixed/g_ghostnet.js';

export { clearCache, GGhostError };

const flavour = {
  name: 'fixed',
  glue: async () => glue,
  imported: true,
  bytes: () => Uint8Array.from(atob(wasm), (character) => character.charCodeAt(0)),
};

/** @type {import('./index.d.ts').load} */
export const load = async (options) =>
  loadAnywhere({ ...optionsOf(options, undefined, 'load'), worker: false, platform: { flavour } });

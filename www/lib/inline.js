/**
 * @file The library with its engine inside the script, for bundlers that lose files. It runs in place,
 * because a worker would be a file too.
 */
import './at-once.js';
import { parts } from './flavours.js';
import { clearCache, GGhostError, load as loadAnywhere } from './index.js';
import { reader, wasm } from './inline-wasm.js';
import { optionsOf } from './options.js';
import * as glue from '../wasm/fixed/g_ghostnet.js';
import * as readerGlue from '../wasm/reader/g_ghostnet.js';

export { clearCache, GGhostError };

/** @param {string} base64 */
const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

const flavour = { name: 'fixed', glue: async () => glue, imported: true, bytes: () => bytesOf(wasm) };
Object.assign(parts.reader, { glue: async () => readerGlue, imported: true, bytes: () => bytesOf(reader) });

/** @type {import('./index.d.ts').load} */
export const load = async (options) =>
  loadAnywhere({ ...optionsOf(options, undefined, 'load'), worker: false, platform: { flavour } });

/**
 * @file The library in Node: the same nets in place, files read from disk, pictures decoded by sharp where it is
 * installed.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decodeBmp, decodeIco } from './bmp.js';
import { frameOf } from './container.js';
import { defaultModelUrl } from './default-model.js';
import { download } from './download.js';
import { flavours, parts } from './flavours.js';
import { clearCache, GGhostError, load as loadAnywhere, openSimilarity as openAnywhere } from './index.js';
import { kindOf, unreadable } from './kind.js';
import { lazy } from './lazy.js';
import { HEAD } from './markup.js';
import { optionsOf } from './options.js';

export { clearCache, GGhostError };

/** The scripts of modules as bundlers of servers follow them: a copy at an address may be no module there. */
const scripts = {
  edit: () => import('../wasm/edit/g_ghostnet.js'),
  fixed: () => import('../wasm/fixed/g_ghostnet.js'),
  'fixed-int8': () => import('../wasm/fixed-int8/g_ghostnet.js'),
  reader: () => import('../wasm/reader/g_ghostnet.js'),
  relaxed: () => import('../wasm/relaxed/g_ghostnet.js'),
  'relaxed-int8': () => import('../wasm/relaxed-int8/g_ghostnet.js'),
  similarity: () => import('../wasm/similarity/g_ghostnet.js'),
  webgpu: () => import('../wasm/webgpu/g_ghostnet.js'),
};
for (const module of [...flavours, ...Object.values(parts)]) module.glue = scripts[module.name];
lazy.gpu = () => import('./gpu.js');
lazy.more = () => import('./more.js');

/** fetch that also reads files; these need no class of a browser, which a test environment may lack. */
export async function fetchOrRead(url, options) {
  const { href, protocol } = new URL(url);
  if (protocol !== 'file:') return fetch(href, options);
  const chunks = [await readFile(fileURLToPath(href), options)];
  const read = async () => ({ done: chunks.length === 0, value: chunks.pop() });
  const headers = new Map([['Content-Length', String(chunks[0].length)]]);
  return { ok: true, url: href, headers, body: { getReader: () => ({ read, cancel: async () => {} }) } };
}

/** An address, or the path of a file, as an address: what has no scheme of two letters or more is a path. */
export function addressOf(text) {
  return /^[a-z][a-z\d+.-]+:/i.test(text)
    ? new URL(text).href
    : pathToFileURL(path.resolve(text)).href + (/[/\\]$/.test(text) ? '/' : '');
}

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

/** What this host adds to a call's options. */
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

/** Pictures that sharp reads as it comes from npm. */
const reads = /JPEG picture|PNG|GIF|WebP|AVIF|TIFF|SVG|BMP|ICO/;

/**
 * @param {Uint8Array} bytes of a picture file
 * @returns {Promise<{ data: Uint8Array, width: number, height: number }>}
 */
export async function decodeImage(bytes) {
  try {
    const { name } = kindOf(bytes.subarray(0, HEAD));
    if (name === 'a BMP picture') return decodeBmp(bytes);
    if (name === 'an ICO picture') return await decodeIco(bytes, decodeBySharp);
    const picture = await decodeBySharp(bytes);
    return name === 'a GIF picture' ? await framed(picture, bytes) : picture;
  } catch (error) {
    if (error instanceof GGhostError) throw error;
    const instead = 'Try a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP picture.';
    const detail = String(error.message).split('\n')[0].slice(0, 200);
    throw new GGhostError('bad-image', unreadable(bytes.subarray(0, HEAD), { reads, who: 'sharp', instead, detail }), {
      cause: error,
    });
  }
}

/** sharp is optional: bundlers are to leave it where it is, or is not. */
const loadSharp = () =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ 'sharp').catch((cause) => {
    throw new GGhostError('unsupported', 'Decoding pictures in Node needs the package sharp: npm install sharp.', {
      cause,
    });
  });

/** One thread for each picture, where many are decoded beside each other. */
export async function limitSharp() {
  const { default: sharp } = await loadSharp().catch(() => ({}));
  sharp?.concurrency(1);
}

async function decodeBySharp(bytes) {
  const { default: sharp } = await loadSharp();
  // The numbers in the file, as browsers and Pillow give them: no colour profile applied.
  const picture = sharp(bytes, { ignoreIcc: true, failOn: 'error' });
  const { space, channels } = await picture.metadata();
  const upright = picture.rotate();
  if (space === 'cmyk')
    return fromCmyk(
      await upright.pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer({ resolveWithObject: true }),
    );
  const { data, info } = await upright
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) throw new Error(`${channels} channels`);
  return { data, width: info.width, height: info.height };
}

/** A GIF with its colour around a first frame that does not fill it. */
async function framed(picture, bytes) {
  const frame = await frameOf(new Blob([bytes]));
  if (!frame) return picture;
  const { data, width, height } = picture;
  const [left, top, w, h] = frame.place;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x >= left && x < left + w && y >= top && y < top + h) continue;
      data.set([...frame.around, 255], 4 * (y * width + x));
    }
  }
  return picture;
}

/** Ink to light, channel by channel, without a profile. */
function fromCmyk({ data: ink, info: { width, height, channels } }) {
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const black = 255 - ink[pixel * channels + 3];
    for (let c = 0; c < 3; c++) data[pixel * 4 + c] = Math.round(((255 - ink[pixel * channels + c]) * black) / 255);
  }
  return { data, width, height };
}

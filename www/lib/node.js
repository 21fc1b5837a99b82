/**
 * @file The library in Node: the same nets in place, files read from disk, pictures decoded by sharp where it is installed.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { clearCache, GGhostError, load as loadAnywhere, openSimilarity as openAnywhere } from './index.js';

export { clearCache, GGhostError };

/** fetch that also reads files. */
export async function fetchOrRead(url, options) {
  const { href, protocol } = new URL(url);
  if (protocol !== 'file:') return fetch(href, options);
  try {
    const bytes = await readFile(fileURLToPath(href), options);
    return new Response(bytes, { headers: { 'Content-Length': String(bytes.length) } });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return new Response(null, { status: 404 });
  }
}

/** @type {import('./index.d.ts').load} */
export function load(options = {}) {
  const decode = async (blob) => decodeImage(new Uint8Array(await blob.arrayBuffer()));
  return loadAnywhere({ worker: false, ...options, platform: { fetch: fetchOrRead, decode, base: base() } });
}

/** @type {import('./similarity.d.ts').openSimilarity} */
export function openSimilarity(options = {}) {
  return openAnywhere({ worker: false, ...options, platform: { fetch: fetchOrRead, base: base() } });
}

const base = () => pathToFileURL(`${process.cwd()}/`).href;

/**
 * Reads a picture file to RGBA as a browser does.
 * @param {string | URL} file
 */
export async function readImage(file) {
  return decodeImage(await readFile(file));
}

/**
 * @param {Uint8Array} bytes of a picture file
 * @returns {Promise<{ data: Uint8Array, width: number, height: number }>}
 */
export async function decodeImage(bytes) {
  const { default: sharp } = await import('sharp').catch((cause) => {
    throw new GGhostError('unsupported', 'Decoding pictures in Node needs the package sharp: npm install sharp.', { cause });
  });
  if (bytes.length === 0) throw new GGhostError('bad-image', 'The file is empty.');
  try {
    // The numbers in the file, as browsers and Pillow give them: no colour profile applied.
    const picture = sharp(bytes, { ignoreIcc: true, failOn: 'error' });
    const { space, channels } = await picture.metadata();
    const upright = picture.rotate();
    if (space === 'cmyk') return fromCmyk(await upright.pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer({ resolveWithObject: true }));
    const { data, info } = await upright.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 4) throw new Error(`${channels} channels`);
    return { data, width: info.width, height: info.height };
  } catch (error) {
    throw new GGhostError('bad-image', `This file is not a picture that can be read (${error.message.split('\n')[0]}).`, { cause: error });
  }
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

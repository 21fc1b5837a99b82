/**
 * @file Everything with pixels in it -> 8-bit RGBA of the sRGB numbers in the file, upright, alpha not multiplied:
 * what Pillow decodes, so that a picture gets the same answer here, in Python and in Node.
 *
 * Two halves: `snapshot` runs where the page's elements live and makes something that can be sent to a worker;
 * `toPixels` runs beside the engine.
 */
import { GGhostError } from './errors.js';
import { download, isHtml } from './download.js';

/** As stored: no rotation missed, no colour profile applied, no alpha multiplied. */
const asStored = { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none' };

/** Above this a picture is reduced while it is read: four bytes a pixel, several times over, is what a phone has. */
const MAX_PIXELS = 2 ** 25;

/**
 * @typedef {Blob | ImageBitmap | { data: Uint8Array | Uint8ClampedArray, width: number, height: number }} Source
 * what `snapshot` makes: it can be posted to a worker
 *
 * @typedef {object} Platform what replaces the browser's own, in Node
 * @property {typeof globalThis.fetch} [fetch]
 * @property {(blob: Blob) => Promise<{ data: Uint8Array, width: number, height: number }>} [decode]
 * @property {import('./flavours.js').Flavour} [flavour] an engine that is there already
 * @property {string} [base] what relative addresses are relative to
 */

/** What relative addresses are relative to. */
export const baseUrl = () => globalThis.document?.baseURI ?? globalThis.location?.href;


const bad = (text, cause) => new GGhostError('bad-image', text, { cause });
const is = (name, value) => typeof globalThis[name] === 'function' && value instanceof globalThis[name];

/**
 * Begins to read an input. What can change under our hands (a canvas, a video) is copied at once;
 * files and addresses are read when it is their turn.
 * @param {unknown} input
 * @param {Platform} [platform]
 * @returns {(signal?: AbortSignal) => Promise<Source>}
 */
export function snapshot(input, { fetch, base } = {}) {
  if (typeof input === 'string' || is('URL', input)) {
    const url = new URL(input, base ?? baseUrl());
    return async (signal) => drawable(new Blob([await download(url, { what: 'The picture', fetch, signal })]));
  }
  if (is('Blob', input)) return () => drawable(input);
  if (is('ImageData', input) && input.colorSpace === 'srgb' && is('Uint8ClampedArray', input.data)) {
    return started(checked(input));
  }
  const [width, height] = sizeOf(input);
  if (width !== undefined) return started(bitmapOf(input, width, height));
  if (ArrayBuffer.isView(input?.data)) return started(checked(input));
  throw bad(
    `${describe(input)} is not a picture: expected an <img>, <canvas>, <video>, SVG <image>, ImageBitmap, ImageData, VideoFrame, Blob, File, ` +
      'URL or { data, width, height } with RGBA bytes.',
  );
}

function started(promise) {
  promise.catch(() => {}); // reported when it is awaited
  return () => promise;
}

const describe = (value) => (value === null || typeof value !== 'object' ? String(value) : `A ${value.constructor?.name ?? 'value'}`);

async function checked({ data, width, height }) {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw bad(`The picture has ${width} x ${height} pixels: expected whole numbers above zero.`);
  }
  if (data.BYTES_PER_ELEMENT !== 1 || data.length !== width * height * 4) {
    throw bad(`A picture of ${width} x ${height} pixels needs ${width * height * 4} bytes of RGBA, got ${data.length} of ${data.BYTES_PER_ELEMENT} bytes.`);
  }
  // A copy: the caller may go on drawing, and posting would otherwise take the caller's memory away.
  return { data: new Uint8Array(data), width, height };
}

/** Width and height of what can be drawn; undefined for anything else. */
function sizeOf(input) {
  if (is('HTMLImageElement', input)) return [input.naturalWidth, input.naturalHeight];
  if (is('HTMLVideoElement', input)) return [input.videoWidth, input.videoHeight];
  if (is('SVGImageElement', input)) return [input.width.baseVal.value, input.height.baseVal.value];
  if (is('VideoFrame', input)) return [input.displayWidth, input.displayHeight];
  const drawn = ['HTMLCanvasElement', 'OffscreenCanvas', 'ImageBitmap', 'ImageData'];
  return drawn.some((name) => is(name, input)) ? [input.width, input.height] : [];
}

async function bitmapOf(input, width, height) {
  if (is('HTMLImageElement', input)) {
    if (!input.getAttribute('src') && !input.getAttribute('srcset')) throw bad('The <img> has no source: set src first.');
    try {
      await input.decode();
    } catch (error) {
      throw bad(`The <img> could not be read: ${input.currentSrc || input.src} is missing or not a picture.`, error);
    }
    [width, height] = sizeOf(input);
  }
  if (is('HTMLVideoElement', input) && input.readyState < 2) {
    throw bad('The <video> shows no frame yet: wait for its "loadeddata" event.');
  }
  if (!(width > 0 && height > 0)) throw bad('The picture has no pixels: its width or height is zero.');
  try {
    return await createImageBitmap(input, asStored);
  } catch (error) {
    if (error.name === 'SecurityError') throw tainted(error);
    throw bad(`The picture could not be read (${error.message}).`, error);
  }
}

export const tainted = (cause) =>
  bad('The picture comes from another site that does not allow reading it: serve it with CORS headers and set crossorigin="anonymous" on the element.', cause);

/** Vector pictures have no pixels before a document draws them. */
async function drawable(blob) {
  const start = new Uint8Array(await blob.slice(0, 256).arrayBuffer());
  const text = new TextDecoder('latin1').decode(start);
  if (!globalThis.document || !/^\s*(<\?xml|<!--|<svg|<!doctype svg)/i.test(text)) return blob;
  const url = URL.createObjectURL(new Blob([blob], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    return await bitmapOf(image);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {Source} source
 * @returns {Promise<{ data: Uint8Array, width: number, height: number }>}
 */
export async function toPixels(source) {
  if (source.data) return source;
  const bitmap = is('Blob', source) ? await decode(source) : source;
  try {
    const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
    const width = Math.max(1, Math.round(bitmap.width * shrink));
    const height = Math.max(1, Math.round(bitmap.height * shrink));
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw bad('The browser has no memory left for the picture: try a smaller one.');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, width, height);
    return { data: new Uint8Array(context.getImageData(0, 0, width, height).data.buffer), width, height };
  } catch (error) {
    if (error.name === 'SecurityError') throw tainted(error);
    throw error instanceof GGhostError ? error : bad(`The picture could not be read (${error.message}).`, error);
  } finally {
    bitmap.close();
  }
}

async function decode(blob) {
  if (blob.size === 0) throw bad('The file is empty.');
  if (typeof createImageBitmap !== 'function') {
    throw new GGhostError('unsupported', 'There is no picture decoder here: pass { data, width, height } with RGBA bytes, or use g-ghostnet/node.');
  }
  try {
    return await createImageBitmap(blob, asStored);
  } catch (error) {
    const kind = kindOf(new Uint8Array(await blob.slice(0, 256).arrayBuffer()));
    throw bad(`${kind} Try a JPEG, PNG, WebP, AVIF or GIF picture.`, error);
  }
}

/** What an undecodable file seems to be, by its first bytes: a better hint than its name. */
function kindOf(bytes) {
  const text = String.fromCharCode(...bytes); // TextDecoder's latin1 is Windows-1252, in which PNG's first byte is another
  if (isHtml(bytes)) return 'This is a web page, not a picture.';
  if (text.startsWith('%PDF')) return 'This is a PDF, not a picture.';
  if (/^....ftyp(heic|heix|mif1|msf1|hevc)/s.test(text)) return 'This is a HEIC picture, which this browser cannot read.';
  if (/^(II\*\0|MM\0\*)/.test(text)) return 'This is a TIFF picture, which browsers cannot read.';
  if (/^(\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP)/s.test(text)) return 'The picture is damaged.';
  if (!/[\0-\x08\x0e-\x1f]/.test(text)) return 'This is a text file, not a picture.';
  return 'This file is not a picture that this browser can read.';
}

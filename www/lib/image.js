/**
 * @file Everything with pixels in it -> 8-bit RGBA of the sRGB numbers in the file, upright, alpha not multiplied:
 * what Pillow decodes, so that a picture gets the same answer here, in Python and in Node.
 *
 * Two halves: `snapshot` runs where the page's elements live and makes something that can be sent to a worker;
 * `toPixels` runs beside the engine.
 */
import { caught, GGhostError, shownUrl, throwIfAborted, untilAborted } from './errors.js';
import { bytesOf, download } from './download.js';
import { lazy, lazyCalls } from './lazy.js';
import { HEAD, isSvg } from './markup.js';
import { brandOf, shown } from './options.js';

/** As stored: no rotation missed, no colour profile applied, no alpha multiplied. @type {ImageBitmapOptions} */
const asStored = { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none' };

/** Above this a picture is reduced while it is read: four bytes a pixel, several times over, is what a phone has. */
const MAX_PIXELS = 2 ** 25;

/**
 * @typedef {{ data: Uint8Array, width: number, height: number }} Pixels
 *
 * @typedef {Blob | ImageBitmap | Pixels} Source what `snapshot` makes: it can be posted to a worker
 *
 * @typedef {object} Platform what replaces the browser's own, in Node
 * @property {import('./download.js').Fetch} [fetch]
 * @property {(blob: Blob) => Promise<Pixels>} [decode]
 * @property {import('./flavours.js').Part} [flavour] an engine that is there already
 * @property {(text: string) => string} [resolve] an address, or a path where there are files, as an absolute address
 */

/** What relative addresses are relative to. */
const baseUrl = () => globalThis.document?.baseURI ?? globalThis.location?.href;

/**
 * An address as an absolute one.
 * @param {string | URL} address
 * @param {import('./index.d.ts').ErrorCode} code of the error
 * @param {Platform} [platform]
 */
export function absolute(address, code, { resolve } = {}) {
  try {
    return resolve ? resolve(String(address)) : new URL(String(address), baseUrl()).href;
  } catch (cause) {
    const base = baseUrl() ?? '';
    const why = /^(blob|data|about):/.test(base)
      ? `this script was made of a Blob (${shownUrl(base)}), to which nothing is relative: give the whole address`
      : 'it is none';
    throw new GGhostError(code, `The address ${shown(String(address))} cannot be used: ${why}.`, { cause });
  }
}

/**
 * The address of a folder, with a slash at its end.
 * @param {string | URL | undefined} address
 * @param {Platform} [platform]
 */
export const folderOf = (address, platform) =>
  address === undefined ? undefined : absolute(String(address).replace(/\/?$/, '/'), 'bad-option', platform);

/** The first bytes of JPEG, PNG, GIF, WebP, SVG and AVIF in base64, which addresses and paths do not begin with. */
const BASE64 = /^\s*(\/9j\/|iVBORw|R0lGOD|UklGR|PHN2Zy|PD94bW|AAAA..Z0eX)[\w+/=\s]{20,}$/;

/** @param {string} text @param {unknown} [cause] */
const bad = (text, cause) => new GGhostError('bad-image', text, { cause });

/** @param {unknown} input @returns {input is ArrayBufferLike | ArrayBufferView} */
const isBytes = (input) => ArrayBuffer.isView(input) || ['ArrayBuffer', 'SharedArrayBuffer'].includes(brandOf(input));
/** @param {unknown} input @returns {input is Blob} */
export const isBlob = (input) => ['Blob', 'File'].includes(brandOf(input));

/**
 * Whether an input is a list of pictures: anything that can be gone through and is no picture by itself.
 * @param {unknown} input
 */
export const isList = (input) =>
  typeof input === 'object' &&
  input !== null &&
  !isBytes(input) &&
  brandOf(input) !== 'ReadableStream' &&
  ((Symbol.iterator in input && typeof input[Symbol.iterator] === 'function') ||
    (Symbol.asyncIterator in input && typeof input[Symbol.asyncIterator] === 'function'));

/** What messages call an input: a file by its name, an address by itself. @param {unknown} input */
export function nameOf(input) {
  if (typeof input === 'string' || brandOf(input) === 'URL') return shownUrl(input);
  /** @type {{ name?: unknown, currentSrc?: unknown, src?: unknown, url?: unknown }} */
  const named = input ?? {};
  const name = named.name ?? (named.currentSrc || named.src || named.url);
  return typeof name === 'string' && name ? shownUrl(name) : undefined;
}

/**
 * Begins to read an input. What can change under our hands (a canvas, a video) is copied at once;
 * files and addresses are read when they are asked for.
 * @param {unknown} input
 * @param {Platform} [platform]
 * @returns {(signal?: AbortSignal) => Promise<Source>}
 */
export function snapshot(input, platform = {}) {
  const brand = brandOf(input);
  if (typeof input === 'string' || brand === 'URL') {
    const text = /** @type {string | URL} */ (input);
    if (BASE64.test(String(text))) {
      throw bad('This text looks like base64, not an address: put "data:image/…;base64," before it.');
    }
    const url = absolute(text, 'bad-image', platform);
    return (signal) => fetched(url, platform, signal);
  }
  if (isBlob(input)) return () => drawable(input);
  if (isBytes(input)) {
    // A copy: the caller may go on writing.
    const blob = new Blob([bytesIn(input)]);
    return () => drawable(blob);
  }
  if (brand === 'Response') return (signal) => answered(/** @type {Response} */ (input), signal);
  const image = /** @type {ImageData} */ (input);
  if (brand === 'ImageData' && image.colorSpace === 'srgb' && image.data?.BYTES_PER_ELEMENT === 1)
    return started(checked(image));
  if (brand === 'HTMLPictureElement') {
    const img = /** @type {HTMLPictureElement} */ (input).querySelector('img');
    if (!img) throw bad('The <picture> has no <img> in it.');
    return ofImage(img, platform);
  }
  if (brand === 'HTMLImageElement') return ofImage(/** @type {HTMLImageElement} */ (input), platform);
  if (brand === 'SVGSVGElement') return started(ofSvg(/** @type {SVGSVGElement} */ (input)));
  const size = sizeOf(input, brand);
  if (size) return started(bitmapOf(/** @type {Drawn} */ (input), ...size));
  const pixels = /** @type {Pixels | undefined} */ (input);
  if (ArrayBuffer.isView(pixels?.data)) return started(checked(pixels));
  throw bad(
    `${shown(input).replace(/^a/, 'A')} is not a picture: expected an <img>, <picture>, <canvas>, <video>, ` +
      '<svg>, SVG <image>, ImageBitmap, ImageData, VideoFrame, Blob, File, Response, URL, the bytes of a file, ' +
      '{ data, width, height } with RGBA bytes, or a list of these.',
  );
}

/** @template T @param {Promise<T>} promise */
function started(promise) {
  promise.catch(() => {}); // reported when it is awaited
  return () => promise;
}

/**
 * The numbers of a buffer or a part of one, copied into memory that is not shared.
 * @param {ArrayBufferLike | ArrayBufferView} input
 */
const bytesIn = (input) =>
  (ArrayBuffer.isView(input)
    ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    : new Uint8Array(input)
  ).slice();

/** @param {import('./index.d.ts').Pixels} picture */
async function checked({ data, width, height }) {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw bad(`The picture has ${shown(width)} x ${shown(height)} pixels: expected whole numbers above zero.`);
  }
  if (data.BYTES_PER_ELEMENT !== 1 || data.length !== width * height * 4) {
    throw bad(
      `A picture of ${width} x ${height} pixels needs ${width * height * 4} bytes of RGBA, ` +
        `got ${data.length} of ${data.BYTES_PER_ELEMENT} bytes.`,
    );
  }
  // A copy: the caller may go on drawing, and posting would otherwise take the caller's memory away.
  return { data: bytesIn(data), width, height };
}

/** @param {string} url @param {Platform} platform @param {AbortSignal} [signal] */
async function fetched(url, { fetch }, signal) {
  return drawable(new Blob([await download(url, { what: 'The picture', picture: true, fetch, signal })]));
}

/** @param {Response} response @param {AbortSignal} [signal] */
async function answered(response, signal) {
  const what = `The picture of the Response${response.url ? ` from ${shownUrl(response.url)}` : ''}`;
  if (response.type === 'opaque') throw tainted();
  if (!response.ok) throw new GGhostError('network', `${what} was not found: its status is ${response.status}.`);
  if (response.bodyUsed) throw bad(`${what} was read already: give a clone() of it.`);
  return drawable(new Blob([await bytesOf(response, { what, picture: true, signal })]));
}

// --- Elements ---

/**
 * @param {HTMLImageElement} image
 * @param {Platform} platform
 * @returns {(signal?: AbortSignal) => Promise<Source>}
 */
function ofImage(image, platform) {
  const address = image.currentSrc || image.src || firstOf(image.srcset);
  if (!address) throw bad('The <img> has no source: set src first.');
  if (image.complete) return started(shownImage(image, address, platform));
  // Left to itself it may never be read: a browser waits until it is scrolled to.
  const lazy = image.loading === 'lazy';
  return (signal) =>
    lazy ? fetched(absolute(address, 'bad-image'), platform, signal) : shownImage(image, address, platform, signal);
}

/** The first address of a `srcset`. @param {string | undefined} srcset */
const firstOf = (srcset) => srcset?.trim().split(/[\s,]+/)[0];

/**
 * @param {HTMLImageElement} image
 * @param {string} address
 * @param {Platform} platform
 * @param {AbortSignal} [signal]
 * @returns {Promise<Source>}
 */
async function shownImage(image, address, platform, signal) {
  try {
    await untilAborted(image.decode(), [signal]);
  } catch (error) {
    if (error instanceof GGhostError) throw error;
    const cors = image.crossOrigin === null ? '' : ', or its server does not allow reading it (CORS)';
    throw bad(
      `The <img> could not be read: ${shownUrl(image.currentSrc || address)} is missing or not a picture${cors}.`,
      error,
    );
  }
  const shown = image.currentSrc || address;
  const again = () => fetched(absolute(shown, 'bad-image'), platform, signal);
  // An SVG without a size of its own has another one in each browser; its text tells one.
  if (VECTOR.test(shown)) {
    const source = await again().catch(() => throwIfAborted(signal));
    if (source) return source;
  }
  try {
    return await createImageBitmap(image, asStored);
  } catch (error) {
    if (caught(error).name === 'SecurityError') throw tainted(error);
    return await again().catch(() => {
      throw bad(`The picture could not be read (${caught(error).message}).`, error);
    });
  }
}

/** Addresses that may be those of an SVG. */
const VECTOR = /\.svg([?#]|$)|^data:image\/svg|^blob:/i;

/** @param {SVGSVGElement} element */
async function ofSvg(element) {
  const copy = /** @type {SVGSVGElement} */ (element.cloneNode(true));
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const { width, height } = element.getBoundingClientRect();
  // As it is shown, where it is.
  if (width && height)
    Object.entries({ width, height }).forEach(([name, value]) => copy.setAttribute(name, String(value)));
  return drawable(new Blob([new XMLSerializer().serializeToString(copy)]));
}

/**
 * @typedef {HTMLVideoElement | SVGImageElement | VideoFrame | HTMLCanvasElement | OffscreenCanvas | ImageBitmap |
 *   ImageData} Drawn what can be drawn at once
 */

/**
 * Width and height of what can be drawn at once; undefined for anything else.
 * @param {unknown} input
 * @param {string} brand
 * @returns {[width: number, height: number] | undefined}
 */
function sizeOf(input, brand) {
  const video = /** @type {HTMLVideoElement} */ (input);
  const vector = /** @type {SVGImageElement} */ (input);
  const frame = /** @type {VideoFrame} */ (input);
  const bitmap = /** @type {ImageBitmap} */ (input);
  switch (brand) {
    case 'HTMLVideoElement':
      return [video.videoWidth, video.videoHeight];
    case 'SVGImageElement':
      return [vector.width.baseVal.value, vector.height.baseVal.value];
    case 'VideoFrame':
      return [frame.displayWidth, frame.displayHeight];
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas':
    case 'ImageBitmap':
    case 'ImageData':
      return [bitmap.width, bitmap.height];
    default:
      return undefined;
  }
}

/** @param {Drawn} input @param {number} width @param {number} height */
async function bitmapOf(input, width, height) {
  if (brandOf(input) === 'HTMLVideoElement' && /** @type {HTMLVideoElement} */ (input).readyState < 2) {
    throw bad('The <video> shows no frame yet: wait for its "loadeddata" event.');
  }
  if (!(width > 0 && height > 0)) throw bad('The picture has no pixels: its width or height is zero.');
  try {
    return await createImageBitmap(input, asStored);
  } catch (error) {
    const { name, message } = caught(error);
    if (name === 'SecurityError') throw tainted(error);
    throw bad(`The picture could not be read (${message}).`, error);
  }
}

/** @param {unknown} [cause] */
export const tainted = (cause) =>
  bad(
    'The picture comes from another site that does not allow reading it: serve it with CORS headers and set ' +
      'crossorigin="anonymous" on the element.',
    cause,
  );

/** Vector pictures have no pixels before a document draws them. @param {Blob} blob */
async function drawable(blob) {
  // Where a decoder of the platform's own reads them, as in Node, it is asked.
  if (!globalThis.document || typeof Image !== 'function' || typeof URL.createObjectURL !== 'function') return blob;
  if (!isSvg(await headOf(blob))) return blob;
  const { sizedSvg } = await lazyCalls.svg();
  const sized = await sizedSvg(blob);
  const url = URL.createObjectURL(sized.blob);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    // A size that only its style sheet gives is none to `createImageBitmap`.
    const size =
      width && height
        ? { resizeWidth: width, resizeHeight: height }
        : { resizeWidth: sized.width, resizeHeight: sized.height };
    return await createImageBitmap(image, asStored).catch(() => createImageBitmap(image, { ...asStored, ...size }));
  } catch (error) {
    throw bad(`This is an SVG picture that the browser cannot draw (${caught(error).message}).`, error);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {Blob} blob */
const headOf = async (blob) => new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());

// --- Beside the engine ---

/**
 * @param {Source} source
 * @returns {Promise<Pixels>}
 */
export async function toPixels(source) {
  if ('data' in source) return source;
  return isBlob(source) ? decode(source) : pixelsOf(source);
}

/**
 * @param {ImageBitmap} bitmap it is closed
 * @param {{ orientation?: number, frame?: import('./container.js').Frame }} [file] what the browser does not do by
 *   itself
 */
function pixelsOf(bitmap, { orientation = 1, frame } = {}) {
  try {
    const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
    const [w, h] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * shrink)));
    const [width, height] = orientation > 4 ? [h, w] : [w, h];
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw bad('The browser has no memory left for the picture: try a smaller one.');
    context.imageSmoothingQuality = 'high';
    if (frame) {
      context.fillStyle = `rgb(${frame.around.join()})`;
      context.fillRect(0, 0, w, h);
      const [left, top, across, down] = frame.place.map((value) => value * shrink);
      context.clearRect(left, top, across, down);
    }
    context.setTransform(...uprightOf(orientation, width, height));
    context.drawImage(bitmap, 0, 0, w, h);
    return { data: new Uint8Array(context.getImageData(0, 0, width, height).data.buffer), width, height };
  } catch (error) {
    const { name, message } = caught(error);
    if (name === 'SecurityError') throw tainted(error);
    throw error instanceof GGhostError ? error : bad(`The picture could not be read (${message}).`, error);
  } finally {
    bitmap.close();
  }
}

/** @typedef {[a: number, b: number, c: number, d: number, e: number, f: number]} Transform as a canvas takes it */

/**
 * EXIF's orientation as a transform of a canvas of the upright size.
 * @param {number} orientation
 * @param {number} width
 * @param {number} height
 */
const uprightOf = (orientation, width, height) =>
  /** @type {Transform[]} */ ([
    [1, 0, 0, 1, 0, 0],
    [-1, 0, 0, 1, width, 0],
    [-1, 0, 0, -1, width, height],
    [1, 0, 0, -1, 0, height],
    [0, 1, 1, 0, 0, 0],
    [0, 1, -1, 0, width, 0],
    [0, -1, -1, 0, width, height],
    [0, -1, 1, 0, 0, height],
  ])[orientation - 1];

/** @param {Blob} blob */
async function decode(blob) {
  if (blob.size === 0) throw bad('The file is empty.');
  if (typeof createImageBitmap !== 'function') {
    throw new GGhostError(
      'unsupported',
      'There is no picture decoder here: pass { data, width, height } with RGBA bytes, or use g-ghostnet/node.',
    );
  }
  // The only kinds in which browsers leave something undone.
  const start = await blob.slice(0, 4).text();
  const { withoutRotation, frameOf } = /^(RIFF|GIF8)/.test(start) ? await lazy.more() : {};
  const { file, orientation } = (await withoutRotation?.(blob)) ?? { file: blob };
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, asStored);
  } catch (error) {
    const head = await headOf(blob);
    if (isSvg(head)) {
      throw new GGhostError(
        'unsupported',
        'This is an SVG picture, which only a page can draw: there is no document in this worker. ' +
          'Classify it on the page, or draw it to a canvas there.',
      );
    }
    const instead = 'Try a JPEG, PNG, WebP, AVIF or GIF picture.';
    const { unreadable } = await lazy.more();
    throw bad(unreadable(head, { reads: /JPEG picture|PNG|GIF|WebP|BMP/, who: 'this browser', instead }), error);
  }
  return pixelsOf(bitmap, { orientation, frame: await frameOf?.(blob) });
}

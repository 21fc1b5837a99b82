/**
 * @file BMP and ICO to RGBA, for Node, whose decoder has neither. Every size is checked against the file before memory
 * is allocated.
 */

/** Largest picture, in pixels. */
const MAX_PIXELS = 2 ** 27;

/** Compressions of a bitmap. */
const RGB = 0;
const RLE8 = 1;
const RLE4 = 2;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;

/** Bytes of the oldest header, which has short sizes and a palette of three bytes a colour. */
const CORE = 12;

/**
 * @typedef {{ data: Uint8Array<ArrayBuffer>, width: number, height: number }} Pixels
 *
 * @typedef {[red: number, green: number, blue: number, alpha: number]} Masks where each is in a pixel's bits; 0: nowhere
 *
 * @typedef {object} Dib a bitmap without its file's header
 * @property {DataView} view
 * @property {number} begin of its pixels
 * @property {number} width
 * @property {number} height
 * @property {number} bits of a pixel
 * @property {number[][]} colours of the palette, red, green and blue
 * @property {Masks} masks
 * @property {boolean} topDown
 */

/**
 * @param {Uint8Array} bytes of a .bmp
 * @returns {Pixels}
 */
export function decodeBmp(bytes) {
  const view = viewOf(bytes);
  return decodeDib(view, 14, view.getUint32(10, true), {});
}

/**
 * The largest picture of an icon or cursor.
 * @param {Uint8Array} bytes of an .ico or .cur
 * @param {(png: Uint8Array) => Promise<Pixels>} decodePng
 * @returns {Promise<Pixels>}
 */
export async function decodeIco(bytes, decodePng) {
  const view = viewOf(bytes);
  const entries = Array.from({ length: view.getUint16(4, true) }, (_, i) => {
    const at = 6 + 16 * i;
    const [size, offset] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    const side = (/** @type {number} */ value) => value || 256;
    return {
      area: side(view.getUint8(at)) * side(view.getUint8(at + 1)),
      bits: view.getUint16(at + 6, true),
      size,
      offset,
    };
  });
  const [best] = entries.sort((a, b) => b.area - a.area || b.bits - a.bits);
  if (!best || best.offset + best.size > bytes.length) throw new Error('it has no whole picture');
  const picture = bytes.subarray(best.offset, best.offset + best.size);
  if (picture[0] === 0x89) return decodePng(picture);
  return decodeDib(viewOf(picture), 0, undefined, { icon: true });
}

/** @param {Uint8Array} bytes */
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * @param {DataView} view
 * @param {number} at where the header begins
 * @param {number | undefined} pixels where the pixels begin; after the palette where it is not told
 * @param {{ icon?: boolean }} options an icon has a mask below its pixels
 * @returns {Pixels}
 */
function decodeDib(view, at, pixels, { icon = false }) {
  const size = view.getUint32(at, true);
  const core = size === CORE;
  const bits = view.getUint16(at + (core ? 10 : 14), true);
  const width = core ? view.getUint16(at + 4, true) : view.getInt32(at + 4, true);
  const signed = core ? view.getUint16(at + 6, true) : view.getInt32(at + 8, true);
  const height = Math.abs(signed) / (icon ? 2 : 1);
  const compression = core ? RGB : view.getUint32(at + 16, true);
  if (!(width > 0 && Number.isInteger(height) && height > 0 && width * height <= MAX_PIXELS))
    throw new Error(`it has ${width} x ${height} pixels`);
  if (![1, 2, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`it has ${bits} bits a pixel`);

  const { masks, end } = masksOf(view, at, { size, bits, compression });
  const used = core || bits > 8 ? 0 : view.getUint32(at + 32, true);
  const colours = bits > 8 ? [] : paletteOf(view, end, used || 2 ** bits, core ? 3 : 4, pixels);
  const begin = pixels ?? end + colours.length * (core ? 3 : 4);
  const dib = { view, begin, width, height, bits, colours, masks, topDown: signed < 0 };
  if (compression === RLE8 || compression === RLE4) return runLengths(dib, compression === RLE4);
  if (![RGB, BITFIELDS, ALPHA_BITFIELDS].includes(compression))
    throw new Error(`its compression ${compression} is not known`);
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (begin + stride * height > view.byteLength) throw new Error('it ends too early');
  const picture = rows(dib, stride);
  if (icon) cutOut(picture, view, begin + stride * height, bits);
  return picture;
}

/**
 * Where red, green, blue and alpha are in a pixel of 16 or 32 bits, and the end of the header with its masks.
 * @param {DataView} view
 * @param {number} at where the header begins
 * @param {{ size: number, bits: number, compression: number }} header
 */
function masksOf(view, at, { size, bits, compression }) {
  const count = compression === BITFIELDS ? 3 : compression === ALPHA_BITFIELDS ? 4 : 0;
  /** @type {Masks} */
  const masks = bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  // The first headers have them behind, the later ones inside.
  const inside = size >= 52;
  const there = count && inside && size >= 56 ? 4 : count;
  for (let i = 0; i < there; i++) masks[i] = view.getUint32(at + 40 + 4 * i, true);
  return { masks, end: at + size + (inside ? 0 : 4 * count) };
}

/**
 * As many colours as there are bytes for.
 * @param {DataView} view
 * @param {number} at
 * @param {number} count
 * @param {number} bytes of a colour
 * @param {number} [pixels] where the pixels begin
 */
function paletteOf(view, at, count, bytes, pixels = view.byteLength) {
  const room = Math.max(0, Math.floor((Math.min(pixels, view.byteLength) - at) / bytes));
  return Array.from({ length: Math.min(count, room, 256) }, (_, i) =>
    [2, 1, 0].map((channel) => view.getUint8(at + bytes * i + channel)),
  );
}

/** @param {Dib} dib @param {number} stride @returns {Pixels} */
function rows({ view, begin, width, height, bits, colours, masks, topDown }, stride) {
  const data = new Uint8Array(4 * width * height);
  const channels = masks.map((mask) => {
    const shift = mask ? 31 - Math.clz32(mask & -mask) : 0;
    return { mask, shift, most: mask >>> shift };
  });
  for (let y = 0; y < height; y++) {
    const row = begin + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const to = 4 * (y * width + x);
      if (bits <= 8) {
        const byte = view.getUint8(row + ((x * bits) >> 3));
        const index = (byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);
        data.set(colours[index] ?? [0, 0, 0], to);
        data[to + 3] = 255;
      } else if (bits === 24) {
        for (let c = 0; c < 3; c++) data[to + c] = view.getUint8(row + 3 * x + 2 - c);
        data[to + 3] = 255;
      } else {
        const pixel = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
        channels.forEach(
          ({ mask, shift, most }, c) =>
            (data[to + c] = mask ? Math.floor((((pixel & mask) >>> shift) * 255) / most) : 255),
        );
      }
    }
  }
  return { data, width, height };
}

/**
 * Runs of the same index and pieces of different ones, to the end of the picture; what they leave out is the first
 * colour.
 * @param {Dib} dib
 * @param {boolean} nibbles whether an index has four bits
 * @returns {Pixels}
 */
function runLengths({ view, begin, width, height, colours }, nibbles) {
  const indices = new Uint8Array(width * height);
  let [x, y, at] = [0, 0, begin];
  const put = (/** @type {number} */ index) => {
    if (x < width && y < height) indices[(height - 1 - y) * width + x] = index;
    x += 1;
  };
  while (y < height && at + 1 < view.byteLength) {
    const [count, value] = [view.getUint8(at), view.getUint8(at + 1)];
    at += 2;
    const pair = [value >> 4, value & 15];
    if (count > 0) for (let i = 0; i < count; i++) put(nibbles ? pair[i & 1] : value);
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) break;
    else if (value === 2) {
      if (at + 1 >= view.byteLength) break;
      x += view.getUint8(at);
      y += view.getUint8(at + 1);
      at += 2;
    } else {
      const bytes = nibbles ? Math.ceil(value / 2) : value;
      if (at + bytes > view.byteLength) throw new Error('it ends too early');
      for (let i = 0; i < value; i++) {
        const byte = view.getUint8(at + (nibbles ? i >> 1 : i));
        put(nibbles ? (i & 1 ? byte & 15 : byte >> 4) : byte);
      }
      at += bytes + (bytes & 1);
    }
  }
  const data = new Uint8Array(4 * width * height).fill(255);
  indices.forEach((index, i) => data.set(colours[index] ?? [0, 0, 0], 4 * i));
  return { data, width, height };
}

/**
 * An icon's mask: what it has set is transparent. One of 32 bits has alpha of its own, unless that is empty.
 * @param {Pixels} picture
 * @param {DataView} view
 * @param {number} begin of the mask
 * @param {number} bits
 */
function cutOut({ data, width, height }, view, begin, bits) {
  if (bits === 32) {
    const alpha = (/** @type {number} */ i) => view.getUint8(begin - 4 * width * height + 4 * i + 3);
    const has = Array.from({ length: width * height }, (_, i) => alpha(i)).some(Boolean);
    for (let y = 0; has && y < height; y++)
      for (let x = 0; x < width; x++) data[4 * (y * width + x) + 3] = alpha((height - 1 - y) * width + x);
    if (has) return;
  }
  const stride = 4 * Math.ceil(width / 32);
  if (begin + stride * height > view.byteLength) return;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = view.getUint8(begin + stride * (height - 1 - y) + (x >> 3));
      if ((byte >> (7 - (x & 7))) & 1) data[4 * (y * width + x) + 3] = 0;
    }
  }
}

/**
 * @file What browsers leave undone in picture files, and Pillow and Node do: WebP's EXIF orientation, and what is
 * around
 * a GIF's first frame where that is smaller than its screen.
 */

/** @param {Blob} blob @param {number} begin @param {number} length */
const bytesAt = async (blob, begin, length) => new DataView(await blob.slice(begin, begin + length).arrayBuffer());
/** @param {DataView} view @param {number} at */
const wordAt = (view, at) => String.fromCharCode(...Array.from({ length: 4 }, (_, i) => view.getUint8(at + i)));

/** Most pieces of a file that are looked at. */
const MOST_CHUNKS = 64;

/** First bytes of a GIF's blocks. */
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;

/**
 * A WebP without its EXIF orientation, and that: browsers differ in whether they turn one.
 * @param {Blob} blob
 * @returns {Promise<{ file: Blob, orientation: number }>} any other file as it is, with 1
 */
export async function withoutRotation(blob) {
  const as = { file: blob, orientation: 1 };
  const head = await bytesAt(blob, 0, 16);
  if (head.byteLength < 16 || wordAt(head, 0) !== 'RIFF' || wordAt(head, 8) !== 'WEBP' || wordAt(head, 12) !== 'VP8X')
    return as;
  for (let [at, count] = [12, 0]; at + 8 <= blob.size && count < MOST_CHUNKS; count++) {
    const chunk = await bytesAt(blob, at, 8);
    const size = chunk.getUint32(4, true);
    if (wordAt(chunk, 0) === 'EXIF') {
      const exif = await bytesAt(blob, at + 8, Math.min(size, 2 ** 16));
      const place = orientationIn(exif);
      if (place === undefined) return as;
      const orientation = exif.getUint16(place.at, place.little);
      if (!(orientation > 1 && orientation <= 8)) return as;
      const begin = at + 8 + place.at;
      const upright = new Uint8Array(place.little ? [1, 0] : [0, 1]);
      return { file: new Blob([blob.slice(0, begin), upright, blob.slice(begin + 2)]), orientation };
    }
    at += 8 + size + (size % 2);
  }
  return as;
}

/** Where the orientation stands in EXIF: the tag 0x0112 of the first directory. @param {DataView} exif */
function orientationIn(exif) {
  const start = exif.byteLength > 6 && wordAt(exif, 0) === 'Exif' ? 6 : 0;
  if (exif.byteLength < start + 8) return undefined;
  const little = exif.getUint16(start) === 0x4949;
  const first = start + exif.getUint32(start + 4, little);
  if (first + 2 > exif.byteLength) return undefined;
  const entries = exif.getUint16(first, little);
  for (let i = 0; i < entries; i++) {
    const entry = first + 2 + 12 * i;
    if (entry + 12 > exif.byteLength) return undefined;
    if (exif.getUint16(entry, little) === 0x0112) return { at: entry + 8, little };
  }
  return undefined;
}

/**
 * @typedef {{ around: number[], place: [number, number, number, number] }} Frame the colour around a first frame, red,
 *   green and blue, and where that frame is: left, top, width, height
 */

/**
 * The first frame of a GIF that does not fill its screen. Around it Pillow has the first colour of the frame's palette.
 * @param {Blob} blob
 * @returns {Promise<Frame | undefined>} nothing for a frame that fills it, for one with a transparent colour, which is
 *   around it too, and for any other file
 */
export async function frameOf(blob) {
  const head = await bytesAt(blob, 0, 13);
  if (head.byteLength < 13 || wordAt(head, 0) !== 'GIF8') return undefined;
  const hasPalette = (/** @type {number} */ flags) => (flags & 0x80) !== 0;
  const flags = head.getUint8(10);
  const screen = [head.getUint16(6, true), head.getUint16(8, true)];
  let at = 13 + (hasPalette(flags) ? 3 * 2 ** ((flags & 7) + 1) : 0);
  for (let count = 0; count < MOST_CHUNKS; count++) {
    const block = await bytesAt(blob, at, 13);
    if (block.byteLength < 13) return undefined;
    const kind = block.getUint8(0);
    if (kind === EXTENSION) {
      if (block.getUint8(1) === GRAPHIC_CONTROL && block.getUint8(3) & 1) return undefined;
      at = await afterBlocks(blob, at + 2);
      continue;
    }
    const own = hasPalette(block.getUint8(9));
    if (kind !== IMAGE || !(own || hasPalette(flags))) return undefined;
    const place = /** @type {Frame['place']} */ ([1, 3, 5, 7].map((offset) => block.getUint16(offset, true)));
    if (place[0] === 0 && place[1] === 0 && place[2] >= screen[0] && place[3] >= screen[1]) return undefined;
    const palette = own ? at + 10 : 13;
    const colour = await bytesAt(blob, palette, 3);
    return { around: [0, 1, 2].map((i) => colour.getUint8(i)), place };
  }
  return undefined;
}

/** The end of a chain of blocks, each with its length before it. @param {Blob} blob @param {number} at */
async function afterBlocks(blob, at) {
  for (;;) {
    const length = await bytesAt(blob, at, 1);
    if (length.byteLength === 0) return at;
    at += 1 + length.getUint8(0);
    if (length.getUint8(0) === 0) return at;
  }
}

/**
 * @file The size of an SVG. Most icons have a `viewBox` and no size, or one in percent, and browsers then draw none for
 * `createImageBitmap`; the size of the `viewBox` is what librsvg and with it Node takes.
 */

/** Bytes in which the first tag ends. */
const MAX_TAG = 2 ** 18;

/** What a browser gives a picture that says nothing of its size. */
const DEFAULT = [300, 150];

/** No canvas is larger. */
const MAX_SIDE = 4096;

/**
 * The file with a width and a height in pixels, where it has none.
 * @param {Blob} blob
 * @returns {Promise<{ blob: Blob, width: number, height: number }>}
 */
export async function sizedSvg(blob) {
  const bytes = new Uint8Array(await blob.slice(0, MAX_TAG).arrayBuffer());
  const type = { type: 'image/svg+xml' };
  const encoding = encodingOf(bytes);
  if (encoding) {
    // Browsers draw UTF-8 only; the declaration would no longer be true.
    const text = new TextDecoder(encoding).decode(await blob.arrayBuffer());
    return sizedSvg(new Blob([text.replace(/^\s*<\?xml[^]*?\?>/, '')]));
  }
  // The bytes of ASCII are nothing else in UTF-8, so that places of characters are places of bytes.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const tag = /<(?:[\w.-]+:)?svg(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*?(?=\/?>)/.exec(
    text.replace(/<!--[^]*?-->/g, (comment) => ' '.repeat(comment.length)),
  );
  if (!tag) return { blob: new Blob([blob], type), width: DEFAULT[0], height: DEFAULT[1] };
  const { attributes, places } = attributesOf(tag[0]);
  const [width, height] = sizeOf(attributes);
  if (isLength(attributes.width) && isLength(attributes.height)) return { blob: new Blob([blob], type), width, height };
  let at = tag.index;
  /** @type {BlobPart[]} */
  const parts = [blob.slice(0, at)];
  for (const [begin, end] of places) {
    parts.push(blob.slice(at, tag.index + begin));
    at = tag.index + end;
  }
  const end = tag.index + tag[0].length;
  parts.push(blob.slice(at, end), ` width="${width}" height="${height}"`, blob.slice(end));
  return { blob: new Blob(parts, type), width, height };
}

/** The encoding of a text, unless it is UTF-8 or of no known name. @param {Uint8Array<ArrayBuffer>} bytes */
function encodingOf(bytes) {
  if (bytes[0] >= 0xfe) return bytes[0] === 0xff ? 'utf-16le' : 'utf-16be';
  const [, declared] =
    /^[^<]*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']/.exec(
      new TextDecoder('latin1').decode(bytes.subarray(0, 256)),
    ) ?? [];
  try {
    const { encoding } = new TextDecoder(declared);
    return /^utf-/.test(encoding) ? undefined : encoding;
  } catch {
    return undefined;
  }
}

/** @typedef {{ width?: string, height?: string, viewBox?: string }} Attributes */

/** The attributes that have to do with the size, and where width and height stand. @param {string} tag */
function attributesOf(tag) {
  /** @type {Attributes} */
  const attributes = {};
  const places = [];
  for (const match of tag.matchAll(/\s(width|height|viewBox)\s*=\s*("[^"]*"|'[^']*')/g)) {
    attributes[/** @type {keyof Attributes} */ (match[1])] = match[2].slice(1, -1);
    if (match[1] !== 'viewBox') places.push([match.index, match.index + match[0].length]);
  }
  return { attributes, places };
}

/** Pixels of a unit. @type {Record<string, number>} */
const units = { '': 1, px: 1, pt: 4 / 3, pc: 16, mm: 96 / 25.4, cm: 96 / 2.54, in: 96, em: 16, ex: 8 };

function pixelsOf(length = '') {
  const [, number, unit] = /^\s*\+?(\d*\.?\d+(?:e[+-]?\d+)?)([a-z]*)\s*$/i.exec(length) ?? [];
  return number === undefined ? undefined : Number(number) * units[unit.toLowerCase()] || undefined;
}

/** @param {string} [length] */
const isLength = (length) => pixelsOf(length) !== undefined;

/** @param {Attributes} attributes */
function sizeOf({ width, height, viewBox = '' }) {
  const box = viewBox
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  const [w, h] = box.length === 4 && box[2] > 0 && box[3] > 0 ? box.slice(2) : DEFAULT;
  let [x, y] = [pixelsOf(width), pixelsOf(height)];
  x ??= y === undefined ? w : (y * w) / h;
  y ??= (x * h) / w;
  const shrink = Math.min(1, MAX_SIDE / Math.max(x, y));
  return [x, y].map((side) => Math.max(1, Math.round(side * shrink)));
}

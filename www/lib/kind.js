/**
 * @file What a file is, by its first bytes: the same in the browser, in Node and in the command.
 */

import { isSvg, isWebPage, textOf } from './markup.js';

/** ISO base media: its brand says what is in it; the last pattern fits any. @type {[RegExp, string][]} */
const media = [
  [/^(heic|heix|heim|heis|hevc|hevx)/, 'a HEIC picture'],
  [/^avi[fs]/, 'an AVIF picture'],
  [/^(mif1|msf1)/, 'a HEIF picture'],
  [/^qt {2}/, 'a QuickTime film'],
  [/^crx /, 'a Canon raw picture'],
  [/^/, 'an MP4 film'],
];

/**
 * Kinds by the characters that a file begins with: `[pattern, name, is a picture]`.
 * @type {[RegExp, string, boolean][]}
 */
const kinds = [
  [/^\xff\xd8\xff/, 'a JPEG picture', true],
  [/^\x89PNG/, 'a PNG picture', true],
  [/^GIF8/, 'a GIF picture', true],
  [/^RIFF[^]{4}WEBP/, 'a WebP picture', true],
  [/^(II\*\0|MM\0\*|II\+\0|MM\0\+)/, 'a TIFF picture', true],
  [/^BM[^]{4}\0\0\0\0/, 'a BMP picture', true],
  [/^\0\0[\x01\x02]\0[^\0]\0/, 'an ICO picture', true],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/, 'a JPEG XL picture', true],
  [/^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/, 'a JPEG 2000 picture', true],
  [/^8BPS/, 'a Photoshop picture (PSD)', true],
  [/^qoif/, 'a QOI picture', true],
  [/^P[1-7]\s/, 'a Netpbm picture', true],
  [/^v\/1\x01/, 'an OpenEXR picture', true],
  [/^%PDF/, 'a PDF', false],
  [/^\x1aE\xdf\xa3/, 'a WebM or Matroska film', false],
  [/^RIFF[^]{4}AVI /, 'an AVI film', false],
  [
    /^version https:\/\/git-lfs\.github\.com\/spec\//,
    'a Git LFS pointer: run `git lfs pull` for the file itself',
    false,
  ],
  [/^PK\x03\x04/, 'a zip archive or a PyTorch checkpoint', false],
  [/^\x1f\x8b/, 'a gzip archive', false],
  [/^\x89HDF\r\n/, 'an HDF5 file', false],
  [/^[^]{4}TFL3/, 'a TensorFlow Lite model', false],
  [/^[^]{5}\0\0\0\{/, 'a model (safetensors)', false],
  [/^\x80[\x02-\x05]/, 'a Python pickle', false],
];

/**
 * What a file seems to be.
 * @param {Uint8Array} bytes its first ones
 * @returns {{ name: string, picture: boolean }} as in "This is …"; `picture` tells whether it has one in it
 */
export function kindOf(bytes) {
  const text = textOf(bytes.subarray(0, 256));
  if (/^[^]{4}ftyp/.test(text)) {
    const brands = [text.slice(8, 12), ...(text.slice(16, text.charCodeAt(3)).match(/[^]{4}/g) ?? [])];
    // HEIF's own brand says little where a later one says more.
    const [brand] = /^m[is]f1/.test(brands[0])
      ? brands.filter((name) => /^(he|avi)/.test(name)).concat(brands[0])
      : brands;
    const [, name] = /** @type {[RegExp, string]} */ (media.find(([pattern]) => pattern.test(brand)));
    return { name, picture: name.endsWith('picture') };
  }
  if (isSvg(bytes)) return { name: 'an SVG picture', picture: true };
  if (isWebPage(bytes)) return { name: 'a web page', picture: false };
  const found = kinds.find(([pattern]) => pattern.test(text));
  if (found) return { name: found[1], picture: found[2] };
  if (bytes.length && !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) return { name: 'a text file', picture: false };
  return { name: 'a file of a kind that is not known', picture: false };
}

/**
 * Whether a file begins as a model does: safetensors, or a PyTorch checkpoint of either format, whatever its name is.
 * @param {Uint8Array} bytes
 */
export const isModel = (bytes) => /PyTorch|safetensors|pickle/.test(kindOf(bytes).name);

/**
 * Why a file could not be read as a picture.
 * @param {Uint8Array} bytes
 * @param {{ reads: RegExp, who: string, instead: string, detail?: string }} here names of the kinds that are read, who
 *   reads them, and what to do
 */
export function unreadable(bytes, { reads, who, instead, detail }) {
  if (bytes.length === 0) return 'The file is empty.';
  const { name, picture } = kindOf(bytes);
  const words = detail ? ` (${detail})` : '';
  if (!picture) return `This is ${name}${/:/.test(name) ? '' : ', not a picture'}. ${instead}`;
  return reads.test(name)
    ? `This is ${name}, but damaged or incomplete${words}.`
    : `This is ${name}, which ${who} cannot read. ${instead}`;
}

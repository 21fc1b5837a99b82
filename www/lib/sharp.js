/**
 * @file Picture files to RGBA in Node, as a browser reads them: by the package sharp, where it is installed.
 */
import { decodeBmp, decodeIco } from './bmp.js';
import { frameOf } from './container.js';
import { caught, GGhostError } from './errors.js';
import { kindOf, unreadable } from './kind.js';
import { HEAD } from './markup.js';

/** @typedef {import('./bmp.js').Pixels} Pixels */

/** Pictures that sharp reads as it comes from npm. */
const reads = /JPEG picture|PNG|GIF|WebP|AVIF|TIFF|SVG|BMP|ICO/;

/**
 * @param {Uint8Array} bytes of a picture file
 * @returns {Promise<Pixels>}
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
    const detail = String(caught(error).message).split('\n')[0].slice(0, 200);
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
  const sharp = await loadSharp().catch(() => undefined);
  sharp?.default.concurrency(1);
}

/** @param {Uint8Array} bytes @returns {Promise<Pixels>} */
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

/**
 * A GIF with its colour around a first frame that does not fill it.
 * @param {Pixels} picture
 * @param {Uint8Array} bytes
 */
async function framed(picture, bytes) {
  const frame = await frameOf(new Blob([new Uint8Array(bytes)]));
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

/**
 * Ink to light, channel by channel, without a profile.
 * @param {{ data: Uint8Array, info: { width: number, height: number, channels: number } }} picture
 */
function fromCmyk({ data: ink, info: { width, height, channels } }) {
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const black = 255 - ink[pixel * channels + 3];
    for (let c = 0; c < 3; c++) data[pixel * 4 + c] = Math.round(((255 - ink[pixel * channels + c]) * black) / 255);
  }
  return { data, width, height };
}

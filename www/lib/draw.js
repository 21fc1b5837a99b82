/**
 * @file Feature maps as one picture: a grid of small squares.
 */
import { GGhostError } from './errors.js';
import { layOut, paintMap, palette, paletteNames } from './paint.js';

export { layOut };

/** @type {Record<string, Uint32Array>} */
const palettes = {};

/** 256 colours as the bytes r, g, b, 255 of a pixel. @param {string} name @returns {Uint32Array} */
export function paletteOf(name) {
  if (!paletteNames.includes(name)) throw badOption('colormap', name, paletteNames.join(', '));
  return (palettes[name] ??= palette(name));
}

/** @param {string} name @param {unknown} value @param {string} expected */
const badOption = (name, value, expected) =>
  new GGhostError('bad-option', `${name} is ${JSON.stringify(value)}, expected ${expected}.`);

/**
 * Where maps are drawn, with what is left out filled in.
 * @param {number[]} dims channels, height, width
 * @param {import('./draw.d.ts').DrawOptions} options
 */
export function gridOf([count, height, width], options) {
  const { channels = Array.from({ length: count }, (_, i) => i), colormap = 'viridis', scale = 'map' } = options;
  const { cell = Math.max(height, width), columns = Math.ceil(Math.sqrt(channels.length)), gap = 0 } = options;
  const isMap = (/** @type {number} */ channel) => Number.isInteger(channel) && channel >= 0 && channel < count;
  if (!channels.length || !channels.every(isMap)) {
    throw badOption('channels', channels, `some of the ${count} maps, from 0`);
  }
  for (const [name, value] of Object.entries({ cell, columns, gap })) {
    const least = name === 'gap' ? 0 : 1;
    if (!Number.isInteger(value) || value < least) throw badOption(name, value, `a whole number from ${least}`);
  }
  if (!['map', 'all'].includes(scale)) throw badOption('scale', scale, 'map or all');
  return { channels, columns, cell, gap, colormap, scale };
}

/**
 * Draws maps row by row; the canvas takes the size of the grid.
 * @type {typeof import('./draw.d.ts').drawMaps}
 */
export function drawMaps(canvas, maps, options = {}) {
  const { channels, columns, cell, gap, colormap, scale } = gridOf(maps.dims, options);
  const colours = paletteOf(colormap);
  const step = cell + gap;
  canvas.width = columns * step;
  canvas.height = Math.ceil(channels.length / columns) * step;
  const image = new ImageData(canvas.width, canvas.height);
  const picture = { pixels: new Uint32Array(image.data.buffer), stride: canvas.width };
  const ranges = channels.map((channel) => rangeOf(maps, channel));
  /** @type {[number, number]} */
  const common = [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  channels.forEach((channel, place) => {
    const square = { left: (place % columns) * step, top: Math.floor(place / columns) * step, side: cell };
    paintMap(picture, square, maps, channel, { range: scale === 'all' ? common : ranges[place], colours });
  });
  contextOf(canvas).putImageData(image, 0, 0);
}

/** @param {HTMLCanvasElement | OffscreenCanvas} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));

/**
 * Shows a picture on a canvas, which takes its size and may have a context already.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {ImageBitmap} bitmap
 */
export function showBitmap(canvas, bitmap) {
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext('2d') ?? canvas.getContext('bitmaprenderer');
  if (context && 'transferFromImageBitmap' in context) {
    context.transferFromImageBitmap(bitmap);
    return;
  }
  if (!context) {
    const text = 'The canvas has a context of another kind: use a fresh one, or one for 2d or bitmaprenderer.';
    throw new GGhostError('unsupported', text);
  }
  /** @type {CanvasRenderingContext2D} */ (context).drawImage(bitmap, 0, 0);
  bitmap.close();
}

/**
 * @param {{ data: Float32Array, dims: number[] }} maps
 * @param {number} channel
 * @returns {[number, number]}
 */
function rangeOf({ data, dims: [, height, width] }, channel) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = channel * height * width; i < (channel + 1) * height * width; i++) {
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  return [low, high];
}

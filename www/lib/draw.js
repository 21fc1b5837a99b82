/**
 * @file Feature maps as one picture: a grid of small squares. WebGPU's twin is shaders/draw.wgsl.
 */
import { GGhostError } from './errors.js';

/** Even steps of lightness, the same for every kind of colour vision. */
const anchors = {
  viridis: [
    [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140],
    [34, 167, 132], [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 36],
  ],
  grey: [[0, 0, 0], [255, 255, 255]],
};

const palettes = {};

/** 256 colours as the bytes r, g, b, 255 of a pixel. @returns {Uint32Array} */
export const paletteOf = (name) => (palettes[name] ??= palette(name));

function palette(name) {
  const stops = anchors[name];
  if (!stops) throw badOption('colormap', name, Object.keys(anchors).join(', '));
  return new Uint32Array(256).map((_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const mix = (channel) => Math.round(stops[low][channel] + (at - low) * (stops[low + 1][channel] - stops[low][channel]));
    return new Uint32Array(new Uint8Array([mix(0), mix(1), mix(2), 255]).buffer)[0];
  });
}

const badOption = (name, value, expected) => new GGhostError('bad-option', `${name} is ${JSON.stringify(value)}, expected ${expected}.`);

/**
 * Where maps are drawn, with what is left out filled in.
 * @param {number[]} dims channels, height, width
 * @param {import('./draw.d.ts').DrawOptions} options
 */
export function gridOf([count, height, width], options) {
  const { channels = Array.from({ length: count }, (_, i) => i), colormap = 'viridis', scale = 'map', gap = 0 } = options;
  const { cell = Math.max(height, width), columns = Math.ceil(Math.sqrt(channels.length)) } = options;
  if (!channels.length || !channels.every((channel) => Number.isInteger(channel) && channel >= 0 && channel < count)) {
    throw badOption('channels', channels, `some of the ${count} maps, from 0`);
  }
  for (const [name, value, least] of [['cell', cell, 1], ['columns', columns, 1], ['gap', gap, 0]]) {
    if (!Number.isInteger(value) || value < least) throw badOption(name, value, `a whole number from ${least}`);
  }
  if (!['map', 'all'].includes(scale)) throw badOption('scale', scale, 'map or all');
  return { channels, columns, cell, gap, colormap, scale };
}

/**
 * The largest square cells, in steps of 4 pixels, with which all maps fit.
 * @param {number} maps
 * @param {number} width
 * @param {number} height
 * @returns {{ cell: number, columns: number, rows: number }}
 */
export function layOut(maps, width, height) {
  for (let cell = Math.min(80, Math.floor(width / 4) * 4); ; cell -= 4) {
    const columns = Math.max(1, Math.min(maps, Math.floor(width / Math.max(cell, 4))));
    const rows = Math.ceil(maps / columns);
    if (rows * cell <= height || cell <= 8) return { cell: Math.max(cell, 4), columns, rows };
  }
}

/**
 * Draws maps row by row; the canvas takes the size of the grid.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {{ data: Float32Array, dims: number[] }} maps channels, height, width
 * @param {{ channels?: number[], cell?: number, columns?: number, gap?: number, colormap?: 'viridis' | 'grey', scale?: 'map' | 'all' }} [options]
 *   `cell` is the side of a map and `gap` the space after it, in canvas pixels;
 *   `scale` says whether each map has a range of its own or all have one.
 */
export function drawMaps(canvas, { data, dims }, options = {}) {
  const { channels, columns, cell, gap, colormap, scale } = gridOf(dims, options);
  const [, height, width] = dims;
  const step = cell + gap;
  canvas.width = columns * step;
  canvas.height = Math.ceil(channels.length / columns) * step;
  const colours = paletteOf(colormap);
  const picture = new ImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const size = height * width;
  const ranges = channels.map((channel) => range(data, channel * size, size));
  const common = [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  channels.forEach((channel, place) => {
    const [low, high] = scale === 'all' ? common : ranges[place];
    const steps = high > low ? 255 / (high - low) : 0;
    const [left, top] = [(place % columns) * step, Math.floor(place / columns) * step];
    for (let y = 0; y < cell; y++) {
      const row = channel * size + Math.floor((y * height) / cell) * width;
      const target = (top + y) * canvas.width + left;
      for (let x = 0; x < cell; x++) {
        pixels[target + x] = colours[Math.floor((data[row + Math.floor((x * width) / cell)] - low) * steps + 0.5)];
      }
    }
  });
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

/** Shows a picture on a canvas, which takes its size and may have a context already. */
export function showBitmap(canvas, bitmap) {
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext('2d') ?? canvas.getContext('bitmaprenderer');
  if (context?.transferFromImageBitmap) {
    context.transferFromImageBitmap(bitmap);
    return;
  }
  if (!context) throw new GGhostError('unsupported', 'The canvas has a context of another kind: use a fresh one, or one for 2d or bitmaprenderer.');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
}

function range(data, offset, length) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = offset; i < offset + length; i++) {
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  return [low, high];
}

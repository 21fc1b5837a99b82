/**
 * @file Maps as pixels: colours, and one map in a square of them. WebGPU's twin is shaders/draw.wgsl.
 */
import { GGhostError } from './errors.js';

/**
 * Even steps of lightness, the same for every kind of colour vision.
 * @type {Record<string, number[][]>}
 */
const anchors = {
  viridis: [
    [68, 1, 84],
    [72, 35, 116],
    [64, 67, 135],
    [52, 94, 141],
    [41, 120, 142],
    [32, 144, 140],
    [34, 167, 132],
    [68, 190, 112],
    [121, 209, 81],
    [189, 222, 38],
    [253, 231, 36],
  ],
  grey: [
    [0, 0, 0],
    [255, 255, 255],
  ],
};
export const paletteNames = Object.keys(anchors);

/** @param {number[]} rgb @returns {number} the bytes r, g, b, 255 of a pixel */
export const pixelOf = ([r, g, b]) => new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0];

/** 256 colours from a palette's anchors, evenly apart. @param {string} name @returns {Uint32Array} */
export function palette(name) {
  const stops = anchors[name];
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return pixelOf(stops[low].map((from, channel) => Math.round(from + (at - low) * (stops[low + 1][channel] - from))));
  });
}

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
 * One map into a square of a picture's pixels. A number is the nearest of 256 steps of its range.
 * @param {{ pixels: Uint32Array, stride: number }} picture
 * @param {{ left: number, top: number, side: number }} square
 * @param {{ data: Float32Array, dims: ArrayLike<number> }} maps
 * @param {number} channel
 * @param {{ range: [low: number, high: number], colours: Uint32Array }} scale
 */
export function paintMap({ pixels, stride }, { left, top, side }, { data, dims }, channel, { range, colours }) {
  const [height, width] = [dims[1], dims[2]];
  const [low, high] = range;
  const steps = high > low ? 255 / (high - low) : 0;
  const columns = Uint16Array.from({ length: side }, (_, x) => Math.floor((x * width) / side));
  let painted = -1;
  for (let y = 0; y < side; y++) {
    const source = Math.floor((y * height) / side);
    const target = (top + y) * stride + left;
    if (source === painted) {
      pixels.copyWithin(target, target - stride, target - stride + side);
      continue;
    }
    painted = source;
    const row = (channel * height + source) * width;
    for (let x = 0; x < side; x++) {
      const step = Math.floor((data[row + columns[x]] - low) * steps + 0.5);
      pixels[target + x] = colours[step < 0 ? 0 : step > 255 ? 255 : step];
    }
  }
}

/**
 * The largest square cells, in steps of 4 pixels, with which all maps fit.
 * @param {number} maps
 * @param {number} width
 * @param {number} height
 * @param {{ most?: number, least?: number }} [cells] sides between which the cells are
 * @returns {{ cell: number, columns: number, rows: number }}
 */
export function layOut(maps, width, height, { most = 80, least = 8 } = {}) {
  for (let cell = Math.min(most, Math.floor(width / 4) * 4); ; cell -= 4) {
    const columns = Math.max(1, Math.min(maps, Math.floor(width / Math.max(cell, 4))));
    const rows = Math.ceil(maps / columns);
    if (rows * cell <= height || cell <= least) return { cell: Math.max(cell, 4), columns, rows };
  }
}

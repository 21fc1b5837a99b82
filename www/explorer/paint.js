/** @file Feature maps as pictures: palettes, colour ranges, grids of small squares. */
import { interpolateCividis, interpolateGreys, interpolateRdBu, interpolateViridis } from 'd3-scale-chromatic';

/** Each from low (0) to high (1); the diverging one has zero in the middle. */
const interpolators = {
  viridis: interpolateViridis,
  cividis: interpolateCividis,
  grey: (t) => interpolateGreys(1 - t),
  diverging: (t) => interpolateRdBu(1 - t),
};
export const paletteNames = Object.keys(interpolators);

/** `#rrggbb` or `rgb(r, g, b)` as three numbers. */
function channelsOf(colour) {
  if (colour.startsWith('#')) return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return colour.match(/\d+/g).map(Number);
}

const built = {};
/** 256 colours, as the bytes r, g, b, 255 of a pixel each. @returns {Uint32Array} */
export function colours(name) {
  return (built[name] ??= Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = channelsOf(interpolators[name](i / 255));
    return new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0];
  }));
}

const measured = new WeakMap();
/**
 * What the page says of single maps, measured once: range and energy (root of the mean square).
 * @param {{ data: Float32Array, dims: number[] }} maps
 */
export function statistics(maps) {
  if (measured.has(maps)) return measured.get(maps);
  const { data, dims: [channels, height, width] } = maps;
  const size = height * width;
  const [low, high, energy] = [0, 0, 0].map(() => new Float32Array(channels));
  for (let c = 0; c < channels; c++) {
    let [least, most, squares] = [Infinity, -Infinity, 0];
    for (let i = c * size; i < (c + 1) * size; i++) {
      const value = data[i];
      if (value < least) least = value;
      if (value > most) most = value;
      squares += value * value;
    }
    low[c] = least;
    high[c] = most;
    energy[c] = Math.sqrt(squares / size);
  }
  const all = [low.reduce((a, b) => Math.min(a, b), Infinity), high.reduce((a, b) => Math.max(a, b), -Infinity)];
  const found = { low, high, energy, all };
  measured.set(maps, found);
  return found;
}

/** A range as a palette needs it: zero in the middle of a diverging one. */
export function fit([low, high], palette) {
  if (palette !== 'diverging') return [low, high];
  const most = Math.max(Math.abs(low), Math.abs(high));
  return [-most, most];
}

/**
 * One map of `maps`, every position a whole number of pixels where there is room, into a picture's pixels.
 * @param {Uint32Array} pixels of a picture `stride` wide
 */
function paintMap(pixels, stride, left, top, side, { data, dims: [, height, width] }, channel, [low, high], table) {
  const steps = high > low ? 255.99 / (high - low) : 0;
  const start = channel * height * width;
  const columns = new Uint16Array(side);
  for (let x = 0; x < side; x++) columns[x] = Math.floor((x * width) / side);
  let painted = -1;
  for (let y = 0; y < side; y++) {
    const source = Math.floor((y * height) / side);
    const target = (top + y) * stride + left;
    if (source === painted) {
      pixels.copyWithin(target, target - stride, target - stride + side);
      continue;
    }
    painted = source;
    const row = start + source * width;
    for (let x = 0; x < side; x++) pixels[target + x] = table[Math.max(0, Math.min(255, Math.floor((data[row + columns[x]] - low) * steps)))];
  }
}

const buffers = new WeakMap();

/**
 * An empty picture of a canvas's size and its pixels, kept for the next time: a camera's maps are painted anew some
 * thirty times a second.
 */
function pixelsOf(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  let kept = buffers.get(canvas);
  if (kept?.picture.width !== width || kept.picture.height !== height) {
    const picture = new ImageData(width, height);
    // Painted by the processor, so it also lies there.
    kept = { picture, pixels: new Uint32Array(picture.data.buffer), context: canvas.getContext('2d', { willReadFrequently: true }) };
    buffers.set(canvas, kept);
  }
  kept.pixels.fill(0);
  return kept;
}

/**
 * A grid of maps, row by row in the given order; the canvas takes its size.
 * @param {HTMLCanvasElement} canvas
 * @param {{ data: Float32Array, dims: number[] }} maps
 * @param {{ order: ArrayLike<number>, cell: number, gap: number, columns: number, palette: string,
 *   range: (channel: number) => [number, number], blank?: Set<number>, ink?: string }} options
 *   `cell` and `gap` in canvas pixels; maps in `blank` are crossed out
 */
export function paintGrid(canvas, maps, { order, cell, gap, columns, palette, range, blank = new Set(), ink = '#888' }) {
  const step = cell + gap;
  const { context, picture, pixels } = pixelsOf(canvas, columns * step, Math.ceil(order.length / columns) * step);
  const table = colours(palette);
  for (let place = 0; place < order.length; place++) {
    if (blank.has(order[place])) continue;
    paintMap(pixels, canvas.width, (place % columns) * step, Math.floor(place / columns) * step, cell, maps, order[place], fit(range(order[place]), palette), table);
  }
  context.putImageData(picture, 0, 0);
  if (!blank.size) return;
  context.strokeStyle = ink;
  context.beginPath();
  for (let place = 0; place < order.length; place++) {
    if (!blank.has(order[place])) continue;
    const [x, y] = [(place % columns) * step + 0.5, Math.floor(place / columns) * step + 0.5];
    context.rect(x, y, cell - 1, cell - 1);
    context.moveTo(x, y + cell - 1);
    context.lineTo(x + cell - 1, y);
  }
  context.stroke();
}

/** One map, large: `side` canvas pixels. */
export function paintOne(canvas, side, maps, channel, { palette, range }) {
  const { context, picture, pixels } = pixelsOf(canvas, side, side);
  paintMap(pixels, side, 0, 0, side, maps, channel, fit(range, palette), colours(palette));
  context.putImageData(picture, 0, 0);
}

/** Numbers of rows x columns as one picture, `side` canvas pixels wide. */
export function paintNumbers(canvas, side, data, dims, options) {
  paintOne(canvas, side, { data, dims: [1, ...dims] }, 0, options);
}

/** A palette from low to high, as a canvas of 256 x 1. */
export function paintLegend(canvas, palette) {
  canvas.width = 256;
  canvas.height = 1;
  const picture = new ImageData(256, 1);
  new Uint32Array(picture.data.buffer).set(colours(palette));
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

/**
 * Square cells in steps of 4 pixels: all maps in view up to 528, then rows of a fixed size that scroll.
 * @returns {{ cell: number, columns: number, rows: number, height: number }} height of the pane
 */
export function layOut(count, width, height) {
  const most = Math.min(64, Math.floor(width / 16) * 4);
  for (let cell = Math.max(8, most); ; cell -= 4) {
    const columns = Math.max(1, Math.min(count, Math.floor(width / cell)));
    const rows = Math.ceil(count / columns);
    const fits = rows * cell <= height;
    if (fits || cell <= 8 || (count > 528 && cell <= 20)) return { cell, columns, rows, height: Math.min(rows * cell, height) };
  }
}

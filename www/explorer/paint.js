/** @file Feature maps on canvases: the library's painter with more palettes, grids, single maps and legends. */
import { interpolateCividis, interpolateRdBu } from 'd3-scale-chromatic';
import { layOut, paintMap, palette as libraryPalette, pixelOf } from '../lib/paint.js';

/**
 * @typedef {import('./state.js').Maps} Maps
 * @typedef {import('./state.js').Choices['palette']} Palette
 */

/** Those that the library does not have, from low (0) to high (1); the diverging one has zero in the middle. */
const interpolators = { cividis: interpolateCividis, diverging: (/** @type {number} */ t) => interpolateRdBu(1 - t) };

/** `#rrggbb` or `rgb(r, g, b)` as three numbers. @param {string} colour */
function channelsOf(colour) {
  if (colour.startsWith('#')) return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return (colour.match(/\d+/g) ?? []).map(Number);
}

/** @type {Partial<Record<Palette, Uint32Array>>} */
const built = {};
/** 256 colours, as the bytes r, g, b, 255 of a pixel each. @param {Palette} name */
export function colours(name) {
  return (built[name] ??=
    name === 'cividis' || name === 'diverging'
      ? Uint32Array.from({ length: 256 }, (_, i) => pixelOf(channelsOf(interpolators[name](i / 255))))
      : libraryPalette(name));
}

/**
 * A range as a palette needs it: zero in the middle of a diverging one.
 * @param {[number, number]} range
 * @param {Palette} palette
 * @returns {[number, number]}
 */
export function fit([low, high], palette) {
  if (palette !== 'diverging') return [low, high];
  const most = Math.max(Math.abs(low), Math.abs(high));
  return [-most, most];
}

/** @typedef {{ image: ImageData, pixels: Uint32Array, context: CanvasRenderingContext2D }} Buffer */
/** @type {WeakMap<HTMLCanvasElement, Buffer>} */
const buffers = new WeakMap();

/**
 * An empty picture of a canvas's size and its pixels, kept for the next time: a camera's maps are painted anew some
 * thirty times a second.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function pixelsOf(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  let kept = buffers.get(canvas);
  if (kept?.image.width !== width || kept.image.height !== height) {
    const image = new ImageData(width, height);
    // Painted by the processor, so it also lies there.
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
    kept = { image, pixels: new Uint32Array(image.data.buffer), context };
    buffers.set(canvas, kept);
  }
  kept.pixels.fill(0);
  return kept;
}

/**
 * @typedef {object} Grid
 * @property {ArrayLike<number>} order channels by place
 * @property {number} cell in canvas pixels, as `gap`
 * @property {number} gap
 * @property {number} columns
 * @property {Palette} palette
 * @property {(channel: number) => [number, number]} range
 * @property {Set<number>} [blank] maps that are crossed out
 * @property {string} [ink]
 */

/**
 * A grid of maps, row by row; the canvas takes its size.
 * @param {HTMLCanvasElement} canvas
 * @param {Maps} maps
 * @param {Grid} grid
 */
export function paintGrid(canvas, maps, grid) {
  const { order, cell, gap, columns, palette, range, blank = new Set(), ink = '#888' } = grid;
  const step = cell + gap;
  const picture = pixelsOf(canvas, columns * step, Math.ceil(order.length / columns) * step);
  const { context, image, pixels } = picture;
  const target = { pixels, stride: canvas.width };
  const table = colours(palette);
  const at = (/** @type {number} */ place) => [(place % columns) * step, Math.floor(place / columns) * step];
  const crossed = [];
  for (let place = 0; place < order.length; place++) {
    const channel = order[place];
    const [left, top] = at(place);
    if (blank.has(channel)) crossed.push([left, top]);
    else {
      const scale = { range: fit(range(channel), palette), colours: table };
      paintMap(target, { left, top, side: cell }, maps, channel, scale);
    }
  }
  context.putImageData(image, 0, 0);
  cross(context, crossed, cell, ink);
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} corners @param {number} cell @param {string} ink */
function cross(context, corners, cell, ink) {
  if (!corners.length) return;
  context.strokeStyle = ink;
  context.beginPath();
  for (const [left, top] of corners) {
    const [x, y] = [left + 0.5, top + 0.5];
    context.rect(x, y, cell - 1, cell - 1);
    context.moveTo(x, y + cell - 1);
    context.lineTo(x + cell - 1, y);
  }
  context.stroke();
}

/**
 * One map, large: `side` canvas pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} side
 * @param {Maps} maps
 * @param {number} channel
 * @param {{ palette: Palette, range: [number, number] }} options
 */
export function paintOne(canvas, side, maps, channel, { palette, range }) {
  const { context, image, pixels } = pixelsOf(canvas, side, side);
  const scale = { range: fit(range, palette), colours: colours(palette) };
  paintMap({ pixels, stride: side }, { left: 0, top: 0, side }, maps, channel, scale);
  context.putImageData(image, 0, 0);
}

/**
 * Pixels as they are: a canvas of so many.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {Uint32Array} pixels
 */
export function paintPixels(canvas, width, pixels) {
  Object.assign(canvas, { width, height: pixels.length / width });
  const image = new ImageData(canvas.width, canvas.height);
  new Uint32Array(image.data.buffer).set(pixels);
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}

/** A palette from low to high, as a canvas of 256 x 1. @param {HTMLCanvasElement} canvas @param {Palette} palette */
export const paintLegend = (canvas, palette) => paintPixels(canvas, 256, colours(palette));

/** More maps than these scroll, in cells of a fixed size. */
const IN_VIEW = 528;

/**
 * Square cells: at least four in a row, all maps in view where they are few enough; `height` is the pane's.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 */
export function layOutPane(count, width, height) {
  const most = Math.max(8, Math.min(64, Math.floor(width / 16) * 4));
  const found = layOut(count, width, height, { most, least: count > IN_VIEW ? 20 : 8 });
  return { ...found, height: Math.min(found.rows * found.cell, height) };
}

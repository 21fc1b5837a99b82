/**
 * @file Feature maps as one picture: a grid of small squares.
 */
import { gridOf, layOut, paintMap, paletteOf } from './paint.js';

export { layOut };

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

/**
 * @file Feature maps as one picture: a grid of small squares.
 */

/** Even steps of lightness, the same for every kind of colour vision. */
const anchors = {
  viridis: [
    [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140],
    [34, 167, 132], [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 36],
  ],
  grey: [[0, 0, 0], [255, 255, 255]],
};

/** 256 colours as the bytes r, g, b, 255 of a pixel. */
function palette(name) {
  const stops = anchors[name];
  return new Uint32Array(256).map((_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const mix = (channel) => Math.round(stops[low][channel] + (at - low) * (stops[low + 1][channel] - stops[low][channel]));
    return new Uint32Array(new Uint8Array([mix(0), mix(1), mix(2), 255]).buffer)[0];
  });
}
const palettes = {};

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
export function drawMaps(canvas, { data, dims: [count, height, width] }, options = {}) {
  const { channels = Array.from({ length: count }, (_, i) => i), colormap = 'viridis', scale = 'map', gap = 0 } = options;
  const { cell = Math.max(height, width), columns = Math.ceil(Math.sqrt(channels.length)) } = options;
  const step = cell + gap;
  canvas.width = columns * step;
  canvas.height = Math.ceil(channels.length / columns) * step;
  const colours = (palettes[colormap] ??= palette(colormap));
  const picture = new ImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const size = height * width;
  const common = scale === 'all' ? range(data, 0, data.length) : undefined;
  channels.forEach((channel, place) => {
    const [low, high] = common ?? range(data, channel * size, size);
    const steps = high > low ? 255.99 / (high - low) : 0;
    const [left, top] = [(place % columns) * step, Math.floor(place / columns) * step];
    for (let y = 0; y < cell; y++) {
      const row = channel * size + Math.floor((y * height) / cell) * width;
      const target = (top + y) * canvas.width + left;
      for (let x = 0; x < cell; x++) {
        pixels[target + x] = colours[Math.floor((data[row + Math.floor((x * width) / cell)] - low) * steps)];
      }
    }
  });
  canvas.getContext('2d').putImageData(picture, 0, 0);
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

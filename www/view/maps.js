/** @file Feature maps as one picture: a grid of small squares, each map in its own range. */
import { viridis } from './colormap.js';

/**
 * The largest square cells, in steps of 4 pixels, with which all maps fit.
 * @returns {{ cell: number, columns: number, rows: number }}
 */
export function layOut(maps, width, height) {
  for (let cell = Math.min(80, Math.floor(width / 4) * 4); ; cell -= 4) {
    const columns = Math.max(1, Math.min(maps, Math.floor(width / cell)));
    const rows = Math.ceil(maps / columns);
    if (rows * cell <= height || cell <= 8) return { cell, columns, rows };
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ data: Float32Array, dims: [number, number, number] }} maps
 * @param {{ cell: number, columns: number, rows: number }} layout
 */
export function drawGrid(canvas, maps, { cell, columns, rows }) {
  const ratio = devicePixelRatio || 1;
  const step = Math.round(cell * ratio);
  canvas.width = columns * step;
  canvas.height = rows * step;
  canvas.style.width = `${columns * cell}px`;
  canvas.style.height = `${rows * cell}px`;
  const picture = new ImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let c = 0; c < maps.dims[0]; c++) {
    paint(pixels, canvas.width, (c % columns) * step, Math.floor(c / columns) * step, step - Math.round(ratio), maps, c);
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

/** One map on a canvas of its own. */
export function drawMap(canvas, maps, channel) {
  const side = Math.round(canvas.clientWidth * (devicePixelRatio || 1)) || canvas.width;
  canvas.width = canvas.height = side;
  const picture = new ImageData(side, side);
  paint(new Uint32Array(picture.data.buffer), side, 0, 0, side, maps, channel);
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

function paint(pixels, stride, left, top, side, { data, dims: [, height, width] }, channel) {
  const offset = channel * height * width;
  let low = Infinity;
  let high = -Infinity;
  for (let i = offset; i < offset + height * width; i++) {
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  const scale = high > low ? 255.99 / (high - low) : 0;
  for (let y = 0; y < side; y++) {
    const row = offset + Math.floor((y * height) / side) * width;
    const target = (top + y) * stride + left;
    for (let x = 0; x < side; x++) {
      pixels[target + x] = viridis[Math.floor((data[row + Math.floor((x * width) / side)] - low) * scale)];
    }
  }
}

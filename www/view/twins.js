/** @file How alike the maps of two blocks are: Pearson correlation over positions. No document here. */

/**
 * Maps less their mean, scaled to length one; `dead` lists the constant ones, which are like nothing.
 * @param {{ data: Float32Array, dims: [number, number, number] }} maps
 */
export function normalise({ data, dims: [channels, height, width] }) {
  const size = height * width;
  const unit = new Float32Array(data.length);
  const dead = [];
  for (let c = 0; c < channels; c++) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += data[c * size + i];
    mean /= size;
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (data[c * size + i] - mean) ** 2;
    // What rounding alone leaves of a constant map.
    const noise = size * (mean * 1e-6) ** 2;
    if (squares <= noise) {
      dead.push(c);
      continue;
    }
    const scale = 1 / Math.sqrt(squares);
    for (let i = 0; i < size; i++) unit[c * size + i] = (data[c * size + i] - mean) * scale;
  }
  return { unit, channels, size, dead };
}

/**
 * For each map the most alike of the other block.
 * @param {ReturnType<typeof normalise>} maps
 * @param {ReturnType<typeof normalise>} others
 * @returns {{ twin: Int32Array, r: Float32Array }} the twin's channel (-1: none) and the correlation, which may be negative
 */
export function twins(maps, others) {
  const twin = new Int32Array(maps.channels).fill(-1);
  const r = new Float32Array(maps.channels);
  const { size } = maps;
  for (let a = 0; a < maps.channels; a++) {
    for (let b = 0; b < others.channels; b++) {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += maps.unit[a * size + i] * others.unit[b * size + i];
      if (Math.abs(dot) > Math.abs(r[a])) {
        r[a] = dot;
        twin[a] = b;
      }
    }
  }
  return { twin, r };
}

/** @param {Float32Array} r */
export const countAbove = (r, threshold) => r.reduce((count, value) => count + (Math.abs(value) > threshold), 0);

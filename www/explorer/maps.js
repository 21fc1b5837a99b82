/** @file Numbers of single maps. No document here. */

/** @typedef {import('./state.js').Maps} Maps */

/**
 * What the page says of single maps: range and energy, which is the root of the mean square.
 * @typedef {{ low: Float32Array, high: Float32Array, energy: Float32Array, all: [number, number] }} Statistics
 */

/** @type {WeakMap<Maps, Statistics>} */
const measured = new WeakMap();

/** Measured once. @param {Maps} maps */
export function statistics(maps) {
  const known = measured.get(maps);
  if (known) return known;
  const found = measure(maps);
  measured.set(maps, found);
  return found;
}

/** @param {Maps} maps @returns {Statistics} */
function measure({ data, dims: [channels, height, width] }) {
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
  return { low, high, energy, all: rangeOf([...low, ...high]) };
}

/** @param {ArrayLike<number>} values @returns {[number, number]} */
export function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}

/** One map's numbers. @param {Maps} maps @param {number} channel */
export const mapOf = ({ data, dims: [, height, width] }, channel) =>
  data.subarray(channel * height * width, (channel + 1) * height * width);

/** Some of the channels, from one on. @param {Maps} maps @param {number} from @param {number} count @returns {Maps} */
export function channelsOf({ data, dims: [, height, width] }, from, count) {
  const size = height * width;
  return { data: data.subarray(from * size, (from + count) * size), dims: [count, height, width] };
}

/** @param {ArrayLike<number>} values */
export function meanAndDeviation(values) {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < values.length; i++) sum += values[i];
  const mean = sum / values.length;
  for (let i = 0; i < values.length; i++) squares += (values[i] - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** Less the mean, in standard deviations. @param {Float32Array} values */
export function standardised(values) {
  const { mean, deviation } = meanAndDeviation(values);
  return values.map((value) => (value - mean) / (deviation || 1));
}

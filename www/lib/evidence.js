/**
 * @file Which places and channels speak for a class. The classifier reads the mean of the last maps, so its logit is a
 * sum over positions and channels, and the class activation map (Zhou et al., 2016) is exact: nothing is approximated.
 */
import { GGhostError } from './errors.js';
import { badOption } from './options.js';

/** The classifier's step, and the mean that it reads. */
const CLASSIFIER = 'fc';
const MEAN = 'avgpool';

/**
 * @param {import('./index.d.ts').GGhostNet} net
 * @param {import('./index.d.ts').ImageInput} input
 * @param {import('./index.d.ts').EvidenceOptions} options
 * @returns {Promise<import('./index.d.ts').Evidence>}
 */
export async function evidenceOf(net, input, { class: wanted, side, signal }) {
  const { stages, taps, labels } = net.info;
  const last = stages[stages.length - 1].blocks.at(-1);
  const weights = await net.weights(CLASSIFIER, { signal }).catch((error) => {
    throw error.code === 'unsupported' ? unsuited(error) : error;
  });
  const index = indexOf(wanted, labels);
  const found = await net.features(input, { taps: [/** @type {string} */ (last), MEAN], side, signal });
  const [maps, means] = [found.maps[/** @type {string} */ (last)], found.maps[MEAN]];
  const [channels] = maps.dims;
  // A layer between the last maps and the classifier makes the sum another one.
  if (!taps.includes(MEAN) || means.dims[0] !== channels || weights.dims[1] !== channels) throw unsuited();
  const chosen = index ?? found.top[0].index;
  return { class: chosen, label: labels[chosen], ...sumsOf(maps, weights, chosen), top: found.top };
}

/** @param {Error} [cause] */
const unsuited = (cause) =>
  new GGhostError('unsupported', 'The classifier of this network does not read the mean of its last maps.', { cause });

/** @param {number | string | undefined} wanted @param {string[]} labels */
function indexOf(wanted, labels) {
  if (wanted === undefined) return undefined;
  const index = typeof wanted === 'string' ? labels.indexOf(wanted) : wanted;
  if (Number.isInteger(index) && index >= 0 && index < labels.length) return index;
  throw badOption('class', wanted, [`a whole number from 0 to ${labels.length - 1}`, 'one of info.labels']);
}

/**
 * `map[p] = Σ_c w_c x_c[p] / positions` and `shares[c] = w_c mean(x_c)`; either adds up to the logit less the bias.
 * @param {import('./index.d.ts').FeatureMaps} maps
 * @param {import('./index.d.ts').ConvolutionWeights} weights
 * @param {number} row
 */
function sumsOf({ data, dims: [channels, height, width] }, { weight, bias }, row) {
  const positions = height * width;
  const sums = new Float64Array(positions);
  const shares = new Float32Array(channels);
  let logit = bias[row];
  for (let c = 0; c < channels; c++) {
    const factor = weight[row * channels + c] / positions;
    let share = 0;
    for (let p = 0; p < positions; p++) {
      const value = factor * data[c * positions + p];
      sums[p] += value;
      share += value;
    }
    shares[c] = share;
    logit += share;
  }
  const map = { data: Float32Array.from(sums), dims: /** @type {[number, number]} */ ([height, width]) };
  return { logit, bias: bias[row], map, shares };
}

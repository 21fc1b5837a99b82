/**
 * @file The measures of how similar two taps are, a row each: how the engine's summary of a set is read, which of its
 * caveats concerns it, and what its score is. `redundancy`, the engine and the explorer's numbers follow this table.
 */
import { GGhostError } from './errors.js';

/**
 * @typedef {import('./similarity.d.ts').SetSimilarity} SetSimilarity
 * @typedef {import('./similarity.d.ts').Metric} Metric
 * @typedef {Omit<import('./index.d.ts').RedundancyScore, 'metric'>} Score
 *
 * @typedef {object} Measure
 * @property {'matches' | 'r2' | 'cka'} caveat
 * @property {boolean} [ofPairs] whether it compares single maps too, in a matrix
 * @property {(summary: any) => unknown} read what a set's summary says; undefined where it was not computed
 * @property {(set: SetSimilarity) => Score} score
 */

/** Quantiles of a score. */
const QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9];
/** A match above it is a near twin. */
const NEAR = 0.7;

/** @type {Record<Metric, Measure>} */
export const measures = {
  pearson: {
    caveat: 'matches',
    ofPairs: true,
    read: (summary) => ({ best: summary.scores(false), match: summary.matches(false) }),
    score: ({ pearson }) => bestMatches(pearson),
  },
  cosine: {
    caveat: 'matches',
    ofPairs: true,
    read: (summary) => ({ best: summary.scores(true), match: summary.matches(true) }),
    score: ({ cosine }) => bestMatches(cosine),
  },
  r2: {
    caveat: 'r2',
    read: readHeldOut,
    score({ r2 }) {
      if (r2) return { ...distribution(r2.perChannel, r2.dead), perChannel: r2.perChannel, dead: r2.dead };
      const text = 'The maps are too small to hold out a part of them for a score: use more pictures.';
      throw new GGhostError('wrong-shape', text);
    },
  },
  cka: {
    caveat: 'cka',
    read: (summary) => summary.cka(),
    score: ({ cka, dead }) => ({ score: cka, dead: dead.y }),
  },
};

export const metrics = /** @type {Metric[]} */ (Object.keys(measures));
/** Those that compare single maps too. */
export const matchMetrics = metrics.filter((metric) => measures[metric].ofPairs);

/** @param {any} summary @returns {SetSimilarity['r2']} */
function readHeldOut(summary) {
  const [, positions, fittedPositions] = summary.counts();
  const perChannel = summary.rSquared();
  if (!perChannel) return undefined;
  const [mean, median] = summary.rSquaredOverAll();
  const scoredPositions = positions - fittedPositions;
  return { perChannel, mean, median, dead: summary.deadHeld(), fittedPositions, scoredPositions };
}

/** @param {{ best: Float32Array, match: Int32Array }} matches @returns {Score} */
function bestMatches({ best, match }) {
  const dead = Int32Array.from(match.keys()).filter((channel) => match[channel] < 0);
  return { ...distribution(best.map(Math.abs), dead), perChannel: best, matches: match, dead };
}

/**
 * Over the channels that are not dead.
 * @param {Float32Array} values
 * @param {Int32Array} dead
 */
function distribution(values, dead) {
  const left = new Set(dead);
  const sorted = values.filter((_, channel) => !left.has(channel)).sort();
  if (sorted.length === 0) return { score: 0, quantiles: QUANTILES.map(() => 0), above: 0 };
  const above = sorted.filter((value) => value > NEAR).length / sorted.length;
  return { score: quantile(sorted, 0.5), quantiles: QUANTILES.map((part) => quantile(sorted, part)), above };
}

/**
 * @param {ArrayLike<number>} sorted
 * @param {number} part from 0 to 1
 */
export function quantile(sorted, part) {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (sorted[Math.ceil(place)] - sorted[below]) * (place - below);
}

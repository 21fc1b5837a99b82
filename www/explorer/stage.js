/** @file What is told of the opened stage: names, orders, pairs, counts. Functions of the state; no document here. */
import { stageNamed } from '../view/input.js';
import { statistics } from './maps.js';
import { readPin } from './session.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {import('./state.js').Side} Side
 * @typedef {import('./state.js').Pointed} Pointed
 * @typedef {import('./state.js').Comparison} Comparison
 * @typedef {import('./state.js').ComparedMaps} ComparedMaps
 * @typedef {import('./state.js').StageInfo} StageInfo
 */

/** A state with maps. @typedef {State & { maps: ComparedMaps, info: import('./state.js').Info }} Opened */

/**
 * The pair that is lit; -1: no map.
 * @typedef {object} Pair
 * @property {Side} side of the map that was chosen
 * @property {number} first
 * @property {number} last
 * @property {number} r
 * @property {number} [chance] |r| by chance, of a best match: the best among the maps of another picture
 * @property {boolean} [opposite] one map is nearly the negative of the other
 * @property {{ channel: number, r: number }[]} next the next best matches of the chosen map, on the other side
 * @property {Pointed} asked
 */

/** The opened stage. @param {Pick<State, 'stages' | 'maps'>} state */
export const stageOf = (state) => stageNamed(state, state.maps?.stage);
/** Its number, from 1. @param {Pick<State, 'stages' | 'maps'>} state */
export const stageNumber = ({ stages, maps }) => stages.findIndex(({ name }) => name === maps?.stage) + 1;

/** A stage of one block has nothing to compare. @param {Pick<State, 'maps'>} state */
export const isSingle = ({ maps }) => maps?.taps[0] === maps?.taps[1];

/**
 * What a visitor may compare in a stage: the pairs that mean something, with the names of both sides.
 * @param {StageInfo} stage
 */
export function comparisons({ blocks, added, ghostPath }) {
  const others = {
    outputs: blocks.at(-1),
    added: added.at(-1),
    ghosts: ghostPath?.ghost,
    intrinsic: ghostPath?.intrinsic,
  };
  const known = new Set([blocks[0]]);
  return Object.entries(others).flatMap(([key, tap]) => {
    if (!tap || known.has(tap)) return [];
    known.add(tap);
    return [{ key, taps: [blocks[0], tap] }];
  });
}

/** Which of them is shown; 'taps' for any other two. @param {Opened} state */
export function comparisonKey(state) {
  const { maps } = state;
  const found = comparisons(stageOf(state)).find(({ taps }) => taps[0] === maps.taps[0] && taps[1] === maps.taps[1]);
  return found?.key ?? (isSingle(state) ? 'outputs' : 'taps');
}

/** Fewer positions than this, or than maps to choose from, and one picture proves nothing. @param {Opened} state */
export function isWeak({
  maps: {
    first: {
      dims: [channels, height, width],
    },
  },
}) {
  return height * width < Math.max(64, channels / 4);
}

/** How many maps have a match above a threshold. @param {Float32Array} scores @param {number} threshold */
export const countAbove = (scores, threshold) =>
  scores.reduce((count, score) => count + Number(Math.abs(score) > threshold), 0);

/**
 * Best matches of a side that has any.
 * @param {Comparison} comparison
 * @param {Side} side
 */
export const bestOf = (comparison, side) => (side === 'first' ? comparison.bestOfA : comparison.bestOfB);
/** @type {(side: Side) => Side} */
const far = (side) => (side === 'first' ? 'last' : 'first');

/**
 * Channels of a side in the chosen order; blank maps come last but in channel order.
 * @param {Side} side
 * @param {Opened} state
 */
export function orderOf(side, { maps, sort, comparison }) {
  const found = maps[side];
  const order = Array.from({ length: found.dims[0] }, (_, i) => i);
  const by = (/** @type {ArrayLike<number>} */ values) => order.sort((a, b) => values[b] - values[a] || a - b);
  if (sort === 'energy') return by(statistics(found).energy);
  return sort === 'similarity' && comparison ? by(bestOf(comparison, side).score.map(Math.abs)) : order;
}

/** Blank maps of a side. @param {Side} side @param {Opened} state */
export const blankOf = (side, { comparison }) => new Set(side === 'first' ? comparison?.deadA : comparison?.deadB);

/**
 * The range that a map is coloured by.
 * @param {Side} side
 * @param {number} channel
 * @param {Opened} state
 * @returns {[number, number]}
 */
export function colourRange(side, channel, { maps, scale, comparison }) {
  const own = statistics(maps[side]);
  const other = statistics(maps[far(side)]);
  if (scale === 'stage') return join(own.all, other.all);
  /** @type {[number, number]} */
  const range = [own.low[channel], own.high[channel]];
  if (scale === 'local' || !comparison) return range;
  const match = bestOf(comparison, side).match[channel];
  return match < 0 ? range : join(range, [other.low[match], other.high[match]]);
}

/** @param {[number, number]} a @param {[number, number]} b @returns {[number, number]} */
export const join = (a, b) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];

/**
 * The score of a map of each side.
 * @param {Pick<Comparison, 'matrix' | 'dims'>} comparison
 * @param {number} first
 * @param {number} last
 */
export const scoreOf = ({ matrix, dims }, first, last) => matrix[first * dims[1] + last];

/**
 * The closest twins that are not the same channel and no negatives of each other: what is shown before anyone points.
 * @param {Comparison} comparison
 * @returns {Pointed | undefined}
 */
function closest({ bestOfB: { score, match } }) {
  let channel = -1;
  score.forEach((value, i) => {
    if (match[i] >= 0 && match[i] !== i && (channel < 0 || value > score[channel])) channel = i;
  });
  return channel < 0 ? undefined : { side: 'last', channel };
}

/**
 * The pair that is lit, with the ranked next matches of the map that was chosen.
 * @param {Opened} state
 * @returns {Pair | undefined}
 */
export function pairOf({ comparison, pointed, pin, maps, threshold }) {
  if (!comparison) return undefined;
  const asked = pointed ?? readPin(pin) ?? closest(comparison);
  if (!asked || asked.channel >= maps[asked.side].dims[0]) return undefined;
  const { side, channel } = asked;
  const count = maps[far(side)].dims[0];
  const wanted = asked.other ?? -1;
  const best = bestOf(comparison, side).match[channel];
  const other = wanted >= 0 && wanted < count ? wanted : best;
  const [first, last] = side === 'last' ? [other, channel] : [channel, other];
  const at = (/** @type {number} */ candidate) =>
    side === 'last' ? scoreOf(comparison, candidate, channel) : scoreOf(comparison, channel, candidate);
  const isBest = side === 'last' && other === best;
  const chance = comparison.other && isBest ? Math.abs(comparison.other.score[channel]) : undefined;
  const r = other >= 0 ? at(other) : Number.NaN;
  return { side, first, last, asked, r, chance, opposite: r < -threshold, next: ranked(at, count, other) };
}

/**
 * The four best matches besides the shown one.
 * @param {(candidate: number) => number} at
 * @param {number} count
 * @param {number} except
 */
function ranked(at, count, except) {
  /** @type {{ channel: number, r: number }[]} */
  const best = [];
  for (let candidate = 0; candidate < count; candidate++) {
    if (candidate === except) continue;
    const r = at(candidate);
    const size = Math.abs(r);
    if (!(size > 0) || (best.length === 4 && size <= Math.abs(best[3].r))) continue;
    const place = best.findIndex((other) => Math.abs(other.r) < size);
    best.splice(place < 0 ? best.length : place, 0, { channel: candidate, r });
    best.length = Math.min(best.length, 4);
  }
  return best;
}

/**
 * Whether the graphics card draws the grids from its own memory: the camera's, in what it can draw.
 * @param {State} state
 */
export const drawnOnDevice = ({ picture, result, maps, palette, scale, sort }) =>
  Boolean(picture?.live && maps && result?.backend === 'webgpu') &&
  scale === 'local' &&
  sort === 'channel' &&
  (palette === 'viridis' || palette === 'grey');

/** One row a map of the second side: what the tables show and the exports hold. @param {Opened} state */
export function rowsOf({ maps, comparison }) {
  const { energy } = statistics(maps.last);
  const score = (/** @type {import('./state.js').BestMatch | undefined} */ best, /** @type {number} */ channel) =>
    best ? best.score[channel] : Number.NaN;
  return Array.from(energy, (value, channel) => ({
    channel,
    match: comparison?.bestOfB.match[channel] ?? -1,
    score: score(comparison?.bestOfB, channel),
    chance: Math.abs(score(comparison?.other, channel)),
    shuffled: Math.abs(score(comparison?.shuffled, channel)),
    energy: value,
  }));
}

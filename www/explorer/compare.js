/** @file What is told of two sets of maps: names, orders, pairs, counts. Functions of the state; no document here. */
import { statistics } from './paint.js';

export const stageOf = ({ stages, maps }) => stages.find(({ name }) => name === maps?.stage);
export const stageNumber = ({ stages, maps }) => stages.findIndex(({ name }) => name === maps?.stage) + 1;

/** A stage of one block has nothing to compare. */
export const isSingle = ({ maps }) => maps?.taps[0] === maps?.taps[1];

/** What a visitor may compare in a stage: the pairs that mean something, with the names of both sides. */
export function comparisons({ stages, stage, info }) {
  const found = stages.find(({ name }) => name === stage);
  const [first, last] = [found.blocks[0], found.blocks.at(-1)];
  const inner = found.blocks.at(-2);
  const pairs = [
    { key: 'outputs', taps: [first, last] },
    { key: 'added', taps: [first, `${last}.conv3`] },
    { key: 'ghosts', taps: [first, `${stage}.ghost`] },
    { key: 'intrinsic', taps: [first, inner] },
  ];
  const has = (tap) => info.taps.includes(tap);
  return pairs.filter(({ key, taps }) => taps.every(has) && taps[0] !== taps[1] && (key !== 'intrinsic' || found.kind === 'ghost'));
}

/** Which of them is shown; 'taps' for any other two. */
export function comparisonKey(state) {
  const { maps } = state;
  return comparisons(state).find(({ taps }) => taps[0] === maps.taps[0] && taps[1] === maps.taps[1])?.key ?? (isSingle(state) ? 'outputs' : 'taps');
}

/** Fewer positions than this, or than maps to choose from, and one picture proves nothing. */
export const isWeak = ({ maps }) => maps.first.dims[1] * maps.first.dims[2] < Math.max(64, maps.first.dims[0] / 4);

/** How many maps have a match above a threshold. */
export const countAbove = (scores, threshold) => scores.reduce((count, score) => count + (Math.abs(score) > threshold), 0);

/** Channels of a side in the chosen order; blank maps come last but in channel order. */
export function orderOf(side, { maps, sort, comparison }) {
  const found = maps[side];
  const order = Array.from({ length: found.dims[0] }, (_, i) => i);
  const by = (values) => order.sort((a, b) => values[b] - values[a] || a - b);
  if (sort === 'energy') return by(statistics(found).energy);
  const best = comparison && (side === 'first' ? comparison.bestOfA : comparison.bestOfB);
  return sort === 'similarity' && best ? by(best.score.map((score) => Math.abs(score))) : order;
}

/** Blank maps of a side. */
export const blankOf = (side, { comparison }) => new Set(side === 'first' ? comparison?.deadA : comparison?.deadB);

/** The range that a map is coloured by. */
export function rangeOf(side, channel, { maps, scale, comparison }) {
  const own = statistics(maps[side]);
  if (scale === 'stage') return join(own.all, statistics(maps[side === 'first' ? 'last' : 'first']).all);
  const range = [own.low[channel], own.high[channel]];
  if (scale === 'local' || !comparison) return range;
  const match = (side === 'first' ? comparison.bestOfA : comparison.bestOfB).match[channel];
  const other = statistics(maps[side === 'first' ? 'last' : 'first']);
  return match < 0 ? range : join(range, [other.low[match], other.high[match]]);
}
const join = (a, b) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];

/** The score of a map of each side. */
export const scoreOf = ({ matrix, dims }, first, last) => matrix[first * dims[1] + last];

/** The closest twins that are not the same channel: what is shown before anyone points. */
function closest({ bestOfB: { score, match } }) {
  let channel = -1;
  score.forEach((value, i) => {
    if (match[i] >= 0 && match[i] !== i && (channel < 0 || Math.abs(value) > Math.abs(score[channel]))) channel = i;
  });
  return channel < 0 ? undefined : { side: 'last', channel };
}

/** `last.12` or `last.12.40` (with the other side's map) as a pointed map. */
export function readPin(pin) {
  const [side, channel, other] = pin.split('.');
  if (!['first', 'last'].includes(side) || !/^\d+$/.test(channel ?? '')) return undefined;
  return { side, channel: Number(channel), ...(/^\d+$/.test(other ?? '') && { other: Number(other) }) };
}
export const writePin = ({ side, channel, other }) => [side, channel, ...(other === undefined ? [] : [other])].join('.');

/** The pair that is lit, with the ranked next matches of the map that was chosen. */
export function pairOf(state) {
  const { comparison, pointed, pin, maps } = state;
  if (!comparison) return undefined;
  const asked = pointed ?? readPin(pin) ?? closest(comparison);
  if (!asked || asked.channel >= maps[asked.side].dims[0]) return undefined;
  const { side, channel } = asked;
  const far = side === 'last' ? 'first' : 'last';
  const best = side === 'last' ? comparison.bestOfB : comparison.bestOfA;
  const other = asked.other < maps[far].dims[0] ? asked.other : best.match[channel];
  const pair = { side, [side]: channel, [far]: other, asked };
  const at = (candidate) => (side === 'last' ? scoreOf(comparison, candidate, channel) : scoreOf(comparison, channel, candidate));
  const r = other >= 0 ? at(other) : Number.NaN;
  return { ...pair, r, chance: comparison.other && side === 'last' ? Math.abs(comparison.other.score[channel]) : undefined, next: ranked(at, maps[far].dims[0], other) };
}

/** The four best matches besides the shown one. */
function ranked(at, count, except) {
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

/** Whether the graphics card draws the grids from its own memory: the camera's, in what it can draw. */
export const drawnOnDevice = ({ picture, result, maps, palette, scale, sort }) =>
  Boolean(picture?.live && maps && result.backend === 'webgpu' && scale === 'local' && sort === 'channel' && ['viridis', 'grey'].includes(palette));

/**
 * @file How redundant a stage is: the maps of two taps compared over pictures, beside a control.
 */
import { GGhostError } from './errors.js';
import { openSimilarity } from './similarity.js';

const metrics = ['pearson', 'cosine', 'r2', 'cka'];
const controls = ['other-image', 'shuffled-positions', 'random-weights'];
/** Quantiles of a score. */
const parts = [0.1, 0.25, 0.5, 0.75, 0.9];
/** A match above it is a near twin. */
const NEAR = 0.7;
/** Of so many pictures one is held out, if there are as many; else the lowest rows of each. */
const HELD = 4;

/** @type {(net: import('./index.d.ts').GGhostNet, input: any, options: import('./index.d.ts').RedundancyOptions, open: object) => Promise<import('./index.d.ts').Redundancy>} */
export async function redundancy(net, input, options = {}, open) {
  const { metric = 'pearson', other, seed = 1, ridge, signal, onProgress = () => {} } = options;
  known('metric', metric, metrics);
  const inputs = Array.isArray(input) ? input : [input];
  const others = other === undefined ? [] : [].concat(other);
  if (inputs.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
  const taps = tapsOf(net.info, options);
  const control = options.control ?? (inputs.length + others.length > 1 ? 'other-image' : 'shuffled-positions');
  if (control !== false) known('control', control, [...controls, false]);
  if (control === 'other-image' && inputs.length + others.length < 2) {
    throw new GGhostError('bad-option', 'The control "other-image" needs a second picture: add one, or name it as `other`.');
  }

  const similarity = await openSimilarity({ ...open, signal });
  let twin;
  try {
    if (control === 'random-weights') twin = await net.randomTwin({ seed, signal });
    const [own, by] = [similarity.accumulate(), similarity.accumulate()];
    let done = 0;
    const total = inputs.length * (twin ? 2 : 1) + others.length;
    const see = async (one, from = net) => {
      const { maps } = await from.features(one, { taps: [...new Set(taps)], signal });
      onProgress({ done: ++done, total });
      return taps.map((tap) => maps[tap]);
    };
    const add = (sums, x, y, i) => Promise.all(split(x, y, i, inputs.length).map(([x, y, heldOut]) => sums.add(x, y, { heldOut, signal })));

    const strangers = [];
    for (const one of others) strangers.push((await see(one))[0]);
    // The sums of a picture are made while the next one is seen.
    let adding;
    let before;
    let start;
    for (const [i, one] of inputs.entries()) {
      const [x, y] = await see(one);
      const random = twin && (await see(one, twin));
      await adding;
      const tasks = [add(own, x, y, i)];
      if (control === 'shuffled-positions') tasks.push(similarity.shuffle(y, { seed: seed + i, signal }).then((y) => add(by, x, y, i)));
      if (random) tasks.push(add(by, ...random, i));
      if (control === 'other-image') {
        if (strangers.length) tasks.push(add(by, strangers[i % strangers.length], y, i));
        else if (before) tasks.push(add(by, x, before, i - 1));
        start ??= x;
        before = y;
      }
      adding = Promise.all(tasks);
      adding.catch(() => {});
    }
    await adding;
    if (control === 'other-image' && !strangers.length) await add(by, start, before, inputs.length - 1);

    const asked = { fit: metric === 'r2', ridge, signal };
    const found = await own.result(asked);
    const alone = taps[0] === taps[1] ? 'The stage has one block, which is compared with itself.' : undefined;
    const reason = [alone, found.few[metric === 'pearson' || metric === 'cosine' ? 'matches' : metric]].filter(Boolean).join(' ');
    return {
      stage: options.stage === undefined ? undefined : stageOf(net.info, options.stage).name,
      taps,
      ...scored(metric, found),
      control: control === false ? undefined : { kind: control, ...scored(metric, await by.result(asked)) },
      samples: { images: inputs.length, positions: found.positions, channels: found.channels, ...(found.r2 && { fittedPositions: found.r2.fittedPositions, scoredPositions: found.r2.scoredPositions }) },
      sufficient: !reason,
      ...(reason && { reason }),
      ...(metric === 'r2' && { fit: found.fit }),
    };
  } finally {
    twin?.dispose();
    similarity.close();
  }
}

/** Pairs of maps with whether they are held out. */
function split(x, y, i, count) {
  const [, height] = x.dims;
  if (count >= HELD) return [[x, y, i % HELD === HELD - 1]];
  const upper = Math.ceil((height * (HELD - 1)) / HELD);
  if (upper === height) return [[x, y, false]];
  return [
    [rows(x, 0, upper), rows(y, 0, upper), false],
    [rows(x, upper, height), rows(y, upper, height), true],
  ];
}

function rows({ data, dims: [channels, height, width] }, from, to) {
  const size = (to - from) * width;
  const part = new Float32Array(channels * size);
  for (let c = 0; c < channels; c++) part.set(data.subarray((c * height + from) * width, (c * height + to) * width), c * size);
  return { data: part, dims: [channels, to - from, width] };
}

/** One measure of all that were made. */
function scored(metric, { pearson, cosine, r2, cka, dead }) {
  if (metric === 'cka') return { metric, score: cka, dead: dead.y };
  if (metric === 'r2') {
    if (!r2) throw new GGhostError('wrong-shape', 'The maps are too small to hold out a part of them for a score: use more pictures.');
    return { metric, ...distribution(r2.perChannel, r2.dead), perChannel: r2.perChannel, dead: r2.dead };
  }
  const { best, match } = metric === 'cosine' ? cosine : pearson;
  const unmatched = Int32Array.from(match.keys()).filter((channel) => match[channel] < 0);
  return { metric, ...distribution(best.map(Math.abs), unmatched), perChannel: best, matches: match, dead: unmatched };
}

/** Over the channels alive. */
function distribution(values, dead) {
  const left = new Set(dead);
  const sorted = values.filter((_, channel) => !left.has(channel)).sort();
  const at = (part) => {
    const place = part * (sorted.length - 1);
    const below = Math.floor(place);
    return sorted[below] + (sorted[Math.ceil(place)] - sorted[below]) * (place - below);
  };
  if (sorted.length === 0) return { score: 0, quantiles: parts.map(() => 0), above: 0 };
  return { score: at(0.5), quantiles: parts.map(at), above: sorted.filter((value) => value > NEAR).length / sorted.length };
}

/** Block 1's tap and the one that is compared with it. */
function tapsOf(info, { stage, added = false, taps }) {
  if (taps) {
    if (taps.length !== 2) throw new GGhostError('bad-option', `taps has ${taps.length} names, expected 2.`);
    return [...taps];
  }
  const { blocks } = stageOf(info, stage);
  const last = blocks.at(-1);
  if (!added) return [blocks[0], last];
  // A block's last convolution, before the shortcut is added.
  const sum = info.taps.filter((tap) => tap.startsWith(`${last}.conv`)).at(-1);
  if (!sum) throw new GGhostError('unsupported', `${last} of ${info.variant} adds nothing to a shortcut: name two taps instead.`);
  return [blocks[0], sum];
}

function stageOf({ stages }, stage) {
  const found = typeof stage === 'number' ? stages[stage - 1] : stages.find(({ name }) => name === stage);
  return found ?? known('stage', stage, [...stages.map((_, i) => i + 1), ...stages.map(({ name }) => name)]);
}

/** What `net.ablated` was asked for, with stages by name. */
export function ablationsOf(info, ablation) {
  return [].concat(ablation).map(({ stage, ghost, merge, channels = [] }) => {
    if (ghost !== undefined && ghost !== 'off' && !(ghost.weight instanceof Float32Array && ghost.bias instanceof Float32Array)) {
      throw new GGhostError('bad-option', 'ghost is neither "off" nor a fit { weight: Float32Array, bias: Float32Array }.');
    }
    if (merge !== undefined) known('merge', merge, ['off']);
    const named = ghost ?? merge ?? (stage === undefined ? undefined : stage);
    return { stage: named === undefined ? undefined : stageOf(info, stage).name, ghost: ghost?.weight ? { weight: ghost.weight, bias: ghost.bias } : ghost, merge, channels };
  });
}

function known(name, value, values) {
  if (!values.includes(value)) throw new GGhostError('bad-option', `${name} is ${JSON.stringify(value)}, expected one of ${values.map((value) => JSON.stringify(value)).join(', ')}.`);
  return value;
}

/**
 * @file How redundant a stage is: the maps of two taps compared over pictures, beside their controls.
 */
import { GGhostError } from './errors.js';
import { isList } from './image.js';
import { measures, metrics } from './measures.js';
import { badOption, known } from './options.js';
import { openSimilarity } from './similarity.js';

/**
 * @typedef {import('./index.d.ts').GGhostNet} Net
 * @typedef {import('./index.d.ts').Info} Info
 * @typedef {import('./index.d.ts').FeatureMaps} FeatureMaps
 * @typedef {import('./index.d.ts').Control} Control
 * @typedef {import('./index.d.ts').ImageInput} ImageInput
 * @typedef {import('./similarity.d.ts').SetSimilarity} SetSimilarity
 * @typedef {import('./similarity.d.ts').Similarity} Similarity
 * @typedef {import('./similarity.d.ts').HeldMaps} HeldMaps
 * @typedef {import('./similarity.d.ts').Accumulator} Accumulator
 */

/** @type {Control[]} */
const controls = ['other-image', 'shuffled-positions', 'random-weights'];
/** Of so many pictures one is held out, if there are as many; else the lowest rows of each. */
const HELD = 4;

/**
 * @param {Net} net
 * @param {ImageInput | Iterable<ImageInput>} input
 * @param {import('./index.d.ts').RedundancyOptions} [options]
 * @param {object} [open] how the comparison is opened
 * @returns {Promise<import('./index.d.ts').Redundancy>}
 */
export async function redundancy(net, input, options = {}, open) {
  const { metric = 'pearson', seed = 1, ridge, side, signal, onProgress = () => {} } = options;
  known('metric', metric, metrics);
  const inputs = listOf(input);
  const others = options.other === undefined ? [] : listOf(options.other);
  if (inputs.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
  const taps = tapsOf(net.info, options);
  const control = controlOf(options.control, inputs.length, others.length);
  const similarity = await openSimilarity({ ...open, signal });
  let twin;
  try {
    if (control === 'random-weights') twin = await net.randomTwin({ seed, signal });
    const found = await measure({
      similarity,
      pictures: inputs,
      others: control === 'other-image' ? others : [],
      see: seeWith(net, taps, { side, signal }),
      seeOther: seeWith(net, [taps[0], taps[0]], { side, signal }),
      seeRandom: twin && seeWith(twin, taps, { side, signal }),
      controls: control ? [control] : [],
      seed,
      fit: metric === 'r2',
      ridge,
      signal,
      onProgress,
    });
    return report(net.info, options, { metric, taps, control, found, images: inputs.length });
  } finally {
    twin?.dispose();
    similarity.close();
  }
}

/** Pictures as a list. @param {ImageInput | Iterable<ImageInput>} input @returns {ImageInput[]} */
const listOf = (input) =>
  isList(input) ? [.../** @type {Iterable<ImageInput>} */ (input)] : [/** @type {ImageInput} */ (input)];

/**
 * The control that is asked for, or the one that there are pictures for.
 * @param {Control | false | undefined} asked
 * @param {number} inputs
 * @param {number} others
 * @returns {Control | false}
 */
function controlOf(asked, inputs, others) {
  if (inputs === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
  const control = asked ?? (inputs + others > 1 ? 'other-image' : 'shuffled-positions');
  if (control !== false) known('control', control, [...controls, false]);
  if (control === 'other-image' && inputs + others < 2) {
    const text = 'The control "other-image" needs a second picture: add one, or name it as `other`.';
    throw new GGhostError('bad-option', text);
  }
  return control;
}

/** @param {Net} net @param {string[]} taps @param {{ side?: number, signal?: AbortSignal }} options */
const seeWith = (net, taps, options) => async (/** @type {import('./index.d.ts').ImageInput} */ picture) => {
  const { maps } = await net.features(picture, { taps: [...new Set(taps)], ...options });
  return { maps: taps.map((tap) => maps[tap]), transfer: taps[0] !== taps[1] };
};

/**
 * What was found, as `net.redundancy` says it.
 * @param {Info} info
 * @param {import('./index.d.ts').RedundancyOptions} options
 * @param {{ metric: import('./similarity.d.ts').Metric, taps: [string, string], control: Control | false,
 *   found: Measured, images: number }} measured
 * @returns {import('./index.d.ts').Redundancy}
 */
function report(info, { stage }, { metric, taps, control, found: { own, ...by }, images }) {
  const { caveat, score } = measures[metric];
  const alone = taps[0] === taps[1] ? 'The stage has one block, which is compared with itself.' : undefined;
  const reason = [alone, own.caveats[caveat]].filter(Boolean).join(' ');
  const { positions, channels, r2 } = own;
  const held = r2 && { fittedPositions: r2.fittedPositions, scoredPositions: r2.scoredPositions };
  const beside = control ? by[control] : undefined;
  return {
    stage: stage === undefined ? undefined : stageOf(info, stage).name,
    taps,
    metric,
    ...score(own),
    control: control && beside ? { kind: control, metric, ...score(beside) } : undefined,
    samples: { images, positions, channels, ...held },
    sufficient: !reason,
    ...(reason && { reason }),
    ...(metric === 'r2' && { fit: own.fit }),
  };
}

/**
 * What two taps say over the pictures, and the same of each control.
 * @typedef {{ own: SetSimilarity } & Partial<Record<Control, SetSimilarity>>} Measured
 */
/**
 * Maps of both taps; `transfer`: nobody else needs their memory.
 * @typedef {{ maps: FeatureMaps[], transfer?: boolean }} SeenMaps
 */

/**
 * Measures two taps over pictures, with controls. A picture that cannot be read is reported to `onFailure` and left out.
 * @template P
 * @param {object} options
 * @param {Similarity} options.similarity
 * @param {P[]} options.pictures
 * @param {P[]} [options.others] for the control `other-image`; by default each picture's neighbour in the list
 * @param {(picture: P) => Promise<SeenMaps>} options.see
 * @param {(picture: P) => Promise<SeenMaps>} options.seeOther of the others the first tap alone is needed, twice
 * @param {(picture: P) => Promise<SeenMaps>} [options.seeRandom] the same in the network of random weights
 * @param {Control[]} options.controls
 * @param {number} [options.seed]
 * @param {boolean} [options.fit] whether the fit that `r2` is about is made
 * @param {number} [options.ridge]
 * @param {AbortSignal} [options.signal]
 * @param {(progress: { done: number, total: number }) => void} [options.onProgress]
 * @param {(picture: P, error: Error) => void} [options.onFailure]
 * @returns {Promise<Measured>}
 */
export async function measure({ pictures, others = [], see, seeOther, seeRandom, onFailure, onProgress, ...options }) {
  const { fit = true, ridge, signal } = options;
  const sums = new Sums({ ...options, count: pictures.length });
  const total = pictures.length * (seeRandom ? 2 : 1) + others.length;
  let done = 0;
  /** @param {(picture: P) => Promise<SeenMaps>} from @param {P} picture */
  const look = async (from, picture) => {
    const seen = await from(picture);
    onProgress?.({ done: ++done, total });
    return sums.hold(seen);
  };
  try {
    for (const other of others) sums.strangers.push(await look(seeOther, other));
    for (const picture of pictures) {
      try {
        await sums.add(await look(see, picture), seeRandom && (await look(seeRandom, picture)));
      } catch (error) {
        if (!onFailure || /** @type {GGhostError} */ (error).code !== 'bad-image') throw error;
        onFailure(picture, /** @type {Error} */ (error));
        done += 1;
      }
    }
    return await sums.result({ fit, ridge, signal });
  } finally {
    sums.close();
  }
}

/** Maps of both taps, in the comparison's hands. @typedef {[HeldMaps, HeldMaps]} HeldPair */

/** The sums of a measurement: of the taps as they are, and of each control. */
class Sums {
  /** Pictures whose first tap serves as a control. @type {HeldPair[]} */
  strangers = [];
  /** Of the picture before. */
  #adding = Promise.resolve();
  /** The first picture, and the one before, where the neighbours are the control. @type {HeldPair | undefined} */
  #start;
  /** @type {HeldPair | undefined} */
  #before;
  #seen = 0;

  /**
   * @param {{ similarity: Similarity, controls: Control[], count: number, seed?: number, signal?: AbortSignal }}
   *   options
   */
  constructor({ similarity, controls, count, seed = 1, signal }) {
    this.similarity = similarity;
    this.count = count;
    this.seed = seed;
    this.signal = signal;
    /** @type {Map<'own' | Control, Accumulator>} */
    this.sums = new Map();
    for (const name of /** @type {const} */ (['own', ...controls])) this.sums.set(name, similarity.accumulate());
  }

  /** @param {SeenMaps} seen @returns {HeldPair} */
  hold({ maps: [x, y], transfer }) {
    const first = this.similarity.hold(x, { transfer });
    return [first, y === x ? first : this.similarity.hold(y, { transfer })];
  }

  /**
   * A picture's maps, which are released when they are added. They are while the next one is seen.
   * @param {HeldPair} pair
   * @param {HeldPair} [random]
   */
  async add(pair, random) {
    const i = this.#seen++;
    const [x, y] = pair;
    await this.#adding;
    const tasks = [this.#add('own', x, y, i)];
    const { seed, signal } = this;
    if (this.sums.has('shuffled-positions')) {
      const shuffled = this.similarity.shuffle(y, { seed: seed + i, signal });
      tasks.push(shuffled.then((other) => this.#add('shuffled-positions', x, other, i)));
    }
    if (random) tasks.push(this.#add('random-weights', ...random, i));
    if (this.sums.has('other-image')) tasks.push(...this.#addNeighbour(pair, i));
    this.#adding = Promise.all(tasks).then(() => {
      release(random);
      if (!this.#keeps(pair)) release(pair);
    });
    this.#adding.catch(() => {});
  }

  /** @param {HeldPair} pair @param {number} i */
  #addNeighbour(pair, i) {
    const [x, y] = pair;
    const { strangers } = this;
    if (strangers.length) return [this.#add('other-image', strangers[i % strangers.length][0], y, i)];
    const before = this.#before;
    this.#start ??= pair;
    this.#before = pair;
    if (!before) return [];
    return [
      this.#add('other-image', x, before[1], i - 1).then(() => {
        if (before !== this.#start) release(before);
      }),
    ];
  }

  /** @param {HeldPair} pair */
  #keeps(pair) {
    return pair === this.#start || pair === this.#before;
  }

  /**
   * @param {'own' | Control} name
   * @param {import('./similarity.d.ts').Maps | HeldMaps} x
   * @param {import('./similarity.d.ts').Maps | HeldMaps} y
   * @param {number} i
   */
  async #add(name, x, y, i) {
    const heldOut = this.count >= HELD ? i % HELD === HELD - 1 : 1 / HELD;
    await this.sums.get(name)?.add(x, y, { heldOut, signal: this.signal });
  }

  /** @param {{ fit: boolean, ridge?: number, signal?: AbortSignal }} asked @returns {Promise<Measured>} */
  async result(asked) {
    await this.#adding;
    const [start, before] = [this.#start, this.#before];
    // The last one's neighbour is the first.
    if (start && before && start !== before) await this.#add('other-image', start[0], before[1], this.#seen - 1);
    const found = [];
    for (const [name, sums] of this.sums) {
      const empty = name === 'other-image' && !this.strangers.length && start === before;
      if (!empty) found.push([name, await sums.result(asked)]);
    }
    return Object.fromEntries(found);
  }

  close() {
    for (const pair of [...this.strangers, this.#start, this.#before]) release(pair);
    for (const sums of this.sums.values()) sums.close().catch(() => {});
  }
}

/** @param {HeldPair} [pair] */
function release(pair) {
  for (const maps of new Set(pair)) maps.release();
}

/**
 * Block 1's tap and the one that is compared with it.
 * @param {Info} info
 * @param {import('./index.d.ts').RedundancyOptions} options
 * @returns {[string, string]}
 */
function tapsOf(info, { stage, added = false, taps }) {
  if (taps) {
    if (taps.length !== 2) throw new GGhostError('bad-option', `taps has ${taps.length} names, expected 2.`);
    return [...taps];
  }
  const found = stageOf(info, stage);
  const last = added ? found.added : found.blocks;
  return [found.blocks[0], last[last.length - 1]];
}

/** @param {Info} info @param {number | string | undefined} stage */
function stageOf({ stages }, stage) {
  const found = typeof stage === 'number' ? stages[stage - 1] : stages.find(({ name }) => name === stage);
  if (!found)
    throw badOption('stage', stage, [...stages.map((_, i) => i + 1), ...stages.map(({ name }) => `"${name}"`)]);
  return found;
}

/**
 * What `net.ablated` was asked for, with stages by name.
 * @param {Info} info
 * @param {import('./index.d.ts').Ablation | import('./index.d.ts').Ablation[]} ablation
 */
export function ablationsOf(info, ablation) {
  return [ablation].flat().map(({ stage, ghost, merge, channels = [] }) => {
    const fit = typeof ghost === 'object' ? ghost : undefined;
    const isFit = fit?.weight instanceof Float32Array && fit.bias instanceof Float32Array;
    if (ghost !== undefined && ghost !== 'off' && !isFit) {
      const text = 'ghost is neither "off" nor a fit { weight: Float32Array, bias: Float32Array }.';
      throw new GGhostError('bad-option', text);
    }
    if (merge !== undefined) known('merge', merge, ['off']);
    const named = ghost ?? merge ?? stage;
    return {
      stage: named === undefined ? undefined : stageOf(info, stage).name,
      ghost: fit ? { weight: fit.weight, bias: fit.bias } : ghost,
      merge,
      channels,
    };
  });
}

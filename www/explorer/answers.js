/** @file Who answers what the views ask: by the kind of a request (see views.js), what it is made of and how. */
import { load, openSimilarity } from '../lib/index.js';
import { inputOf } from '../view/input.js';

/**
 * @typedef {import('./requests.js').Context} Context
 * @typedef {import('./requests.js').Answerer} Answerer
 * @typedef {import('./state.js').Picture} Picture
 * @typedef {import('./state.js').Net} Net
 * @typedef {import('./state.js').FeatureMaps} FeatureMaps
 * @typedef {import('./state.js').Ablation} Ablation
 * @typedef {import('../lib/similarity.js').Similarity} Similarity
 * @typedef {import('../lib/similarity.js').HeldMaps} HeldMaps
 */

/** So many maps stay with the comparison: those of a stage, its control and the stage before. */
const HELD = 6;

/** Maps handed to the comparison once, however often they are compared. */
class Holder {
  /** @type {Map<FeatureMaps, HeldMaps>} */
  #held = new Map();

  /** @param {Similarity} similarity */
  constructor(similarity) {
    this.similarity = similarity;
  }

  /** @param {FeatureMaps} maps */
  of(maps) {
    const known = this.#held.get(maps) ?? this.similarity.hold(maps);
    this.#held.delete(maps);
    this.#held.set(maps, known);
    for (const [oldest, held] of this.#held) {
      if (this.#held.size <= HELD) break;
      held.release();
      this.#held.delete(oldest);
    }
    return known;
  }
}

/**
 * @param {(error: Error) => void} failed told where maps cannot be compared here at all
 * @returns {{ answerers: Record<string, Answerer>, close: () => void }}
 */
export function openAnswerers(failed) {
  const opened = openSimilarity().then((similarity) => new Holder(similarity));
  opened.catch(failed);
  const changed = new ChangedNets(opened);
  /** @type {Record<string, Answerer>} */
  const answerers = {
    async similarity({ metric, shuffled }, maps, { signal }) {
      const holder = await opened;
      const [a, b] = maps.map((found) => holder.of(/** @type {FeatureMaps} */ (Object.values(found)[0])));
      const { similarity } = holder;
      return shuffled ? similarity.control(a, b, { metric, signal }) : similarity.correlate(a, b, { metric, signal });
    },
    async order(_, [{ matrix, dims }], { signal }) {
      return (await opened).similarity.order(matrix, dims, { signal });
    },
    weights: ({ step }, _, { net, signal }) => net.weights(step, { signal }),
    measure: async (request, _, context) => study((await opened).similarity, request, context),
    async plain(_, __, { net, signal }) {
      const twin = await net.plainTwin({ signal, backend: 'wasm' });
      const { params, macs, activations } = twin.info;
      twin.dispose();
      return { params, macs, activations };
    },
    times: ({ picture }, _, context) => timeBoth(picture, context),
    evidence: ({ picture, index }, _, { net, signal, sideOf }) =>
      net.evidence(inputOf(picture), { class: index, side: sideOf(picture), signal }),
    without: (request, _, context) => changed.answer(request, context),
  };
  return {
    answerers,
    close() {
      changed.close();
      opened.then(
        ({ similarity }) => similarity.close(),
        () => {},
      );
    },
  };
}

/**
 * Two taps measured over pictures, with their controls.
 * @param {Similarity} similarity
 * @param {{ pictures: Picture[], other?: Picture[], taps: [string, string], random?: boolean }} request
 * @param {Context} context
 * @returns {Promise<import('./state.js').Study>}
 */
async function study(similarity, { pictures, other, taps, random }, { net, signal, tell, see, sideOf }) {
  /** @type {string[]} */
  const failures = [];
  const keep = pictures.length === 1;
  const counted = random ? 2 : 1;
  /** @type {import('../lib/index.js').Control[]} */
  const controls = ['shuffled-positions'];
  if (pictures.length > 1 || other) controls.push('other-image');
  if (random) controls.push('random-weights');
  const total = pictures.length;
  if (!keep) tell({ running: true, done: 0, total });
  const twin = random ? await net.randomTwin({ signal }) : undefined;
  try {
    const { measure } = await import('../lib/study.js');
    const found = await measure({
      similarity,
      pictures,
      others: other,
      controls,
      // What is looked at stays; what is measured is used once.
      see: async (picture) => {
        const { maps, owned } = await see(picture, taps, { keep });
        return pair(maps, taps, owned);
      },
      seeOther: async (picture) => pair((await see(picture, [taps[0]])).maps, [taps[0], taps[0]]),
      seeRandom:
        twin &&
        (async (picture) => {
          const side = sideOf(picture);
          const { maps } = await twin.features(inputOf(picture), { taps: [...new Set(taps)], side, signal });
          return pair(maps, taps, true);
        }),
      signal,
      onProgress: ({ done }) => !keep && tell({ running: true, done: Math.floor(done / counted), total }),
      onFailure: (picture) => failures.push(picture.name ?? String(pictures.indexOf(picture) + 1)),
    });
    const { own, 'other-image': byOther, 'shuffled-positions': shuffled, 'random-weights': byRandom } = found;
    return { own, other: byOther, shuffled, random: byRandom, failures, done: total, total };
  } catch (error) {
    signal.throwIfAborted();
    return { error: /** @type {Error} */ (error).message };
  } finally {
    twin?.dispose();
  }
}

/**
 * @param {Record<string, FeatureMaps>} maps
 * @param {string[]} taps
 * @param {boolean} [owned] whether nobody else needs them
 */
const pair = (maps, taps, owned = false) => ({
  maps: taps.map((tap) => maps[tap]),
  transfer: owned && taps[0] !== taps[1],
});

const RUNS = 9;

/**
 * Both networks in turn on each engine that this device has: the middle of several runs.
 * @param {Picture} picture
 * @param {Context} context
 */
async function timeBoth(picture, { net, signal, tell }) {
  /** @type {import('./state.js').Timing[]} */
  const found = [];
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    tell({ running: backend, found: [...found] });
    /** @type {Net[]} */
    const nets = [];
    try {
      // The plain network has random weights in floats: so has ours, on the engine that is there already.
      const floats = backend === 'wasm' ? { precision: /** @type {const} */ ('f32'), flavour: net.info.flavour } : {};
      nets.push(await load({ model: net.model, backend, signal, ...floats }));
      nets.push(await net.plainTwin({ backend, signal }));
      const [ghost, plain] = await timed(nets, picture, signal);
      found.push({ backend, ghost, plain, adapter: nets[0].info.adapter });
    } catch (error) {
      signal.throwIfAborted();
      found.push({ backend, error: /** @type {Error} */ (error).message });
    } finally {
      for (const one of nets) one.dispose();
    }
  }
  return { found };
}

/** @param {Net[]} nets @param {Picture} picture @param {AbortSignal} signal */
async function timed(nets, picture, signal) {
  /** @type {number[][]} */
  const times = nets.map(() => []);
  const input = inputOf(picture);
  for (let run = 0; run <= RUNS; run++) {
    for (const [i, one] of nets.entries()) {
      const { milliseconds } = await one.classify(input, { signal });
      if (run > 0) times[i].push(milliseconds); // the first one warms up
    }
  }
  return times.map((values) => values.sort((a, b) => a - b)[RUNS >> 1]);
}

/** Networks without a part: the last one is kept, for the next picture. */
class ChangedNets {
  /** @type {{ key: string, of: Net, net: Net } | undefined} */
  #kept;

  /** @param {Promise<Holder>} opened */
  constructor(opened) {
    this.opened = opened;
  }

  /**
   * What the network answers without a part of it.
   * @param {{ ablation: Ablation, picture: Picture, pictures: Picture[], taps: [string, string] }} request
   * @param {Context} context
   * @returns {Promise<import('./state.js').Without>}
   */
  async answer(request, context) {
    const { net, signal, classify } = context;
    const { picture } = request;
    try {
      const other = await this.#changed(request, context);
      const topK = net.info.labels.length;
      const { top: after } = await other.classify(inputOf(picture), { signal, topK });
      return { before: (await classify(picture)).top, after };
    } catch (error) {
      signal.throwIfAborted();
      return { error: /** @type {Error} */ (error).message };
    }
  }

  /** @param {{ ablation: Ablation, pictures: Picture[], taps: [string, string] }} request @param {Context} context */
  async #changed({ ablation, pictures, taps }, { net, signal, see }) {
    const key = JSON.stringify(ablation);
    if (this.#kept?.key === key && this.#kept.of === net) return this.#kept.net;
    this.close();
    const { kind, stage, tap = '', channel = 0 } = ablation;
    /** @type {() => Promise<import('../lib/index.js').Ablation>} */
    const edit = {
      '': async () => ({}),
      ghost: async () => ({ stage, ghost: /** @type {const} */ ('off') }),
      merge: async () => ({ stage, merge: /** @type {const} */ ('off') }),
      fit: async () => ({ stage, ghost: await this.#bestFit(pictures, taps, { signal, see }) }),
      map: async () => ({ channels: [{ tap, channel }] }),
    }[kind];
    const made = await net.ablated(await edit(), { signal, backend: net.info.backend });
    if (signal.aborted) made.dispose();
    signal.throwIfAborted();
    this.#kept = { key, of: net, net: made };
    return made;
  }

  /**
   * The ridge 1x1 convolution from all of block 1 to the ghost maps.
   * @param {Picture[]} pictures
   * @param {[string, string]} taps
   * @param {Pick<Context, 'signal' | 'see'>} context
   */
  async #bestFit(pictures, taps, { signal, see }) {
    const { similarity } = await this.opened;
    const sums = similarity.accumulate();
    try {
      for (const picture of pictures) {
        const { maps } = await see(picture, taps, { keep: false });
        await sums.add(maps[taps[0]], maps[taps[1]], { signal });
      }
      return (await sums.result({ signal })).fit;
    } finally {
      sums.close().catch(() => {});
    }
  }

  close() {
    this.#kept?.net.dispose();
    this.#kept = undefined;
  }
}

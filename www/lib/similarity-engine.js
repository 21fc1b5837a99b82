/**
 * @file Comparing feature maps in the realm this is loaded in, with the part `similarity`.
 */
import { asError, GGhostError } from './errors.js';
import { parts } from './flavours.js';
import { measures } from './measures.js';
import { startPart } from './module.js';

/**
 * @typedef {import('./similarity.d.ts').Maps} Maps
 * @typedef {Maps | { held: number }} Sent maps, or the number of those that are held here
 */

/** @param {{ fetch?: typeof globalThis.fetch }} hooks */
export function similarityMethods({ fetch }) {
  /** @type {any} */
  let glue;
  /** @type {Map<number, Maps>} */
  const held = new Map();
  /** @type {Map<number, { sums: any, channels: number, fitted: number }>} */
  const accumulators = new Map();

  /** @param {Sent} sent @returns {Maps} */
  function mapsOf(sent) {
    if (!('held' in sent)) return sent;
    const maps = held.get(sent.held);
    if (!maps) throw new GGhostError('bad-option', 'These maps were released: hold them again.');
    return maps;
  }

  /** @param {number} id */
  function accumulatorOf(id) {
    const known = accumulators.get(id) ?? { sums: new glue.Accumulator(), channels: 0, fitted: 0 };
    accumulators.set(id, known);
    return known;
  }

  /** @param {Sent} a @param {number} seed @returns {Maps} */
  function shuffle(a, seed) {
    const { data, dims } = mapsOf(a);
    return { data: glue.shuffled(data, dims, seed), dims };
  }

  return guarded({
    /** @param {{ wasmUrl?: string }} options */
    async open({ wasmUrl }) {
      glue = await startPart(parts.similarity, wasmUrl, { fetch });
    },
    /** @param {Maps & { id: number }} maps */
    hold({ id, data, dims }) {
      held.set(id, { data, dims });
    },
    /** @param {{ id: number }} maps */
    release({ id }) {
      held.delete(id);
    },
    /** @param {{ a: Sent, b: Sent, metric: string }} request */
    correlate: ({ a, b, metric }) => correlation(glue, mapsOf(a), mapsOf(b), metric),
    /** @param {{ a: Sent, seed: number }} request */
    shuffle: ({ a, seed }) => shuffle(a, seed),
    /** @param {{ a: Sent, b: Sent, seed: number, metric: string }} request */
    control: ({ a, b, seed, metric }) => correlation(glue, mapsOf(a), shuffle(b, seed), metric),
    /** @param {{ matrix: Float32Array, dims: [number, number] }} request */
    order({ matrix, dims: [rows, columns] }) {
      const order = glue.order(matrix, rows, columns);
      return { rows: order.slice(0, rows), columns: order.slice(rows) };
    },
    /** @param {{ id: number, x: Sent, y: Sent, heldOut: boolean | number }} request */
    add({ id, heldOut, ...sent }) {
      const accumulator = accumulatorOf(id);
      const [x, y] = [mapsOf(sent.x), mapsOf(sent.y)];
      const [channels, height, width] = x.dims;
      // The lowest rows; so many that what is left is a whole number of them.
      const fitted = Math.ceil(height * (1 - Number(heldOut))) * width;
      accumulator.sums.add(x.data, x.dims, y.data, y.dims, fitted);
      accumulator.channels = channels;
      accumulator.fitted += fitted;
    },
    /** @param {{ id: number, fit: boolean, ridge?: number }} request */
    result({ id, fit, ridge }) {
      const { sums, channels, fitted } = accumulatorOf(id);
      // The fewer samples there are for each coefficient, the more they shrink.
      const summary = sums.summary(fit ? ridge ?? channels / Math.max(1, fitted) : undefined);
      const result = read(summary);
      summary.free();
      return result;
    },
    /** @param {{ id: number }} request */
    forget({ id }) {
      accumulators.get(id)?.sums.free();
      accumulators.delete(id);
    },
  });
}

/**
 * The same methods, with every failure an error of the library.
 * @param {Record<string, (argument: any) => unknown>} methods
 */
function guarded(methods) {
  const all = Object.entries(methods).map(([name, method]) => {
    const guarded = async (/** @type {unknown} */ argument) => {
      try {
        return await method(argument);
      } catch (error) {
        throw asError(error);
      }
    };
    return [name, guarded];
  });
  return { ...Object.fromEntries(all), close() {} };
}

/** @param {any} glue @param {Maps} a @param {Maps} b @param {string} metric */
function correlation(glue, a, b, metric) {
  const matches = glue.correlate(a.data, a.dims, b.data, b.dims, metric === 'cosine');
  const best = (/** @type {boolean} */ ofB) => ({ match: matches.matches(ofB), score: matches.scores(ofB) });
  const result = {
    matrix: matches.matrix(),
    dims: [a.dims[0], b.dims[0]],
    bestOfA: best(false),
    bestOfB: best(true),
    deadA: matches.dead(false),
    deadB: matches.dead(true),
  };
  matches.free();
  return result;
}

/** @param {any} summary @returns {import('./similarity.d.ts').SetSimilarity} */
function read(summary) {
  const [images, positions, , ...channels] = summary.counts();
  const weight = summary.weight();
  const kinds = [...new Set(Object.values(measures).map(({ caveat }) => caveat))];
  const caveats = Object.fromEntries(kinds.map((kind) => [kind, summary.caveat(kind)]));
  const found = Object.entries(measures).map(([name, { read }]) => [name, read(summary)]);
  const reason = Object.values(caveats).filter(Boolean).join(' ');
  return {
    images,
    positions,
    channels,
    ...Object.fromEntries(found.filter(([, value]) => value !== undefined)),
    dead: { x: summary.dead(false), y: summary.dead(true) },
    chance: summary.chance(),
    ...(weight && { fit: { weight, bias: summary.bias() } }),
    caveats,
    sufficient: !reason,
    ...(reason && { reason }),
  };
}

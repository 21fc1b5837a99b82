/**
 * @file Comparing feature maps in the realm this is loaded in, with the part `similarity`.
 */
import { GGhostError } from './errors.js';
import { parts } from './flavours.js';
import { matchMetrics, measures } from './measures.js';
import { methodsOf, startPart } from './module.js';

/**
 * @typedef {import('./similarity.d.ts').Maps} Maps
 * @typedef {Maps | { held: number }} Sent maps, or the number of those that are held here
 */

/** Maps that are held, sums over pictures, and the module that computes. */
class Comparison {
  /** @type {any} */
  #glue;
  #fetch;
  /** @type {Map<number, Maps>} */
  #held = new Map();
  /** @type {Map<number, { sums: any, channels: number, fitted: number }>} */
  #accumulators = new Map();

  /** @param {import('./download.js').Fetch} [fetch] */
  constructor(fetch) {
    this.#fetch = fetch;
  }

  /** @param {import('./module.js').Places} places */
  async open(places) {
    this.#glue = await startPart(parts.similarity, places, { fetch: this.#fetch });
  }

  /** @param {Maps & { id: number }} maps */
  hold({ id, data, dims }) {
    this.#held.set(id, { data, dims });
  }

  /** @param {{ id: number }} maps */
  release({ id }) {
    this.#held.delete(id);
  }

  /** @param {{ a: Sent, b: Sent, metric: string }} request */
  correlate({ a, b, metric }) {
    return correlation(this.#glue, this.#mapsOf(a), this.#mapsOf(b), metric);
  }

  /** @param {{ a: Sent, seed: number }} request @returns {Maps} */
  shuffle({ a, seed }) {
    const { data, dims } = this.#mapsOf(a);
    return { data: this.#glue.shuffled(data, dims, seed), dims };
  }

  /** @param {{ a: Sent, b: Sent, seed: number, metric: string }} request */
  control({ a, b, seed, metric }) {
    return correlation(this.#glue, this.#mapsOf(a), this.shuffle({ a: b, seed }), metric);
  }

  /** @param {{ matrix: Float32Array, dims: [number, number] }} request */
  order({ matrix, dims: [rows, columns] }) {
    const order = this.#glue.order(matrix, rows, columns);
    return { rows: order.slice(0, rows), columns: order.slice(rows) };
  }

  /** @param {{ id: number, x: Sent, y: Sent, heldOut: boolean | number }} request */
  add({ id, heldOut, ...sent }) {
    const accumulator = this.#accumulatorOf(id);
    const [x, y] = [this.#mapsOf(sent.x), this.#mapsOf(sent.y)];
    const [channels, height, width] = x.dims;
    // The lowest rows are held out: of a part of them as many as are whole.
    const fitted = Math.ceil(height * (1 - Number(heldOut))) * width;
    accumulator.sums.add(x.data, x.dims, y.data, y.dims, fitted);
    accumulator.channels = channels;
    accumulator.fitted += fitted;
  }

  /** @param {{ id: number, fit: boolean, ridge?: number }} request */
  result({ id, fit, ridge }) {
    const { sums, channels, fitted } = this.#accumulatorOf(id);
    // The fewer samples there are for each coefficient, the more they shrink.
    const summary = sums.summary(fit ? (ridge ?? channels / Math.max(1, fitted)) : undefined);
    const result = read(summary);
    summary.free();
    return result;
  }

  /** @param {{ id: number }} request */
  forget({ id }) {
    this.#accumulators.get(id)?.sums.free();
    this.#accumulators.delete(id);
  }

  /** @param {Sent} sent @returns {Maps} */
  #mapsOf(sent) {
    if (!('held' in sent)) return sent;
    const maps = this.#held.get(sent.held);
    if (!maps) throw new GGhostError('bad-option', 'These maps were released: hold them again.');
    return maps;
  }

  /** @param {number} id */
  #accumulatorOf(id) {
    const known = this.#accumulators.get(id) ?? { sums: new this.#glue.Accumulator(), channels: 0, fitted: 0 };
    this.#accumulators.set(id, known);
    return known;
  }
}

/** What a host calls. @param {{ fetch?: import('./download.js').Fetch }} hooks */
export const similarityMethods = ({ fetch }) => methodsOf(new Comparison(fetch));

/** @param {any} glue @param {Maps} a @param {Maps} b @param {string} metric */
function correlation(glue, a, b, metric) {
  if (!matchMetrics.some((known) => known === metric)) {
    const text = `metric is ${JSON.stringify(metric)}, expected one of ${matchMetrics.join(', ')}.`;
    throw new GGhostError('bad-option', text);
  }
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

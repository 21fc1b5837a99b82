/**
 * @file Comparing feature maps, in a worker of its own. The types, with examples, are in similarity.d.ts.
 */
import { asError, GGhostError, throwIfAborted, untilAborted } from './errors.js';
import { openHost } from './host.js';
import { folderOf } from './image.js';
import { lazyCalls } from './lazy.js';
import { brandOf, known, optionsOf } from './options.js';

/**
 * @typedef {import('./similarity.d.ts').Similarity} Declared
 * @typedef {import('./similarity.d.ts').Accumulator} DeclaredAccumulator
 * @typedef {import('./similarity.d.ts').Maps | import('./similarity.d.ts').HeldMaps} AnyMaps
 */

/** @type {import('./host.js').Place} */
const place = {
  // Vite before 6 wants the options written out.
  start: () =>
    new Worker(new URL('./similarity-worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet similarity' }),
  script: 'lib/similarity-worker.js',
  methods: async (hooks) => (await lazyCalls.similarityEngine()).similarityMethods(hooks),
};

/** @type {typeof import('./similarity.d.ts').openSimilarity} */
export async function openSimilarity(options) {
  /** @type {import('./similarity.d.ts').SimilarityOptions & { platform?: import('./image.js').Platform }} */
  const given = optionsOf(options, ['wasmUrl', 'packageUrl', 'worker', 'signal', 'platform'], 'openSimilarity');
  const { worker, signal, platform = {} } = given;
  if (platform.flavour)
    throw new GGhostError('unsupported', 'The inlined engine compares no feature maps: import g-ghostnet itself.');
  throwIfAborted(signal);
  const wasmUrl = folderOf(given.wasmUrl, platform);
  const packageUrl = folderOf(given.packageUrl, platform);
  const host = await openHost(place, worker, { ...platform, packageUrl, signal });
  const similarity = new Similarity(host);
  try {
    await similarity._call('open', { wasmUrl, packageUrl: host.packageUrl ?? packageUrl }, { signal });
    return similarity;
  } catch (error) {
    similarity.close();
    throw error;
  }
}

/** @implements {Declared} */
class Similarity {
  #host;
  #count = 0;
  #closing = new AbortController();

  /** @param {import('./host.js').Host} host */
  constructor(host) {
    this.#host = host;
  }

  /** @param {import('./similarity.d.ts').Maps} maps */
  hold({ data, dims }, { transfer = false } = {}) {
    const moved = sent({ data, dims }, this.#host.worker && !transfer);
    const held = new Held(this, ++this.#count, moved.dims);
    // If the maps cannot be held, the first call that needs them reports it.
    this._call('hold', { id: held._id, ...moved }, { transfer: [moved.data.buffer] }).catch(() => {});
    return held;
  }

  /** @param {AnyMaps} a @param {AnyMaps} b @param {import('./similarity.d.ts').CorrelateOptions} [options] */
  async correlate(a, b, { metric = 'pearson', signal } = {}) {
    return this.#send('correlate', { a, b, metric }, signal);
  }

  /** @type {Declared['control']} */
  async control(a, b, { kind = 'shuffled-positions', seed = 1, metric = 'pearson', signal } = {}) {
    known('kind', kind, ['shuffled-positions']);
    return this.#send('control', { a, b, seed, metric }, signal);
  }

  /** @type {Declared['shuffle']} */
  async shuffle(a, { seed = 1, signal } = {}) {
    return this.#send('shuffle', { a, seed }, signal);
  }

  /** @type {Declared['order']} */
  async order(matrix, dims, { signal } = {}) {
    return this._call('order', { matrix, dims }, { signal });
  }

  accumulate() {
    return new Accumulator(this, ++this.#count);
  }

  close() {
    this.#closing.abort(new GGhostError('disposed', 'The comparison was closed: open a new one.'));
    this.#host.close();
  }

  /**
   * A call with maps: to a worker goes a copy of each, which moves, or the number of one that it holds.
   * @param {string} method
   * @param {Record<string, any>} argument
   * @param {AbortSignal} [signal]
   */
  async #send(method, argument, signal) {
    /** @type {Transferable[]} */
    const transfer = [];
    const put = (/** @type {any} */ value) => {
      if (value instanceof Held) return value._of(this);
      const maps = sent(value, this.#host.worker);
      transfer.push(maps.data.buffer);
      return maps;
    };
    const names = ['a', 'b', 'x', 'y'].filter((name) => name in argument);
    const maps = Object.fromEntries(names.map((name) => [name, put(argument[name])]));
    return this._call(method, { ...argument, ...maps }, { transfer, signal });
  }

  /** For an accumulator. @param {Record<string, any>} argument @param {AbortSignal} [signal] */
  _add(argument, signal) {
    return this.#send('add', argument, signal);
  }

  /**
   * For this file.
   * @param {string} method
   * @param {object} argument
   * @param {{ transfer?: Transferable[], signal?: AbortSignal }} [options]
   */
  async _call(method, argument, { transfer, signal } = {}) {
    const signals = [signal, this.#closing.signal];
    signals.forEach(throwIfAborted);
    try {
      return await untilAborted(this.#host.call(method, argument, transfer), signals);
    } catch (error) {
      throw asError(error);
    }
  }
}

/** Maps that the worker has. */
class Held {
  #similarity;

  /** @param {Similarity} similarity @param {number} id @param {[number, number, number]} dims */
  constructor(similarity, id, dims) {
    this.#similarity = similarity;
    this._id = id;
    this.dims = dims;
  }

  /** @param {Similarity} similarity */
  _of(similarity) {
    if (similarity === this.#similarity) return { held: this._id };
    throw new GGhostError('bad-option', 'The maps are held by another comparison: hold them in this one.');
  }

  release() {
    this.#similarity._call('release', { id: this._id }).catch(() => {});
  }
}

/** @implements {DeclaredAccumulator} */
class Accumulator {
  #similarity;
  #id;

  /** @param {Similarity} similarity @param {number} id */
  constructor(similarity, id) {
    this.#similarity = similarity;
    this.#id = id;
  }

  /** @type {DeclaredAccumulator['add']} */
  async add(x, y, { heldOut = false, signal } = {}) {
    return this.#similarity._add({ id: this.#id, x, y, heldOut }, signal);
  }

  /** @type {DeclaredAccumulator['result']} */
  async result({ fit = true, ridge, signal } = {}) {
    return this.#similarity._call('result', { id: this.#id, fit, ridge }, { signal });
  }

  async close() {
    return this.#similarity._call('forget', { id: this.#id });
  }
}

/**
 * What a worker gets of maps: their numbers alone in a buffer.
 * @param {Partial<import('./similarity.d.ts').Maps> | undefined} maps
 * @param {boolean} copied
 * @returns {{ data: Float32Array<ArrayBuffer>, dims: [number, number, number] }}
 */
function sent(maps, copied) {
  const { data, dims } = maps ?? {};
  if (brandOf(data) !== 'Float32Array' || !data || dims?.length !== 3) {
    const expected = '{ data: Float32Array, dims: [channels, height, width] }';
    throw new GGhostError('wrong-shape', `Expected maps ${expected}, got dims [${dims}].`);
  }
  const alone = brandOf(data.buffer) === 'ArrayBuffer' && data.byteLength === data.buffer.byteLength;
  const own = /** @type {Float32Array<ArrayBuffer>} */ (copied || !alone ? data.slice() : data);
  return { data: own, dims: [dims[0], dims[1], dims[2]] };
}

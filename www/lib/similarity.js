/**
 * @file How alike feature maps are, in a worker of its own. The types, with examples, are in similarity.d.ts.
 */
import { asError, GGhostError, throwIfAborted, untilAborted } from './errors.js';
import { openHost } from './host.js';
import { baseUrl } from './image.js';

/** @type {import('./host.js').Place} */
const place = {
  start: () => new Worker(new URL('./similarity-worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet similarity' }),
  methods: async (hooks) => (await import('./similarity-engine.js')).similarityMethods(hooks),
};

const metrics = ['pearson', 'cosine'];

/** @type {import('./similarity.d.ts').openSimilarity} */
export async function openSimilarity({ wasmUrl, worker, signal, platform = {} } = {}) {
  throwIfAborted(signal);
  const host = await openHost(place, worker, { ...platform, signal });
  const similarity = new Similarity(host);
  try {
    const folder = wasmUrl && new URL(String(wasmUrl).replace(/\/?$/, '/'), platform.base ?? baseUrl()).href;
    await similarity._call('open', { wasmUrl: folder }, signal);
    return similarity;
  } catch (error) {
    similarity.close();
    throw error;
  }
}

class Similarity {
  #host;
  #accumulators = 0;
  #closing = new AbortController();

  constructor(host) {
    this.#host = host;
  }

  async correlate(a, b, { metric = 'pearson', signal } = {}) {
    return this._call('correlate', { a: maps(a), b: maps(b), metric: known('metric', metric, metrics) }, signal);
  }

  async control(a, b, { kind = 'shuffled-positions', seed = 1, metric = 'pearson', signal } = {}) {
    known('kind', kind, ['shuffled-positions']);
    return this._call('control', { a: maps(a), b: maps(b), seed, metric: known('metric', metric, metrics) }, signal);
  }

  async shuffle(a, { seed = 1, signal } = {}) {
    return this._call('shuffle', { ...maps(a), seed }, signal);
  }

  async order(matrix, dims, { signal } = {}) {
    return this._call('order', { matrix, dims }, signal);
  }

  accumulate() {
    return new Accumulator(this, ++this.#accumulators);
  }

  close() {
    this.#closing.abort(new GGhostError('disposed', 'The comparison was closed: open a new one.'));
    this.#host.close();
  }

  /** @private */
  async _call(method, argument, signal) {
    const signals = [signal, this.#closing.signal];
    signals.forEach(throwIfAborted);
    try {
      return await untilAborted(this.#host.call(method, argument), signals);
    } catch (error) {
      throw asError(error);
    }
  }
}

class Accumulator {
  #similarity;
  #id;

  constructor(similarity, id) {
    this.#similarity = similarity;
    this.#id = id;
  }

  async add(x, y, { heldOut = false, signal } = {}) {
    return this.#similarity._call('add', { id: this.#id, x: maps(x), y: maps(y), heldOut }, signal);
  }

  async result({ fit = true, ridge, signal } = {}) {
    return this.#similarity._call('result', { id: this.#id, fit, ridge }, signal);
  }

  async close() {
    return this.#similarity._call('forget', { id: this.#id });
  }
}

function known(name, value, values) {
  if (!values.includes(value)) throw new GGhostError('bad-option', `${name} is ${JSON.stringify(value)}, expected one of ${values.join(', ')}.`);
  return value;
}

/** Only what a worker needs. */
function maps({ data, dims } = {}) {
  if (!(data instanceof Float32Array) || dims?.length !== 3) {
    throw new GGhostError('wrong-shape', `Expected maps { data: Float32Array, dims: [channels, height, width] }, got dims [${dims}].`);
  }
  return { data, dims: Array.from(dims) };
}

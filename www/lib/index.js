/**
 * @file G-GhostNet: pictures to classes, embeddings and feature maps, in the browser and in Node. The types, with
 * examples, are in index.d.ts.
 */
import { defaultModelUrl } from './default-model.js';
import { GGhostError, throwIfAborted, untilAborted } from './errors.js';
import { engine, openHost } from './host.js';
import { baseUrl, snapshot } from './image.js';

export { GGhostError };

const backends = ['auto', 'webgpu', 'wasm'];
const precisions = ['auto', 'f32', 'f16', 'int8'];

/** @type {import('./index.d.ts').load} */
export async function load(options = {}) {
  const { signal, device, onProgress, platform = {} } = options;
  if (device !== undefined && typeof device?.createComputePipeline !== 'function') throw badOption('device', String(device), ['a GPUDevice']);
  if (device && options.worker) throw badOption('worker', true, ['false with a device, which cannot leave the page']);
  const worker = device ? false : options.worker;
  throwIfAborted(signal);
  const found = Array.isArray(options.model) && (await (await import('./shards.js')).modelOfFiles(options.model));
  const whole = found ? { ...options, model: found.model, labels: options.labels ?? found.labels } : options;
  return open(new GGhostNet(worker, platform), engineOptions(whole, platform), { signal, onProgress });
}

async function open(net, options, hooks) {
  try {
    await net._open(options, hooks);
    return net;
  } catch (error) {
    net.dispose();
    throw error;
  }
}

function engineOptions(options, platform) {
  const { model, variant, labels, weights, backend = 'auto', precision = 'auto', threads, device } = options;
  const { wasmUrl, flavour, cache } = options;
  if (!backends.includes(backend)) throw badOption('backend', backend, backends);
  if (!precisions.includes(precision)) throw badOption('precision', precision, precisions);
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) throw badOption('threads', threads, ['whole numbers from 1']);
  if (weights !== undefined && typeof weights !== 'string') {
    throw badOption('weights', typeof weights, ['ema', 'a name in the file']);
  }
  const absolute = (url) => new URL(url, platform.base ?? baseUrl()).href;
  return {
    model: modelOf(model, absolute),
    variant,
    labels,
    weights,
    backend,
    precision: precision === 'auto' ? undefined : precision,
    threads,
    device,
    wasmUrl: wasmUrl && absolute(String(wasmUrl).replace(/\/?$/, '/')),
    flavour,
    cache,
  };
}

const badOption = (name, value, known) => new GGhostError('bad-option', `${name} is ${JSON.stringify(value)}, expected one of ${known.join(', ')}.`);

function modelOf(model, absolute) {
  if (model === undefined) return defaultModelUrl();
  if (typeof model === 'string' || model instanceof URL) return absolute(model);
  if (model instanceof Blob || model instanceof ArrayBuffer || model instanceof Uint8Array) return model;
  throw badOption('model', String(model), ['a URL', 'a Blob or File', 'an ArrayBuffer', 'a Uint8Array', 'a list of Files']);
}

class GGhostNet {
  #host;
  #hostKind;
  #platform;
  #options;
  #info;
  #crashed = false;
  #queue = Promise.resolve();
  /** Why the net answers no more, once it does not. */
  #disposed;
  /** An abort controller for each call that waits. @type {Set<AbortController>} */
  #waiting = new Set();

  /** @param {import('./image.js').Platform} platform */
  constructor(worker, platform) {
    this.#hostKind = worker;
    this.#platform = platform;
  }

  /** @private `load`, and again after a crash. */
  async _open(options, { signal, onProgress } = {}) {
    const hooks = { ...this.#platform, signal, onProgress };
    this.#host = await openHost(engine, this.#hostKind, hooks);
    this.#check();
    const { info, kept } = await untilAborted(this.#host.call('load', options), [signal]);
    this.#check();
    // The model's own bytes are not held twice.
    this.#options = { ...options, model: kept.model, kept };
    this.#setInfo(info);
    this.#crashed = false;
  }

  get info() {
    this.#check();
    return this.#info;
  }

  get model() {
    this.#check();
    return this.#options.kept.model;
  }

  async classify(input, { topK = 5, signal } = {}) {
    if (!(Number.isInteger(topK) && topK > 0)) throw badOption('topK', topK, ['whole numbers from 1']);
    const { many, result } = await this.#see(input, [], signal);
    const answers = rows(result).map((row) => ({ top: this.#top(row, topK), ...provenance(result) }));
    return many ? answers : answers[0];
  }

  async embed(input, { signal } = {}) {
    const { many, result } = await this.#see(input, ['avgpool'], signal);
    const [{ data, dims }] = result.taps;
    const embeddings = Array.from({ length: dims[0] }, (_, i) => data.slice(i * dims[1], (i + 1) * dims[1]));
    return many ? embeddings : embeddings[0];
  }

  async features(input, { taps = [], stage, topK = 5, signal } = {}) {
    const roles = stage === undefined ? undefined : this.#roles(stage);
    const names = roles ? [...new Set([roles.first, ...roles.inner, roles.ghost, roles.last, ...taps].filter(Boolean))] : [...taps];
    if (names.length === 0) throw badOption('taps', taps, ['a stage', 'a list of names from info.taps']);
    const { many, result } = await this.#see(input, names, signal);
    const answers = rows(result).map((row, i) => ({
      maps: Object.fromEntries(result.taps.map((tap) => [tap.name, mapsOf(tap, i)])),
      ...(roles && { stage: roles }),
      top: this.#top(row, topK),
      ...provenance(result),
    }));
    return many ? answers : answers[0];
  }

  async forward({ data, dims }, { taps = [], signal } = {}) {
    const tensor = { data: new Float32Array(data), dims: Array.from(dims) };
    const result = await this.#call('run', () => ({ tensor, taps }), signal);
    const { logits, dims: shape } = result;
    return {
      logits,
      dims: shape,
      taps: Object.fromEntries(result.taps.map(({ name, data, dims }) => [name, { data, dims, layout: 'nchw' }])),
      ...provenance(result),
    };
  }

  weights(step, { signal } = {}) {
    return this.#call('weights', () => ({ step: String(step) }), signal);
  }

  async redundancy(input, options) {
    this.#check();
    const { redundancy } = await import('./study.js');
    return redundancy(this, input, options, { worker: this.#hostKind, wasmUrl: this.#options.wasmUrl, platform: this.#platform });
  }

  async ablated(ablation, options) {
    const { ablationsOf } = await import('./study.js');
    return this.#edited({ kind: 'ablated', ablations: ablationsOf(this.info, ablation) }, options);
  }

  plainTwin({ seed, ...options } = {}) {
    return this.#edited({ kind: 'plain', seed }, options);
  }

  randomTwin({ seed, ...options } = {}) {
    return this.#edited({ kind: 'random', seed }, options);
  }

  /** A net of another model that is made of this one's, on the same engine. */
  async #edited(edit, { backend = this.info.backend, signal, onProgress } = {}) {
    throwIfAborted(signal);
    const { kept, variant, labels, weights, ...options } = this.#options;
    const net = new GGhostNet(this.#hostKind, this.#platform);
    const kind = { ...edit, variant, labels, weights };
    const from = { module: kept.module, flavour: kept.flavour };
    return open(net, { ...options, backend, kept: from, edit: kind }, { signal, onProgress });
  }

  async drawFeature(canvas, { tap, signal, ...options } = {}) {
    const { bitmap, maps, ...provenance } = await this.#call('draw', () => ({ tap: String(tap), ...options }), signal);
    const { drawMaps, showBitmap } = await import('./draw.js');
    if (bitmap) showBitmap(canvas, bitmap);
    else drawMaps(canvas, maps, options);
    return provenance;
  }

  selfTest({ signal } = {}) {
    return this.#call('selfTest', () => undefined, signal);
  }

  dispose() {
    if (this.#disposed) return;
    this.#disposed = new GGhostError('disposed', 'The net was disposed of: load a new one.');
    for (const call of this.#waiting) call.abort(this.#disposed);
    this.#host?.close();
    this.#options = undefined;
  }

  #check() {
    if (this.#disposed) throw this.#disposed;
  }

  /** Runs pictures through the net: one or a list. */
  async #see(input, taps, signal) {
    this.#check();
    throwIfAborted(signal);
    const many = Array.isArray(input);
    if (many && input.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
    const readers = (many ? input : [input]).map((one) => snapshot(one, this.#platform));
    const request = async () => ({ sources: await Promise.all(readers.map((read) => read(signal))), taps });
    return { many, result: await this.#call('run', request, signal) };
  }

  /** Waits for its turn, asks the engine, and after a crash opens a fresh one first. */
  async #call(method, prepare, signal) {
    const call = new AbortController();
    const turn = this.#queue.then(async () => {
      const check = () => {
        this.#check();
        throwIfAborted(signal);
      };
      check();
      if (this.#crashed) await this.#reopen();
      const argument = await prepare();
      check();
      const result = await untilAborted(this.#host.call(method, argument, movable(argument)), [call.signal]);
      if (result.backend && result.backend !== this.#info.backend) await this.#refreshInfo();
      return result;
    });
    this.#queue = turn.catch((error) => {
      if (error?.code === 'crashed') this.#crashed = true;
    });
    this.#waiting.add(call);
    try {
      return await untilAborted(turn, [signal, call.signal]);
    } finally {
      this.#waiting.delete(call);
    }
  }

  async #reopen() {
    this.#host.close();
    await this._open(this.#options);
  }

  async #refreshInfo() {
    this.#setInfo(await this.#host.call('info'));
  }

  #setInfo(info) {
    const edit = this.#options.edit?.kind;
    this.#info = { ...info, worker: this.#host.worker, ...(edit && { edit }) };
  }

  #top(probabilities, topK) {
    return Array.from(probabilities, (probability, index) => ({ label: this.#info.labels[index], index, probability }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, topK);
  }

  /** What the blocks of a stage are for: the names of their taps. */
  #roles(stage) {
    const { stages } = this.info;
    const found = typeof stage === 'number' ? stages[stage - 1] : stages.find(({ name }) => name === stage);
    if (!found) throw badOption('stage', stage, [...stages.map((_, i) => i + 1), ...stages.map(({ name }) => `"${name}"`)]);
    const { name, kind, blocks, ghostPath } = found;
    return {
      name,
      kind,
      first: blocks[0],
      inner: blocks.slice(1, -1),
      ghost: ghostPath?.ghost,
      last: blocks.at(-1),
    };
  }
}

// `using` looks this symbol up; older browsers lack it.
if (Symbol.dispose) GGhostNet.prototype[Symbol.dispose] = GGhostNet.prototype.dispose;

/** What can be handed to a worker without a copy: all of it is the library's own. */
function movable({ sources = [], tensor } = {}) {
  const owned = sources.map((source) => source.data?.buffer ?? (source instanceof Blob ? undefined : source));
  return [...owned, tensor?.data.buffer].filter(Boolean);
}

const provenance = ({ backend, backendReason, timings }) => ({ backend, ...(backendReason && { backendReason }), milliseconds: timings.forward, timings });

/** The probabilities of each picture of a batch. */
function rows({ probabilities, dims: [n, classes] }) {
  return Array.from({ length: n }, (_, i) => probabilities.subarray(i * classes, (i + 1) * classes));
}

/** One picture's maps out of a batch: `[channels, height, width]`. */
function mapsOf({ data, dims: [, ...dims] }, i) {
  const size = dims.reduce((a, b) => a * b);
  return { data: data.slice(i * size, (i + 1) * size), dims, layout: 'chw' };
}

/** @type {import('./similarity.d.ts').openSimilarity} */
export const openSimilarity = async (options) => (await import('./similarity.js')).openSimilarity(options);

/** Forgets every downloaded part of a model in several files. */
export const clearCache = async () => (await import('./shards.js')).clearCache();

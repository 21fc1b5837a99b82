/**
 * @file G-GhostNet: pictures to classes, embeddings and feature maps, in the browser and in Node. The types, with
 * examples, are in index.d.ts.
 */
import { defaultModel, defaultModelUrl } from './default-model.js';
import { caught, GGhostError, throwIfAborted, underSignals, untilAborted } from './errors.js';
import { engine, openHost } from './host.js';
import { absolute, folderOf, isBlob, isList, snapshot } from './image.js';
import { lazy, lazyCalls } from './lazy.js';
import { answersTo } from './list.js';
import { badOption, brandOf, known, nearestOf, optionsOf, shown } from './options.js';
import { located } from './place.js';

export { GGhostError };

/**
 * @typedef {import('./index.d.ts').GGhostNet} Declared
 * @typedef {import('./index.d.ts').Info} Info
 * @typedef {import('./index.d.ts').ImageInput} ImageInput
 * @typedef {import('./index.d.ts').ImageInputs} ImageInputs
 * @typedef {import('./index.d.ts').CallOptions} CallOptions
 * @typedef {import('./index.d.ts').ListOptions} ListOptions
 * @typedef {import('./index.d.ts').FeatureOptions} FeatureOptions
 * @typedef {import('./index.d.ts').Classification} Classification
 * @typedef {import('./index.d.ts').Features} Features
 * @typedef {import('./index.d.ts').StageRoles} StageRoles
 * @typedef {import('./index.d.ts').Provenance} Provenance
 * @typedef {import('./index.d.ts').LoadOptions & { platform?: Platform }} LoadOptions
 * @typedef {import('./host.js').Host} Host
 * @typedef {import('./image.js').Platform} Platform
 * @typedef {import('./loading.js').EngineOptions} EngineOptions
 * @typedef {import('./engine.js').Run} Run
 * @typedef {import('./engine.js').Result} Result
 * @typedef {Pick<import('./loading.js').Hooks, 'signal' | 'onProgress'>} Hooks
 */

const backends = /** @type {const} */ (['auto', 'webgpu', 'wasm']);
const precisions = /** @type {const} */ (['auto', 'f32', 'f16', 'int8']);
const whole = 'a whole number from 1';
const models = ['a URL', 'a Blob or File', 'an ArrayBuffer', 'a Uint8Array', 'a list of Files'];

/** Names of the options of each function. */
const names = {
  load: [
    'model',
    'variant',
    'labels',
    'weights',
    'backend',
    'precision',
    'threads',
    'device',
    'worker',
    'wasmUrl',
    'packageUrl',
    'module',
    'flavour',
    'cache',
    'signal',
    'onProgress',
    'platform',
  ],
  classify: ['topK', 'errors', 'signal'],
  embed: ['errors', 'signal'],
  features: ['stage', 'taps', 'topK', 'side', 'errors', 'signal'],
  forward: ['taps', 'signal'],
  drawFeature: ['tap', 'channels', 'columns', 'cell', 'gap', 'colormap', 'scale', 'signal'],
  selfTest: ['signal'],
};

/** Sides of an input, in pixels. */
const LEAST_SIDE = 32;
const MAX_SIDE = 4096;

/**
 * How long a picture waits for one that was asked for before it, in milliseconds, so that answers keep the order of
 * the calls.
 */
const MOMENT = 50;

/**
 * @param {LoadOptions} [options]
 * @returns {Promise<Declared>}
 */
export async function load(options) {
  const { signal, device, onProgress, platform = {}, ...others } = optionsOf(options, names.load, 'load');
  if (device !== undefined && !isDevice(device)) throw badOption('device', device, ['a GPUDevice']);
  if (device && others.worker) throw badOption('worker', true, ['false with a device, which cannot leave the page']);
  const worker = device ? false : others.worker;
  checkSignal(signal);
  throwIfAborted(signal);
  const given = others.model;
  /** @type {{ model?: Blob, labels?: string[] }} */
  const found = isList(given) ? await modelOfList([.../** @type {Iterable<unknown>} */ (given)]) : {};
  const chosen = engineOptions({ ...others, ...found, labels: others.labels ?? found.labels, device }, platform);
  return open(new GGhostNet(worker, platform), chosen, { signal, onProgress });
}

/** @param {unknown} device @returns {device is GPUDevice} */
const isDevice = (device) =>
  typeof (/** @type {Partial<GPUDevice> | null} */ (device)?.createComputePipeline) === 'function';

/** A model of several files, and its labels. @param {unknown[]} files */
async function modelOfList(files) {
  if (!files.every(isBlob)) throw badOption('model', files, models);
  const { model, labels } = await (await lazy.more()).modelOfFiles(/** @type {(Blob & { name?: string })[]} */ (files));
  return { model, labels };
}

/** @param {GGhostNet} net @param {EngineOptions} options @param {Hooks} hooks */
async function open(net, options, hooks) {
  try {
    await net._open(options, hooks);
    return net;
  } catch (error) {
    net.dispose();
    throw error;
  }
}

/**
 * Options as the engine takes them, checked.
 * @param {Omit<LoadOptions, 'device'> & { device?: GPUDevice }} options
 * @param {Platform} platform
 * @returns {EngineOptions}
 */
function engineOptions(options, platform) {
  const { model, variant, labels, weights, backend = 'auto', precision = 'auto', threads } = options;
  const { device, flavour, module, cache } = options;
  known('backend', backend, backends);
  known('precision', precision, precisions);
  if (threads !== undefined && !isCount(threads)) throw badOption('threads', threads, [whole]);
  if (labels !== undefined && !(Array.isArray(labels) && labels.every((label) => typeof label === 'string'))) {
    throw badOption('labels', labels, ['a list of texts']);
  }
  for (const [name, text] of Object.entries({ variant, weights, flavour })) {
    if (text !== undefined && typeof text !== 'string') throw badOption(name, text, ['a text']);
  }
  if (module !== undefined && brandOf(module) !== 'WebAssembly.Module')
    throw badOption('module', module, ['a WebAssembly.Module']);
  const packageUrl = folderOf(options.packageUrl, platform);
  return {
    model: modelOf(model, packageUrl, platform),
    bundled: model === undefined,
    variant,
    labels,
    weights,
    backend,
    precision: precision === 'auto' ? undefined : precision,
    threads,
    device,
    wasmUrl: folderOf(options.wasmUrl, platform),
    packageUrl,
    flavour,
    kept: module && { module, flavour: flavour ?? 'fixed' },
    cache,
  };
}

/** @param {unknown} value */
const isCount = (value) => Number.isInteger(value) && Number(value) > 0;

/**
 * @param {unknown} model
 * @param {string | undefined} packageUrl
 * @param {Platform} platform
 * @returns {EngineOptions['model']}
 */
function modelOf(model, packageUrl, platform) {
  if (model === undefined) return packageUrl ? `${packageUrl}models/${defaultModel}` : located(defaultModelUrl);
  const brand = brandOf(model);
  if (typeof model === 'string' || brand === 'URL')
    return absolute(/** @type {string | URL} */ (model), 'bad-option', platform);
  if (isBlob(model)) return model;
  if (brand === 'ArrayBuffer' || brand === 'Uint8Array')
    return /** @type {ArrayBuffer | Uint8Array<ArrayBuffer>} */ (model);
  throw badOption('model', model, models);
}

/** @implements {Declared} */
class GGhostNet {
  /** @type {Host | undefined} */
  #host;
  #hostKind;
  #platform;
  /** What it was loaded with, and what was loaded. @type {EngineOptions} */
  #options = { model: '', backend: 'auto' };
  /** What the engine tells, once it has loaded. */
  #info = /** @type {Info} */ ({});
  #crashed = false;
  /** The turns on the engine. @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** The picture's file that is read last. @type {Promise<unknown>} */
  #reading = Promise.resolve();
  /** Aborts with `disposed`. */
  #closing = new AbortController();

  /** @param {boolean | undefined} worker @param {Platform} platform */
  constructor(worker, platform) {
    this.#hostKind = worker;
    this.#platform = platform;
    // `using` looks this symbol up; older browsers lack it.
    if (Symbol.dispose) this[Symbol.dispose] = () => this.dispose();
  }

  /** Who answers, from `load` on. */
  get #engine() {
    return /** @type {Host} */ (this.#host);
  }

  /** For `load`, and again after a crash. @param {EngineOptions} options @param {Hooks} [hooks] */
  async _open(options, { signal, onProgress } = {}) {
    const { packageUrl } = options;
    const host = await openHost(engine, this.#hostKind, { ...this.#platform, packageUrl, signal, onProgress });
    try {
      const loading = host.call('load', { ...options, packageUrl: host.packageUrl ?? packageUrl });
      const { info, kept } = await untilAborted(loading, [signal, this.#closing.signal]);
      // The model's own bytes are not held twice.
      this.#options = { ...options, model: kept.model, kept };
      this.#setInfo(info, host);
      this.#crashed = false;
      this.#host = host;
    } catch (error) {
      host.close();
      throw error;
    }
  }

  get info() {
    this.#check();
    return this.#info;
  }

  get model() {
    this.#check();
    return /** @type {Blob} */ (this.#options.kept?.model);
  }

  /**
   * @param {ImageInput | ImageInputs} input
   * @param {CallOptions & ListOptions & { topK?: number }} [options]
   * @returns {Promise<any>} one answer or a list, as index.d.ts has it in overloads, which JSDoc cannot refer to
   */
  async classify(input, options) {
    const { topK = 5, ...others } = optionsOf(options, names.classify, 'classify');
    checkTopK(topK);
    return this.#see(input, [], others, (result) => this.#classification(result, topK));
  }

  /**
   * @param {ImageInput | ImageInputs} input
   * @param {CallOptions & ListOptions} [options]
   * @returns {Promise<any>} as of `classify`
   */
  async embed(input, options) {
    return this.#see(input, ['avgpool'], optionsOf(options, names.embed, 'embed'), ({ taps: [{ data }] }) => data);
  }

  /**
   * @param {ImageInput | ImageInputs} input
   * @param {FeatureOptions & ListOptions} options
   * @returns {Promise<any>} as of `classify`
   */
  async features(input, options) {
    const { taps = [], stage, topK = 5, ...others } = optionsOf(options, names.features, 'features');
    checkTopK(topK);
    this.#checkTaps(taps);
    const roles = stage === undefined ? undefined : this.#roles(stage);
    const wanted = roles
      ? [...new Set([roles.first, ...roles.inner, roles.ghost ?? [], roles.last, ...taps].flat())]
      : [...taps];
    if (wanted.length === 0) throw badOption('taps', taps, ['a stage', 'a list of names from info.taps']);
    /** @type {(result: Result) => Features} */
    const answer = (result) => ({
      maps: Object.fromEntries(result.taps.map(({ name, data, dims }) => [name, mapsOf(data, dims)])),
      ...(roles && { stage: roles }),
      ...this.#classification(result, topK),
    });
    return this.#see(input, wanted, others, answer);
  }

  /** @type {Declared['forward']} */
  async forward(tensor, options) {
    const { taps = [], signal } = optionsOf(options, names.forward, 'forward');
    this.#checkTaps(taps);
    const { data, dims } = tensor ?? {};
    if (!ArrayBuffer.isView(data) && !Array.isArray(data)) {
      throw new GGhostError(
        'wrong-shape',
        `The tensor’s data is ${shown(data)}, expected { data: Float32Array, dims: [n, 3, height, width] }.`,
      );
    }
    if (typeof dims?.[Symbol.iterator] !== 'function' || typeof dims === 'string') {
      throw new GGhostError('wrong-shape', `The tensor’s dims are ${shown(dims)}, expected [n, 3, height, width].`);
    }
    const own = { data: new Float32Array(/** @type {ArrayLike<number>} */ (data)), dims: Array.from(dims) };
    const result = await this.#call(signal, () => this.#run({ tensor: own, taps: [...taps] }, signal));
    const { logits, dims: shape } = result;
    return {
      logits,
      dims: [shape[0], shape[1]],
      taps: Object.fromEntries(result.taps.map(({ name, data, dims }) => [name, tensorOf(data, dims)])),
      ...provenance(result),
    };
  }

  /** @type {Declared['weights']} */
  weights(step, { signal } = {}) {
    return this.#call(signal, () => this.#turn('weights', { step: String(step) }, signal));
  }

  /** @type {Declared['redundancy']} */
  redundancy(...given) {
    return this.#analysis((calls, inside) => calls.redundancy(inside, ...given));
  }

  /** @type {Declared['evidence']} */
  evidence(...given) {
    return this.#analysis((calls, inside) => calls.evidence(inside, ...given));
  }

  /** @type {Declared['ablated']} */
  ablated(...given) {
    return this.#analysis((calls, inside) => calls.ablated(inside, ...given));
  }

  /** @type {Declared['plainTwin']} */
  plainTwin(...given) {
    return this.#analysis((calls, inside) => calls.plainTwin(inside, ...given));
  }

  /** @type {Declared['randomTwin']} */
  randomTwin(...given) {
    return this.#analysis((calls, inside) => calls.randomTwin(inside, ...given));
  }

  /** @type {Declared['teach']} */
  teach(...given) {
    return this.#analysis((calls, inside) => calls.teach(inside, ...given));
  }

  /**
   * What few callers ask: a script of its own.
   * @template T
   * @param {(calls: typeof import('./analysis.js'), inside: import('./analysis.js').Inside) => Promise<T>} ask
   */
  async #analysis(ask) {
    this.#check();
    const calls = await lazyCalls.analysis();
    this.#check();
    const [options, worker, platform] = [this.#options, this.#hostKind, this.#platform];
    const make = (/** @type {EngineOptions} */ options, /** @type {Hooks} */ hooks) =>
      open(new GGhostNet(worker, platform), options, hooks);
    return ask(calls, { net: this, options, worker, platform, make });
  }

  /** @type {Declared['drawFeature']} */
  async drawFeature(canvas, options) {
    const { tap, signal, ...drawing } = optionsOf(options, names.drawFeature, 'drawFeature');
    if (!['HTMLCanvasElement', 'OffscreenCanvas'].includes(brandOf(canvas)))
      throw badOption('canvas', canvas, ['a <canvas>', 'an OffscreenCanvas']);
    this.#checkTap(tap);
    const { bitmap, maps, ...provenance } = await this.#call(signal, () =>
      this.#turn('draw', { tap, ...drawing }, signal),
    );
    if (bitmap) (await lazyCalls.bitmap()).showBitmap(canvas, bitmap);
    else (await lazyCalls.draw()).drawMaps(canvas, maps, drawing);
    return provenance;
  }

  /** @type {Declared['selfTest']} */
  async selfTest(options) {
    const { signal } = optionsOf(options, names.selfTest, 'selfTest');
    return this.#call(signal, () => this.#turn('selfTest', undefined, signal));
  }

  dispose() {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GGhostError('disposed', 'The net was disposed of: load a new one.'));
    this.#host?.close();
    // The model's memory is free, whoever keeps the net.
    this.#options = { model: '', backend: 'auto' };
  }

  #check() {
    throwIfAborted(this.#closing.signal);
  }

  // --- A call: pictures are read side by side, and the engine takes turns ---

  /**
   * A call of the user's. It ends when its signal aborts or the net is disposed of, whatever it is waiting for.
   * @template T
   * @param {AbortSignal | undefined} signal
   * @param {(signal: AbortSignal) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #call(signal, work) {
    checkSignal(signal);
    this.#check();
    return underSignals([signal, this.#closing.signal], work);
  }

  /**
   * Runs pictures through the net, one or a list, and makes an answer of each.
   * @template T
   * @param {ImageInput | ImageInputs} input
   * @param {string[]} taps
   * @param {CallOptions & ListOptions & { side?: number }} options
   * @param {(result: Result) => T} answer
   * @returns {Promise<T | (T | import('./index.d.ts').FailedPicture)[]>} one for one, a list for a list
   */
  async #see(input, taps, { signal, errors = 'throw', side }, answer) {
    known('errors', errors, ['throw', 'return']);
    if (side !== undefined && !(isCount(side) && side >= LEAST_SIDE && side <= MAX_SIDE)) {
      throw badOption('side', side, [`a whole number from ${LEAST_SIDE} to ${MAX_SIDE}`]);
    }
    return this.#call(signal, async (signal) => {
      const { backend } = this.#info;
      const read = (/** @type {ImageInput} */ picture) => this.#input(picture, signal, side);
      const run = (/** @type {Run} */ picture) => this.#run({ ...picture, taps }, signal);
      if (!isList(input)) return answer(await run(await read(/** @type {ImageInput} */ (input))));
      return answersTo(/** @type {ImageInputs} */ (input), { backend, read, run, answer, errors, signal });
    });
  }

  /** @param {Run} request @param {AbortSignal} [signal] @returns {Promise<Result>} */
  #run(request, signal) {
    return this.#turn('run', request, signal);
  }

  /**
   * A picture as the engine takes it: of a file the network's input, and pixels as they are.
   * @param {ImageInput} picture
   * @param {AbortSignal} signal
   * @param {number} [side]
   * @returns {Promise<Run>}
   */
  async #input(picture, signal, side) {
    const read = snapshot(picture, this.#platform);
    const source = await untilAborted(read(signal), [signal]);
    return isBlob(source) ? { tensor: await this.#read({ file: source, side }, signal) } : { source, side };
  }

  /**
   * A picture's file to the network's input, while the engine computes something else. Of several files the first one
   * asked for comes first, unless it takes long.
   * @param {{ file: Blob, side?: number }} picture
   * @param {AbortSignal} signal
   */
  #read(picture, signal) {
    const before = this.#reading;
    const reading = this.#tensorOf(picture, signal).then(async (tensor) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      await Promise.race([before, new Promise((resolve) => (timer = setTimeout(resolve, MOMENT)))]);
      clearTimeout(timer);
      return tensor;
    });
    this.#reading = reading.then(
      () => {},
      () => {},
    );
    return reading;
  }

  /**
   * @param {{ file: Blob, side?: number }} picture
   * @param {AbortSignal} signal
   * @returns {Promise<import('./engine.js').Tensor>}
   */
  async #tensorOf(picture, signal) {
    if (this.#crashed) return this.#turn('read', picture, signal);
    const host = this.#engine;
    try {
      return await untilAborted(host.call('read', picture), [signal]);
    } catch (error) {
      if (caught(error).code !== 'crashed') throw error;
      // It went down with the engine, by another call or by itself: a fresh one reads it again, once.
      if (host === this.#host) this.#crashed = true;
      return this.#turn('read', picture, signal);
    }
  }

  /**
   * Waits for its turn and asks the engine; after a crash on a fresh one.
   * @param {string} method
   * @param {object} [argument]
   * @param {AbortSignal} [signal]
   */
  #turn(method, argument, signal) {
    const turn = this.#queue.then(async () => {
      const check = () => {
        this.#check();
        throwIfAborted(signal);
      };
      check();
      if (this.#crashed) await this.#reopen();
      check();
      const result = await untilAborted(this.#engine.call(method, argument, movable(argument)), [this.#closing.signal]);
      if (result.backend && result.backend !== this.#info.backend)
        this.#setInfo(await this.#engine.call('info'), this.#engine);
      return result;
    });
    this.#queue = turn.then(
      () => {},
      (error) => {
        if (error?.code === 'crashed') this.#crashed = true;
      },
    );
    return untilAborted(turn, [signal]);
  }

  async #reopen() {
    this.#engine.close();
    await this._open(this.#options);
  }

  /** @param {Info} info @param {Host} host */
  #setInfo(info, { worker, workerReason }) {
    const edit = this.#options.edit?.kind;
    this.#info = { ...info, worker, ...(workerReason && { workerReason }), ...(edit && { edit }) };
  }

  /**
   * What the net says of one picture: the likeliest classes, and whether it knows what it shows.
   * @param {Result} result
   * @param {number} topK
   * @returns {Classification}
   */
  #classification({ probabilities, known, ...result }, topK) {
    const { labels, known: rule } = this.#info;
    const top = Array.from(probabilities, (probability, index) => ({ label: labels[index], index, probability }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, topK);
    const sure = rule && known && { known: known[0], unsure: !(known[0] >= rule.threshold) };
    return { top, ...sure, ...provenance(result) };
  }

  /** Names of feature maps, all of which there are. @param {unknown} taps */
  #checkTaps(taps) {
    if (!Array.isArray(taps) || !taps.every((tap) => typeof tap === 'string')) {
      throw badOption('taps', taps, ['a list of names from info.taps']);
    }
    taps.forEach((tap) => this.#checkTap(tap));
  }

  /** @param {unknown} tap */
  #checkTap(tap) {
    const { taps } = this.info;
    if (taps.includes(/** @type {string} */ (tap))) return;
    const nearest = typeof tap === 'string' ? nearestOf(tap, taps) : undefined;
    const meant = nearest ? `: did you mean "${nearest}"?` : '.';
    throw new GGhostError('unknown-tap', `There is no tap ${shown(tap)}${meant} info.taps lists all.`);
  }

  /**
   * What the blocks of a stage are for: the names of their taps.
   * @param {number | string} stage
   * @returns {StageRoles}
   */
  #roles(stage) {
    const { stages } = this.info;
    const found = typeof stage === 'number' ? stages[stage - 1] : stages.find(({ name }) => name === stage);
    if (!found)
      throw badOption('stage', stage, [...stages.map((_, i) => i + 1), ...stages.map(({ name }) => `"${name}"`)]);
    const { name, kind, blocks, ghostPath } = found;
    return {
      name,
      kind,
      first: blocks[0],
      inner: blocks.slice(1, -1),
      ghost: ghostPath?.ghost,
      last: blocks[blocks.length - 1],
    };
  }
}

/** @param {unknown} signal */
function checkSignal(signal) {
  if (signal !== undefined && brandOf(signal) !== 'AbortSignal') throw badOption('signal', signal, ['an AbortSignal']);
}

/** @param {unknown} topK */
function checkTopK(topK) {
  if (!isCount(topK)) throw badOption('topK', topK, [whole]);
}

/**
 * Feature maps of one picture.
 * @param {Float32Array} data
 * @param {number[]} dims of all pictures
 * @returns {import('./index.d.ts').FeatureMaps}
 */
const mapsOf = (data, [, channels, height, width]) => ({ data, dims: [channels, height, width], layout: 'chw' });

/**
 * @param {Float32Array} data
 * @param {number[]} dims
 * @returns {import('./index.d.ts').ForwardResult['taps'][string]}
 */
const tensorOf = (data, [n, channels, height, width]) => ({
  data,
  dims: [n, channels, height, width],
  layout: 'nchw',
});

/**
 * What can be handed to a worker without a copy: all of it is the library's own.
 * @param {Run} [request]
 */
function movable({ source, tensor } = {}) {
  const pixels = source && 'data' in source ? source.data.buffer : source;
  return /** @type {Transferable[]} */ ([pixels, tensor?.data.buffer].filter(Boolean));
}

/** @param {Pick<Result, 'backend' | 'backendReason' | 'timings'>} result @returns {Provenance} */
const provenance = ({ backend, backendReason, timings }) => ({
  backend,
  ...(backendReason && { backendReason }),
  milliseconds: timings.forward,
  timings,
});

/** @type {import('./similarity.d.ts').openSimilarity} */
export const openSimilarity = async (options) => (await lazyCalls.similarity()).openSimilarity(options);

/** Forgets every downloaded part of a model in several files. */
export const clearCache = async () => (await lazy.more()).clearCache();

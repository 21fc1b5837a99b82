/**
 * @file G-GhostNet: pictures to classes, embeddings and feature maps, in the browser and in Node. The types, with
 * examples, are in index.d.ts.
 */
import { defaultModel, defaultModelUrl } from './default-model.js';
import { GGhostError, throwIfAborted, underSignals, untilAborted } from './errors.js';
import { engine, openHost } from './host.js';
import { absolute, folderOf, isBlob, isList, nameOf, snapshot } from './image.js';
import { lazy, lazyCalls } from './lazy.js';
import { badOption, brandOf, known, nearestOf, optionsOf, shown } from './options.js';
import { located } from './place.js';

export { GGhostError };

const backends = ['auto', 'webgpu', 'wasm'];
const precisions = ['auto', 'f32', 'f16', 'int8'];
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
  features: ['stage', 'taps', 'topK', 'errors', 'signal'],
  forward: ['taps', 'signal'],
  redundancy: ['stage', 'taps', 'metric', 'added', 'control', 'other', 'seed', 'ridge', 'onProgress', 'signal'],
  ablated: ['backend', 'onProgress', 'signal'],
  twin: ['seed', 'backend', 'onProgress', 'signal'],
  drawFeature: ['tap', 'channels', 'columns', 'cell', 'gap', 'colormap', 'scale', 'signal'],
  selfTest: ['signal'],
};

/** Pictures of a list that are read while another one is computed. */
const AHEAD = 4;

/** Pictures of a list that a graphics card computes at once. */
const BATCH = 8;

/**
 * How long a picture waits for one that was asked for before it, in milliseconds, so that answers keep the order of
 * the calls.
 */
const MOMENT = 50;

/** What is wrong with the engine or the call, not with one picture of a list. */
const ofTheCall = ['aborted', 'crashed', 'disposed', 'device-lost', 'gpu', 'out-of-memory', 'unknown-tap'];

/** @type {import('./index.d.ts').load} */
export async function load(options) {
  const { signal, device, onProgress, platform = {}, ...others } = optionsOf(options, names.load, 'load');
  if (device !== undefined && typeof device?.createComputePipeline !== 'function')
    throw badOption('device', device, ['a GPUDevice']);
  if (device && others.worker) throw badOption('worker', true, ['false with a device, which cannot leave the page']);
  const worker = device ? false : others.worker;
  checkSignal(signal);
  throwIfAborted(signal);
  const found = isList(others.model) ? await modelOfList([...others.model]) : {};
  const chosen = engineOptions({ ...others, ...found, labels: others.labels ?? found.labels, device }, platform);
  return open(new GGhostNet(worker, platform), chosen, { signal, onProgress });
}

/** A model of several files, and its labels. */
async function modelOfList(files) {
  if (!files.every(isBlob)) throw badOption('model', files, models);
  const { model, labels } = await (await lazy.more()).modelOfFiles(files);
  return { model, labels };
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

const isCount = (value) => Number.isInteger(value) && value > 0;

function modelOf(model, packageUrl, platform) {
  if (model === undefined) return packageUrl ? `${packageUrl}models/${defaultModel}` : located(defaultModelUrl);
  const brand = brandOf(model);
  if (typeof model === 'string' || brand === 'URL') return absolute(model, 'bad-option', platform);
  if (isBlob(model) || brand === 'ArrayBuffer' || brand === 'Uint8Array') return model;
  throw badOption('model', model, models);
}

class GGhostNet {
  /** @type {import('./host.js').Host | undefined} */
  #host;
  #hostKind;
  #platform;
  #options;
  #info;
  #crashed = false;
  /** The turns on the engine. */
  #queue = Promise.resolve();
  /** The picture's file that is read last. */
  #reading = Promise.resolve();
  /** Aborts with `disposed`. */
  #closing = new AbortController();

  /** @param {import('./image.js').Platform} platform */
  constructor(worker, platform) {
    this.#hostKind = worker;
    this.#platform = platform;
  }

  /** @private `load`, and again after a crash. */
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
    return this.#options.kept.model;
  }

  async classify(input, options) {
    const { topK = 5, ...others } = optionsOf(options, names.classify, 'classify');
    checkTopK(topK);
    return this.#see(input, [], others, (result) => ({ ...this.#said(result, topK), ...provenance(result) }));
  }

  async embed(input, options) {
    return this.#see(input, ['avgpool'], optionsOf(options, names.embed, 'embed'), ({ taps: [{ data }] }) => data);
  }

  async features(input, options) {
    const { taps = [], stage, topK = 5, ...others } = optionsOf(options, names.features, 'features');
    checkTopK(topK);
    this.#checkTaps(taps);
    const roles = stage === undefined ? undefined : this.#roles(stage);
    const wanted = roles
      ? [...new Set([roles.first, ...roles.inner, roles.ghost, roles.last, ...taps].filter(Boolean))]
      : [...taps];
    if (wanted.length === 0) throw badOption('taps', taps, ['a stage', 'a list of names from info.taps']);
    return this.#see(input, wanted, others, (result) => ({
      maps: Object.fromEntries(
        result.taps.map(({ name, data, dims }) => [name, { data, dims: dims.slice(1), layout: 'chw' }]),
      ),
      ...(roles && { stage: roles }),
      ...this.#said(result, topK),
      ...provenance(result),
    }));
  }

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
    const own = { data: new Float32Array(data), dims: Array.from(dims) };
    const result = await this.#call(signal, () => this.#turn('run', { tensor: own, taps: [...taps] }, signal));
    const { logits, dims: shape } = result;
    return {
      logits,
      dims: shape,
      taps: Object.fromEntries(result.taps.map(({ name, data, dims }) => [name, { data, dims, layout: 'nchw' }])),
      ...provenance(result),
    };
  }

  weights(step, { signal } = {}) {
    return this.#call(signal, () => this.#turn('weights', { step: String(step) }, signal));
  }

  async redundancy(input, options) {
    this.#check();
    const given = optionsOf(options, names.redundancy, 'redundancy');
    const { redundancy } = await lazyCalls.study();
    return redundancy(this, input, given, {
      worker: this.#hostKind,
      wasmUrl: this.#options.wasmUrl,
      packageUrl: this.#options.packageUrl,
      platform: this.#platform,
    });
  }

  async ablated(ablation, options) {
    this.#check();
    const given = optionsOf(options, names.ablated, 'ablated');
    const { ablationsOf } = await lazyCalls.study();
    return this.#edited({ kind: 'ablated', ablations: ablationsOf(this.info, ablation) }, given);
  }

  async plainTwin(options) {
    const { seed, ...others } = optionsOf(options, names.twin, 'plainTwin');
    return this.#edited({ kind: 'plain', seed }, others);
  }

  async randomTwin(options) {
    const { seed, ...others } = optionsOf(options, names.twin, 'randomTwin');
    return this.#edited({ kind: 'random', seed }, others);
  }

  /** A net of another model that is made of this one's, on the same engine. */
  async #edited(edit, { backend = this.info.backend, signal, onProgress }) {
    known('backend', backend, backends);
    throwIfAborted(signal);
    const { kept, labels, ...options } = this.#options;
    const net = new GGhostNet(this.#hostKind, this.#platform);
    const whole = { ...edit, labels };
    const from = { module: kept.module, flavour: kept.flavour };
    return open(net, { ...options, backend, kept: from, edit: whole }, { signal, onProgress });
  }

  async drawFeature(canvas, options) {
    const { tap, signal, ...drawing } = optionsOf(options, names.drawFeature, 'drawFeature');
    if (!['HTMLCanvasElement', 'OffscreenCanvas'].includes(brandOf(canvas)))
      throw badOption('canvas', canvas, ['a <canvas>', 'an OffscreenCanvas']);
    this.#checkTap(tap);
    const { bitmap, maps, ...provenance } = await this.#call(signal, () =>
      this.#turn('draw', { tap, ...drawing }, signal),
    );
    const { drawMaps, showBitmap } = await lazyCalls.draw();
    if (bitmap) showBitmap(canvas, bitmap);
    else drawMaps(canvas, maps, drawing);
    return provenance;
  }

  async selfTest(options) {
    const { signal } = optionsOf(options, names.selfTest, 'selfTest');
    return this.#call(signal, () => this.#turn('selfTest', undefined, signal));
  }

  dispose() {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GGhostError('disposed', 'The net was disposed of: load a new one.'));
    this.#host?.close();
    this.#options = undefined;
  }

  #check() {
    throwIfAborted(this.#closing.signal);
  }

  // --- A call: pictures are read side by side, and the engine takes turns ---

  /**
   * A call of the user's: it ends with its signal and with the net, whatever it waits for.
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

  /** Runs pictures through the net, one or a list, and makes an answer of each. */
  async #see(input, taps, { signal, errors = 'throw' }, answer) {
    known('errors', errors, ['throw', 'return']);
    return this.#call(signal, async (signal) => {
      if (isList(input)) return this.#seeAll(input, taps, { answer, errors, signal });
      return answer(await this.#run(await this.#input(input, signal), taps, signal));
    });
  }

  /**
   * A list streams through: a few pictures are read ahead, and each is let go when it is answered. A graphics card gets
   * several at once.
   */
  async #seeAll(list, taps, { answer, errors, signal }) {
    const pictures = (list[Symbol.iterator] ?? list[Symbol.asyncIterator]).call(list);
    const [size, lanes] = this.#info.backend === 'webgpu' ? [BATCH, 2] : [1, AHEAD];
    const answers = [];
    let count = 0;
    const fail = ({ index, name }, error) => {
      if (ofTheCall.includes(error.code)) throw error;
      const failed = { error, index, name };
      if (errors === 'throw') throw named(failed);
      answers[index] = failed;
    };
    const lane = async () => {
      for (let done = false; !done; throwIfAborted(signal)) {
        const group = [];
        while (group.length < size) {
          const index = count++;
          // Without a wait where there is none: what the first pictures show is taken at the call.
          let step = pictures.next();
          if (typeof step.then === 'function') step = await step;
          ({ done = false } = step);
          if (done) break;
          const picture = { index, name: nameOf(step.value), reading: this.#input(step.value, signal) };
          picture.reading.catch(() => {}); // said in its turn
          group.push(picture);
        }
        for (const picture of group) {
          try {
            picture.input = await picture.reading;
          } catch (error) {
            fail(picture, error);
          }
        }
        const tensors = group.filter(({ input }) => input?.tensor);
        const batch = tensors.length > 1 ? tensors : [];
        if (batch.length) {
          const result = await this.#run({ tensor: joined(batch.map(({ input }) => input.tensor)) }, taps, signal);
          batch.forEach(({ index, input }, i) => (answers[index] = answer(oneOf(result, i, input.tensor.timings))));
        }
        for (const picture of group) {
          if (!picture.input || batch.includes(picture)) continue;
          try {
            answers[picture.index] = answer(await this.#run(picture.input, taps, signal));
          } catch (error) {
            fail(picture, error);
          }
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: lanes }, lane));
    } finally {
      // What is left of a generator is not wanted.
      Promise.resolve(pictures.return?.()).catch(() => {});
    }
    if (answers.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
    return answers;
  }

  #run(input, taps, signal) {
    return this.#turn('run', { ...input, taps }, signal);
  }

  /** A picture as the engine takes it: of a file the network's input, and pixels as they are. */
  async #input(picture, signal) {
    const read = snapshot(picture, this.#platform);
    const source = await untilAborted(read(signal), [signal]);
    return isBlob(source) ? { tensor: await this.#read(source, signal) } : { source };
  }

  /**
   * A picture's file to the network's input, beside whatever the engine computes. Of files that come together the first
   * is first, as long as it doesn't take long.
   */
  #read(file, signal) {
    const before = this.#reading;
    const reading = this.#tensorOf(file, signal).then(async (tensor) => {
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

  async #tensorOf(file, signal) {
    if (this.#crashed) return this.#turn('read', { file }, signal);
    const host = this.#host;
    try {
      return await untilAborted(host.call('read', { file }), [signal]);
    } catch (error) {
      if (error.code !== 'crashed') throw error;
      // It went down with the engine, by another call or by itself: a fresh one reads it again, once.
      if (host === this.#host) this.#crashed = true;
      return this.#turn('read', { file }, signal);
    }
  }

  /** Waits for its turn and asks the engine; after a crash on a fresh one. */
  #turn(method, argument, signal) {
    const turn = this.#queue.then(async () => {
      const check = () => {
        this.#check();
        throwIfAborted(signal);
      };
      check();
      if (this.#crashed) await this.#reopen();
      check();
      const result = await untilAborted(this.#host.call(method, argument, movable(argument)), [this.#closing.signal]);
      if (result.backend && result.backend !== this.#info.backend)
        this.#setInfo(await this.#host.call('info'), this.#host);
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
    this.#host.close();
    await this._open(this.#options);
  }

  #setInfo(info, { worker, workerReason }) {
    const edit = this.#options.edit?.kind;
    this.#info = { ...info, worker, ...(workerReason && { workerReason }), ...(edit && { edit }) };
  }

  /** What the net says of one picture: the likeliest classes, and whether it knows what it shows. */
  #said({ probabilities, known }, topK) {
    const { labels, known: rule } = this.#info;
    const top = Array.from(probabilities, (probability, index) => ({ label: labels[index], index, probability }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, topK);
    return { top, ...(rule && { known: known[0], unsure: !(known[0] >= rule.threshold) }) };
  }

  /** Names of feature maps, all of which there are. */
  #checkTaps(taps) {
    if (!Array.isArray(taps) || !taps.every((tap) => typeof tap === 'string')) {
      throw badOption('taps', taps, ['a list of names from info.taps']);
    }
    taps.forEach((tap) => this.#checkTap(tap));
  }

  #checkTap(tap) {
    const { taps } = this.info;
    if (taps.includes(tap)) return;
    const nearest = typeof tap === 'string' ? nearestOf(tap, taps) : undefined;
    const meant = nearest ? `: did you mean "${nearest}"?` : '.';
    throw new GGhostError('unknown-tap', `There is no tap ${shown(tap)}${meant} info.taps lists all.`);
  }

  /** What the blocks of a stage are for: the names of their taps. */
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
      last: blocks.at(-1),
    };
  }
}

// `using` looks this symbol up; older browsers lack it.
if (Symbol.dispose) GGhostNet.prototype[Symbol.dispose] = GGhostNet.prototype.dispose;

function checkSignal(signal) {
  if (signal !== undefined && brandOf(signal) !== 'AbortSignal') throw badOption('signal', signal, ['an AbortSignal']);
}

function checkTopK(topK) {
  if (!isCount(topK)) throw badOption('topK', topK, [whole]);
}

/** The error of one picture of a list, with which one it is. */
function named({ error, index, name }) {
  const failure = new GGhostError(error.code, `Picture ${index + 1}${name ? ` (${name})` : ''}: ${error.message}`, {
    cause: error,
  });
  return Object.assign(failure, { index });
}

/** Inputs of one picture each as one of several. */
function joined(tensors) {
  const [{ dims, data }] = tensors;
  const all = new Float32Array(tensors.length * data.length);
  tensors.forEach((tensor, i) => all.set(tensor.data, i * data.length));
  return { data: all, dims: [tensors.length, ...dims.slice(1)] };
}

/** What was said of one of several pictures. */
function oneOf({ probabilities, known, dims: [n, classes], taps, timings, ...result }, i, own) {
  const part = ({ name, dims: [, ...dims], data }) => {
    const size = data.length / n;
    return { name, dims: [1, ...dims], data: data.slice(i * size, (i + 1) * size) };
  };
  return {
    ...result,
    probabilities: probabilities.subarray(i * classes, (i + 1) * classes),
    known: known?.subarray(i, i + 1),
    taps: taps.map(part),
    timings: { ...timings, ...own, forward: timings.forward / n },
  };
}

/** What can be handed to a worker without a copy: all of it is the library's own. */
function movable({ source, tensor } = {}) {
  return [source?.data?.buffer ?? source, tensor?.data.buffer].filter(Boolean);
}

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

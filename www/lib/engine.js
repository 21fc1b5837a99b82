/**
 * @file One net on the engine of its own realm (a worker, a page or Node): loads a flavour and a model, chooses
 * between WebGPU and WASM, and keeps going when a GPU goes away.
 */
import { asError, GGhostError, throwIfAborted } from './errors.js';
import { addUp, download } from './download.js';
import { chooseFlavour, parts, threadsHere } from './flavours.js';
import { toPixels } from './image.js';
import { fetchModule, start, startPart } from './module.js';

/** What a graphics card may answer at any time; all else is for the caller. */
const faults = ['device-lost', 'gpu', 'out-of-memory'];
const TOO_LARGE = 'too large for f16';

/** Bytes of a safetensors header that are looked at: those of a model have a tenth of it. */
const MAX_HEADER = 2 ** 20;

/** Instances that crashed in this realm: nets of an earlier one are dead. */
let generation = 0;

/**
 * @typedef {object} EngineOptions
 * @property {string | Blob | ArrayBuffer | Uint8Array} model absolute URL or bytes
 * @property {'auto' | 'webgpu' | 'wasm'} backend
 * @property {string} [wasmUrl] folder of the flavours
 * @property {string} [flavour]
 * @property {string} [variant]
 * @property {string[]} [labels]
 * @property {string} [weights] `ema`, or the name that a file of several state dicts has them under
 * @property {'f32' | 'f16' | 'int8'} [precision]
 * @property {GPUDevice} [device] the caller's
 * @property {number} [threads]
 * @property {boolean} [cache]
 * @property {import('./edit.js').Edit} [edit] makes another model of it
 * @property {{ module: WebAssembly.Module, flavour: string, model?: Blob }} [kept] what an earlier engine of the same options had loaded
 */

export class Engine {
  #options;
  /** Of the CPU engine. */
  #glue;
  /** Promises of the glue of the other parts, by name. */
  #parts = {};
  #fetch;
  #net;
  /** Where `#net` runs. @type {'webgpu' | 'wasm'} */
  #backend;
  #kept;
  /** Where the model does not name its classes but they are known. @type {string[] | undefined} */
  #labels;
  /** The model's file, in safetensors. @type {Blob | Uint8Array} */
  #model;
  #generation;
  #reason;
  /** Of feature maps on WebGPU. @type {'f32' | 'f16'} */
  #precision = 'f32';
  /** Why it is not what was asked for. */
  #precisionReason;
  #flavour;
  /** Of the CPU engine. @type {{ threads: number, reason?: string, end?: () => void }} */
  #threads;
  #alone;
  /** Whether the device was made anew and has not answered yet. */
  #rebuilt = false;
  /** The first input of the last run, to draw its maps. @type {{ data: Float32Array, dims: number[], kept?: Map<string, number[]> } | undefined} */
  #image;

  /**
   * @param {EngineOptions} options
   * @param {{ signal?: AbortSignal, onProgress?: (event: object) => void, fetch?: typeof globalThis.fetch,
   *   decode?: (blob: Blob) => Promise<{ data: Uint8Array, width: number, height: number }>,
   *   flavour?: import('./flavours.js').Flavour, ownWorker?: boolean }} [hooks] threads are for a worker of the
   *   library's own, which may be blocked and ends with its net
   */
  static async load(options, { signal, onProgress = () => {}, fetch, decode, flavour: given, ownWorker } = {}) {
    const engine = new Engine();
    engine.#options = options;
    engine.#fetch = fetch;
    engine.decode = decode;
    try {
      engine.#threads = ownWorker ? threadsHere(options.threads) : { threads: 1 };
      const threads = engine.#threads.threads > 1;
      let flavour = given ?? chooseFlavour(options.kept?.flavour ?? options.flavour, { threads, integers: options.precision === 'int8' });
      // An inlined engine is one file and nothing else.
      engine.#alone = Boolean(flavour.bytes);
      let last = { phase: 'download', loaded: 0, total: undefined };
      const report = (event) => onProgress((last = event));
      const part = addUp(report);
      const obtain = (flavour, module) => fetchModule(flavour, options.wasmUrl, { module, signal, fetch, onBytes: part() });
      const [first, file, whyNoGpu] = await Promise.all([
        obtain(flavour, options.kept?.module),
        modelFile(options.kept?.model ?? options.model, { signal, fetch, cache: options.cache, onBytes: part() }),
        engine.#considerGpu({ signal, part }),
      ]);
      throwIfAborted(signal);
      let wasm = first;
      if (!engine.#alone && !options.kept && !options.flavour && !options.precision && options.backend !== 'webgpu' && (await hasIntegers(file))) {
        flavour = chooseFlavour(undefined, { threads, integers: true });
        wasm = await obtain(flavour);
        throwIfAborted(signal);
      }

      report({ ...last, phase: 'compile' });
      const { module } = wasm;
      engine.#flavour = flavour.name;
      engine.#glue = await start(wasm);
      engine.#generation = generation;
      if (flavour.threads && threads) await engine.#startThreads(module);
      engine.#model = (await isPth(file)) ? await engine.#safetensorsOf(file) : file;
      if (options.edit && !options.kept?.model) engine.#model = await engine.#edited(options.edit);
      engine.#kept = { module, flavour: flavour.name, model: options.kept?.model ?? asBlob(engine.#model) };
      throwIfAborted(signal);

      await engine.#choose(whyNoGpu, (event) => report({ ...last, ...event }));
      engine.#labels = await engine.#knownLabels();
      // What was downloaded is not held twice.
      engine.#model = engine.#kept.model;
      throwIfAborted(signal);
      return engine;
    } catch (error) {
      engine.dispose();
      throw engine.#failure(error);
    }
  }

  /** Why WebGPU is not tried; where it is, its module is fetched beside the others. */
  async #considerGpu({ signal, part }) {
    if (this.#options.backend === 'wasm') return 'WebAssembly was asked for.';
    if (this.#options.backend === 'auto' && this.#options.precision === 'int8') return 'Only WebAssembly computes in int8.';
    const reason = this.#options.backend === 'auto' && !this.#options.device ? await noGpu() : undefined;
    // What fails here is said when the module is needed.
    if (!reason && !this.#alone) await this.#part('webgpu', { signal, onBytes: part() }).catch(() => {});
    return reason;
  }

  /** The glue of a part that is fetched when it is first needed; a failure is tried again. */
  #part(name, { signal, onBytes = () => {} } = {}) {
    if (this.#alone) throw new GGhostError('unsupported', 'The inlined engine is WebAssembly on the processor and reads safetensors only: for more, import g-ghostnet itself.');
    this.#parts[name] ??= startPart(parts[name], this.#options.wasmUrl, { fetch: this.#fetch, signal, onBytes }).catch((error) => {
      this.#parts[name] = undefined;
      throw error;
    });
    return this.#parts[name];
  }

  async #safetensorsOf(pth) {
    const [{ safetensorsOf }, { PthReader }] = await Promise.all([import('./pth.js'), this.#part('pth')]);
    return safetensorsOf(asBlob(pth), PthReader, this.#options.weights);
  }

  /** The model without a part, or another one of its form: once, because what is kept is edited already. */
  async #edited(edit) {
    const [{ edited }, editor] = await Promise.all([import('./edit.js'), this.#part('edit')]);
    return edited(editor, await this.#bytesIn(editor), asBlob(this.#model), edit);
  }

  /** The weights of a convolution as the network uses them. */
  async weights({ step }) {
    try {
      const [{ foldedWeights }, editor] = await Promise.all([import('./edit.js'), this.#part('edit')]);
      return foldedWeights(editor, await this.#bytesIn(editor), this.#options, step);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Published checkpoints of 1,000 classes are ImageNet's, and do not name them. */
  async #knownLabels() {
    const { classes, labels } = JSON.parse(this.#net.info());
    if (classes !== 1000 || labels[0] !== 'class 0' || this.#alone) return undefined;
    const url = new URL('../models/imagenet-1k.json', import.meta.url);
    const bytes = await download(url, { what: 'The list of ImageNet’s labels', fetch: this.#fetch });
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  async #startThreads(module) {
    const { startThreads } = await import('./threads.js');
    const engine = { flavour: this.#flavour, folder: this.#options.wasmUrl, module, glue: this.#glue };
    this.#threads = await startThreads({ ...engine, count: this.#threads.threads - 1 });
  }

  /** What a fresh engine needs to take over without downloads. */
  get kept() {
    return this.#kept;
  }

  get info() {
    const { golden, integers, ...info } = JSON.parse(this.#net.info());
    if (this.#labels) info.labels = this.#labels;
    const reasons = { backendReason: this.#reason, threadsReason: this.#threads.reason, precisionReason: this.#precisionReason };
    return { adapter: null, ...info, ...reasons, precision: integers ? 'int8' : this.#precision, flavour: this.#flavour };
  }

  /**
   * @param {{ sources?: import('./image.js').Source[], tensor?: { data: Float32Array, dims: number[] }, taps?: string[] }} request
   */
  async run({ sources, tensor, taps = [] }) {
    let input = tensor && { ...tensor, timings: { decode: 0, preprocess: 0 } };
    return this.#survive(async () => {
      input ??= await this.#prepare(sources);
      return this.#forward(input, taps);
    });
  }

  /**
   * Maps of the first picture of the last run: drawn where they lie on WebGPU, read back on WASM.
   * @param {{ tap: string } & import('./draw.d.ts').DrawOptions} request
   * @returns {Promise<{ bitmap?: ImageBitmap, maps?: { data: Float32Array, dims: number[] }, backend: string, backendReason?: string }>}
   */
  async draw({ tap, ...options }) {
    if (!this.#image) throw new GGhostError('unsupported', 'There is nothing to draw yet: classify a picture first.');
    return this.#survive(async () => {
      const image = this.#image;
      const drawn = () => ({ backend: this.#backend, backendReason: this.#reason });
      if (this.#backend === 'webgpu') {
        const { drawFromDevice } = await import('./gpu.js');
        const bitmap = await drawFromDevice(this.#net, image, tap, options);
        this.#rebuilt = false;
        return { bitmap, ...drawn() };
      }
      const output = await this.#net.forward(image.data, 1, image.dims[2], image.dims[3], [tap]);
      const maps = { data: output.tap(0), dims: Array.from(output.tapDims(0)).slice(1) };
      output.free();
      return { maps, ...drawn() };
    });
  }

  /** Does the work; after a fault of the graphics card again on a device made anew, then on WASM. */
  async #survive(work) {
    let fault;
    for (;;) {
      try {
        if (this.#generation !== generation) throw new WebAssembly.RuntimeError('another net of this page crashed');
        if (fault || !this.#net) await this.#recover(fault);
        return await work();
      } catch (error) {
        const last = this.#rebuilt && this.#options.backend === 'webgpu';
        if (this.#backend !== 'webgpu' || !faults.includes(error?.code) || last) throw this.#failure(error);
        fault = error;
      }
    }
  }

  async #forward({ data, dims, timings }, taps) {
    if (!(data instanceof Float32Array) || dims?.length !== 4 || dims[1] !== 3) {
      throw new GGhostError('wrong-shape', `Expected a Float32Array with dims [n, 3, height, width], got dims [${dims}].`);
    }
    const output = await this.#net.forward(data, dims[0], dims[2], dims[3], taps);
    const logits = output.logits();
    if (this.#precision === 'f16' && !logits.every(Number.isFinite)) {
      throw new GGhostError('gpu', 'A number is too large for f16.', { cause: TOO_LARGE });
    }
    const result = {
      logits,
      probabilities: output.probabilities(),
      dims: Array.from(output.dims()),
      taps: Array.from({ length: output.tapCount() }, (_, i) => ({
        name: output.tapName(i),
        dims: Array.from(output.tapDims(i)),
        data: output.tap(i),
      })),
      backend: this.#backend,
      backendReason: this.#reason,
      timings: { ...timings, forward: output.milliseconds },
    };
    output.free();
    this.#rebuilt = false;
    const alone = dims[0] === 1;
    this.#image = {
      data: alone ? data : data.slice(0, data.length / dims[0]),
      dims: [1, ...dims.slice(1)],
      kept: alone && this.#backend === 'webgpu' ? new Map(result.taps.map(({ name, dims }) => [name, dims.slice(1)])) : undefined,
    };
    return result;
  }

  /** Pictures to the network's input, once, whichever engine then takes it. */
  async #prepare(sources) {
    const timings = { decode: 0, preprocess: 0 };
    let data;
    let side;
    for (const [i, source] of sources.entries()) {
      const start = performance.now();
      const pixels = this.decode && source instanceof Blob ? await this.decode(source) : await toPixels(source);
      const decoded = performance.now();
      const input = this.#net.preprocess(pixels.data, pixels.width, pixels.height);
      data ??= new Float32Array(sources.length * input.length);
      side ??= Math.sqrt(input.length / 3);
      data.set(input, i * input.length);
      timings.decode += decoded - start;
      timings.preprocess += performance.now() - decoded;
    }
    return { data, dims: [sources.length, 3, side, side], timings };
  }

  /** This engine against the logits in the model file, and the graphics card against the processor. */
  async selfTest() {
    try {
      const { compareWithGolden } = await import('./self-test.js');
      const verdicts = [];
      if (JSON.parse(this.#net.info()).golden) verdicts.push(await compareWithGolden(this.#net, this.#precision));
      if (this.#backend === 'webgpu') verdicts.push(await this.#compareWithWasm(this.#net));
      if (verdicts.length === 0) {
        throw new GGhostError('unsupported', 'The model file has no golden logits to hold WebAssembly against: train/export.py writes them.');
      }
      return { passed: verdicts.every(({ passed }) => passed), worstError: Math.max(...verdicts.map(({ worstError }) => worstError)) };
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #compareWithWasm(gpu) {
    const { compare } = await import('./self-test.js');
    return this.#besideWasm((wasm) => compare(gpu, wasm, this.#precision));
  }

  /** Something that needs the model on WASM, for as long as it takes. */
  async #besideWasm(work) {
    const wasm = await this.#create('wasm', 'f32');
    try {
      return await work(wasm);
    } finally {
      wasm.free();
    }
  }

  dispose() {
    if (this.#net && this.#generation === generation) this.#net.free();
    this.#net = undefined;
    this.#threads?.end?.();
  }

  /** @param {(part: number) => void} [onPart] told the part of the pipelines that are compiled, 0 to 1 */
  async #create(backend, precision, onPart) {
    const { variant, labels, weights, precision: asked, device } = this.#options;
    // f16 is for graphics cards.
    if (backend === 'wasm' && asked !== 'f16') precision ??= asked;
    const { threads } = this.#threads;
    const elsewhere = backend === 'webgpu' && (await Promise.all([import('./gpu.js'), this.#part('webgpu')]));
    const { Net } = this.#glue;
    const netOptions = { backend, variant, labels, weights, threads, precision };
    const net = new Net(await this.#bytesIn(this.#glue), JSON.stringify(netOptions));
    if (!elsewhere) return net;
    const [{ createOnGpu }, glue] = elsewhere;
    return createOnGpu(net, glue, { precision, onPart, device });
  }

  /** The model in the memory of a module. */
  async #bytesIn(glue) {
    const bytes = new glue.ModelBytes(this.#model.size ?? this.#model.length);
    for await (const piece of this.#model instanceof Blob ? piecesOf(this.#model) : [this.#model]) bytes.write(piece);
    return bytes;
  }

  #use(backend, net) {
    this.#backend = backend;
    this.#net = net;
  }

  /** @param {import('./gpu.js').GpuNet} gpu */
  #useGpu({ net, precision, precisionReason }) {
    this.#use('webgpu', net);
    this.#precision = precision;
    this.#precisionReason = precisionReason;
  }

  #useWasm(net, reason) {
    const asked = this.#options.precision;
    this.#use('wasm', net);
    this.#reason = reason;
    this.#precision = 'f32';
    this.#precisionReason = asked === 'f16' ? 'WebAssembly computes in f32.' : undefined;
  }

  /** WebGPU where it exists, is right and is faster; else WASM, and why. */
  async #choose(whyNoGpu, report) {
    const { backend, precision } = this.#options;
    const warmUp = () => report({ phase: 'warm-up', part: undefined });
    if (whyNoGpu) warmUp();
    if (backend === 'webgpu') {
      if (precision === 'int8') throw new GGhostError('unsupported', 'Only WebAssembly computes in int8: leave the backend or the precision out.');
      this.#useGpu(await this.#besideWasm((wasm) => this.#openOnGpu(wasm, precision, report)));
      warmUp();
      return;
    }
    const wasm = await this.#create('wasm');
    this.#useWasm(wasm, backend === 'auto' ? whyNoGpu : undefined);
    if (whyNoGpu) return;
    let gpu;
    try {
      // A graphics card computes in floats, and is held against floats.
      const { integers } = JSON.parse(wasm.info());
      gpu = integers ? await this.#besideWasm((floats) => this.#openOnGpu(floats, precision, report)) : await this.#openOnGpu(wasm, precision, report);
      warmUp();
      const { milliseconds } = await import('./gpu.js');
      const times = [await milliseconds(gpu.net, 4), await milliseconds(wasm, 4)];
      if (times[0] < times[1]) {
        wasm.free();
        this.#useGpu(gpu);
        return;
      }
      gpu.net.free();
      this.#reason = `WebGPU is slower here: ${times[0].toFixed(1)} ms against ${times[1].toFixed(1)} ms.`;
    } catch (error) {
      gpu?.net.free();
      if (!error?.code) throw error;
      this.#reason = `WebGPU cannot be used: ${error.message}`;
      warmUp();
    }
  }

  async #openOnGpu(wasm, precision, report = () => {}) {
    const { openOnGpu } = await import('./gpu.js');
    const create = (precision) => this.#create('webgpu', precision, (part) => report({ phase: 'compile', part }));
    const { backend, device } = this.#options;
    return openOnGpu(create, wasm, { precision, insisted: backend === 'webgpu', device });
  }

  /** After a fault: a new device; where that fails or has a fault before it has answered, WASM. */
  async #recover(fault) {
    this.#net?.free();
    this.#net = undefined;
    if (this.#image) this.#image.kept = undefined;
    const insisted = this.#options.backend === 'webgpu';
    if (!this.#rebuilt || insisted) {
      this.#rebuilt = true;
      const precision = fault?.cause === TOO_LARGE ? 'f32' : this.#precision;
      try {
        this.#useGpu(await this.#besideWasm((wasm) => this.#openOnGpu(wasm, precision)));
        if (fault?.cause === TOO_LARGE) this.#precisionReason = fault.message;
        return;
      } catch (error) {
        if (!error?.code || insisted) throw error;
        fault = error;
      }
    }
    // Whatever fails now is no fault of the graphics card.
    this.#backend = 'wasm';
    this.#useWasm(await this.#create('wasm'), `WebGPU failed: ${fault?.message ?? 'the graphics card was lost.'}`);
  }

  /** An error without a code came out of a trap: this realm gets a fresh instance, and every net of the old one is dead. */
  #failure(error) {
    const failure = asError(error);
    if (failure.code === 'crashed' && this.#generation === generation) {
      generation += 1;
      this.#glue.__wbg_reset_state?.();
      for (const part of Object.values(this.#parts)) part?.then((glue) => glue.__wbg_reset_state?.(), () => {});
    }
    return failure;
  }
}

/**
 * What a host answers: the same in a worker and in place.
 * @param {Parameters<typeof Engine.load>[1]} hooks
 */
export function engineMethods(hooks) {
  let engine;
  return {
    async load(options) {
      engine = await Engine.load(options, hooks);
      return { info: engine.info, kept: engine.kept };
    },
    run: (request) => engine.run(request),
    draw: (request) => engine.draw(request),
    weights: (request) => engine.weights(request),
    selfTest: () => engine.selfTest(),
    info: () => engine.info,
    close: () => engine?.dispose(),
  };
}

/** Whether a file begins as PyTorch's do: a zip archive, or a pickle, where a safetensors header's length has zeros. */
async function isPth(file) {
  const bytes = file instanceof Blob ? new Uint8Array(await file.slice(0, 8).arrayBuffer()) : file;
  return (bytes[0] === 0x50 && bytes[1] === 0x4b) || (bytes[0] === 0x80 && bytes.subarray(3, 8).some((byte) => byte !== 0));
}

/** Whether a safetensors file has convolutions that are computed in integers: only these have the range of an input. */
async function hasIntegers(file) {
  const blob = asBlob(file);
  const header = async (from, to) => new DataView(await blob.slice(from, to).arrayBuffer());
  const start = await header(0, 8);
  if (start.byteLength < 8) return false;
  return /\.input" *:/.test(new TextDecoder().decode(await header(8, 8 + Math.min(start.getUint32(0, true), MAX_HEADER))));
}

const asBlob = (file) => (file instanceof Blob ? file : new Blob([file]));

/** A file's bytes one piece after the other, so that it is never in memory whole. */
async function* piecesOf(blob) {
  for (const reader = blob.stream().getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Whether an address names a manifest of a model in several files. */
const isManifest = (url) => /\.json([?#]|$)/i.test(url);

/** A model's file: a Blob stays one. @returns {Promise<Uint8Array | Blob>} */
async function modelFile(model, options) {
  if (typeof model === 'string' && isManifest(model)) return (await import('./shards.js')).downloadShards(model, options);
  if (typeof model === 'string') return download(model, { what: 'The model', large: true, ...options });
  const size = model.size ?? model.byteLength;
  options.onBytes(size, size);
  return model instanceof Blob ? model : new Uint8Array(model.buffer ?? model, model.byteOffset ?? 0, size);
}

/** Why WebGPU is out of the question; undefined where it is worth a try. */
async function noGpu() {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) return 'This browser has no WebGPU.';
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return 'WebGPU found no graphics card.';
  return adapter.info?.isFallbackAdapter ? 'WebGPU would run in software here.' : undefined;
}

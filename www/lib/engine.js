/**
 * @file One net on the engine of its own realm (a worker, a page or Node): loads a flavour and a model, chooses
 * between WebGPU and WASM, and keeps going when a GPU goes away.
 */
import { asError, GGhostError, throwIfAborted } from './errors.js';
import { addUp, download } from './download.js';
import { chooseFlavour, loadGlue, parts, threadsHere } from './flavours.js';
import { toPixels } from './image.js';

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
 * @property {'f32' | 'f16' | 'int8'} [precision]
 * @property {number} [threads]
 * @property {boolean} [cache]
 * @property {{ module: WebAssembly.Module, flavour: string, model: Blob }} [kept] what an earlier engine of the same options had loaded
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
  #flavour;
  /** Of the CPU engine. @type {{ threads: number, reason?: string, end?: () => void }} */
  #threads;
  #alone;
  /** Whether the device was made anew and has not answered yet. */
  #rebuilt = false;

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
      const flavour = given ?? chooseFlavour(options.kept?.flavour ?? options.flavour, engine.#threads.threads > 1);
      engine.#flavour = flavour.name;
      // An inlined engine is one file and nothing else.
      engine.#alone = Boolean(flavour.bytes);
      let last = { phase: 'download', loaded: 0, total: undefined };
      const report = (event) => onProgress((last = event));
      const part = addUp(report);
      const [wasm, file] = await Promise.all([
        options.kept?.module ?? fetchWasm(flavour, options.wasmUrl, { signal, fetch, onBytes: part() }),
        modelFile(options.kept?.model ?? options.model, { signal, fetch, cache: options.cache, onBytes: part() }),
      ]);
      throwIfAborted(signal);

      report({ ...last, phase: 'compile' });
      const module = wasm instanceof WebAssembly.Module ? wasm : await compile(wasm);
      engine.#glue = await start(flavour, module, options.wasmUrl);
      engine.#generation = generation;
      if (flavour.threads && engine.#threads.threads > 1) await engine.#startThreads(module);
      engine.#model = (await isPth(file)) ? await engine.#safetensorsOf(file) : file;
      engine.#kept = { module, flavour: flavour.name, model: options.kept?.model ?? asBlob(engine.#model) };
      throwIfAborted(signal);

      report({ ...last, phase: 'warm-up' });
      await engine.#choose();
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

  /** The glue of a part that is fetched when it is first needed; a failure is tried again. */
  #part(name) {
    if (this.#alone) throw new GGhostError('unsupported', 'The inlined engine is WebAssembly on the processor and reads safetensors only: for more, import g-ghostnet itself.');
    this.#parts[name] ??= (async () => {
      const { wasmUrl } = this.#options;
      const bytes = await fetchWasm(parts[name], wasmUrl, { fetch: this.#fetch, onBytes() {} });
      return start(parts[name], await compile(bytes), wasmUrl);
    })().catch((error) => {
      this.#parts[name] = undefined;
      throw error;
    });
    return this.#parts[name];
  }

  async #safetensorsOf(pth) {
    const [{ safetensorsOf }, { PthReader }] = await Promise.all([import('./pth.js'), this.#part('pth')]);
    return safetensorsOf(asBlob(pth), PthReader);
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
    const info = JSON.parse(this.#net.info());
    if (this.#labels) info.labels = this.#labels;
    return { ...info, backendReason: this.#reason, threadsReason: this.#threads.reason, flavour: this.#flavour };
  }

  /**
   * @param {{ sources?: import('./image.js').Source[], tensor?: { data: Float32Array, dims: number[] }, taps?: string[] }} request
   */
  async run({ sources, tensor, taps = [] }) {
    let input = tensor && { ...tensor, timings: { decode: 0, preprocess: 0 } };
    let lost;
    for (;;) {
      try {
        if (this.#generation !== generation) throw new WebAssembly.RuntimeError('another net of this page crashed');
        if (lost || !this.#net) await this.#recover(lost);
        input ??= await this.#prepare(sources);
        return await this.#forward(input, taps);
      } catch (error) {
        const last = this.#rebuilt && this.#options.backend === 'webgpu';
        if (error?.code !== 'device-lost' || last) throw this.#failure(error);
        lost = error;
      }
    }
  }

  async #forward({ data, dims, timings }, taps) {
    if (!(data instanceof Float32Array) || dims?.length !== 4 || dims[1] !== 3) {
      throw new GGhostError('wrong-shape', `Expected a Float32Array with dims [n, 3, height, width], got dims [${dims}].`);
    }
    const output = await orTrap(this.#net.forward(data, dims[0], dims[2], dims[3], taps));
    const result = {
      logits: output.logits(),
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

  /** The graphics card against the processor, on this very model. */
  async selfTest() {
    try {
      if (this.#backend === 'wasm') {
        throw new GGhostError('unsupported', 'The self-test compares the graphics card with WebAssembly, which is what runs here already.');
      }
      return await this.#compareWithWasm(this.#net);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #compareWithWasm(gpu) {
    const wasm = await this.#create('wasm');
    try {
      return await compare(gpu, wasm);
    } finally {
      wasm.free();
    }
  }

  dispose() {
    if (this.#net && this.#generation === generation) this.#net.free();
    this.#net = undefined;
    this.#threads?.end?.();
  }

  async #create(backend) {
    const { variant, labels, precision } = this.#options;
    const { threads } = this.#threads;
    const glue = backend === 'webgpu' ? await this.#part('webgpu') : this.#glue;
    const model = new glue.ModelBytes(this.#model.size ?? this.#model.length);
    for await (const piece of this.#model instanceof Blob ? piecesOf(this.#model) : [this.#model]) model.write(piece);
    return glue.Net.create(model, JSON.stringify({ backend, variant, labels, threads, precision }));
  }

  #use(backend, net) {
    this.#backend = backend;
    this.#net = net;
  }

  /** WebGPU where it exists, is right and is faster; else WASM, and why. */
  async #choose() {
    const { backend } = this.#options;
    if (backend === 'webgpu') {
      this.#use('webgpu', await this.#create('webgpu'));
      refuseWrong(await this.#compareWithWasm(this.#net));
      return;
    }
    this.#use('wasm', await this.#create('wasm'));
    if (backend === 'auto') this.#reason = await noGpu();
    if (backend === 'wasm' || this.#reason) {
      await milliseconds(this.#net, 1);
      return;
    }
    let gpu;
    try {
      const wasm = await milliseconds(this.#net, 4);
      gpu = await this.#create('webgpu');
      refuseWrong(await compare(gpu, this.#net));
      const webgpu = await milliseconds(gpu, 4);
      if (webgpu < wasm) {
        this.#net.free();
        this.#use('webgpu', gpu);
        return;
      }
      this.#reason = `WebGPU is slower here: ${webgpu.toFixed(1)} ms against ${wasm.toFixed(1)} ms.`;
    } catch (error) {
      if (!error?.code) throw error;
      this.#reason = `WebGPU cannot be used: ${error.message}`;
    }
    gpu?.free();
  }

  /** After a lost device: a new one; where that fails or is lost before it has answered, WASM. */
  async #recover(lost) {
    this.#net?.free();
    this.#net = undefined;
    const insisted = this.#options.backend === 'webgpu';
    if (!this.#rebuilt || insisted) {
      this.#rebuilt = true;
      try {
        const gpu = await this.#create('webgpu');
        refuseWrong(await this.#compareWithWasm(gpu));
        this.#use('webgpu', gpu);
        return;
      } catch (error) {
        if (!error?.code || insisted) throw error;
        lost = error;
      }
    }
    this.#use('wasm', await this.#create('wasm'));
    this.#reason = `The graphics card was lost${lost ? `: ${lost.message}` : '.'}`;
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
    selfTest: () => engine.selfTest(),
    info: () => engine.info,
    close: () => engine?.dispose(),
  };
}

async function fetchWasm(flavour, folder, options) {
  if (flavour.bytes) {
    const bytes = flavour.bytes();
    options.onBytes(bytes.length, bytes.length);
    return bytes;
  }
  const url = folder ? new URL(`${flavour.name}/g_ghostnet_bg.wasm`, folder) : flavour.url();
  const hint = 'The option wasmUrl names the folder of the engine.';
  return download(url, { what: 'The engine (WebAssembly)', hint, ...options });
}

/** Loads a module's script and makes an instance. */
async function start(part, module, folder) {
  const glue = await loadGlue(part, folder);
  await glue.default({ module_or_path: module });
  return glue;
}

/** Whether a file begins as PyTorch's do: a zip archive, or a pickle, where a safetensors header's length has zeros. */
async function isPth(file) {
  const bytes = file instanceof Blob ? new Uint8Array(await file.slice(0, 8).arrayBuffer()) : file;
  return (bytes[0] === 0x50 && bytes[1] === 0x4b) || (bytes[0] === 0x80 && bytes.subarray(3, 8).some((byte) => byte !== 0));
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

async function compile(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const text = /content security policy|unsafe-eval/i.test(error.message)
      ? "The page’s content security policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src."
      : `The engine could not be compiled (${error.message}): its file may be damaged.`;
    throw new GGhostError('unsupported', text, { cause: error });
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

/** A trap in a task of its own never answers the call that waits for it, but the realm is told. */
function orTrap(promise) {
  if (typeof addEventListener !== 'function') return promise;
  return new Promise((resolve, reject) => {
    const trap = (event) => {
      if (!(event.error instanceof WebAssembly.RuntimeError)) return;
      event.preventDefault();
      reject(event.error);
    };
    addEventListener('error', trap);
    promise.then(resolve, reject).finally(() => removeEventListener('error', trap));
  });
}

/** Why WebGPU is out of the question; undefined where it is worth a try. */
async function noGpu() {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) return 'This browser has no WebGPU.';
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return 'WebGPU found no graphics card.';
  return adapter.info?.isFallbackAdapter ? 'WebGPU would run in software here.' : undefined;
}

/** Largest difference between two engines that rounding explains, of a map's largest value: either may be off by half of it. */
const TOLERANCE = 2e-4;

/**
 * Runs the same noise through two nets of one model and compares the end of every stage and the logits.
 * @returns {Promise<{ passed: boolean, worstError: number }>} the error is a part of the largest value
 */
async function compare(gpu, wasm) {
  const { input, stages } = JSON.parse(wasm.info());
  const data = noise(3 * input.side ** 2);
  const taps = [...stages.map(({ blocks }) => blocks.at(-1)), 'logits'];
  const outputs = [];
  for (const net of [gpu, wasm]) {
    const output = await net.forward(data, 1, input.side, input.side, taps);
    outputs.push(taps.map((_, i) => output.tap(i)));
    output.free();
  }
  let worstError = 0;
  outputs[1].forEach((expected, i) => {
    const found = outputs[0][i];
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
    expected.forEach((value, k) => {
      const error = Math.abs(found[k] - value) / largest;
      worstError = Math.max(worstError, Number.isNaN(error) ? Infinity : error);
    });
  });
  return { passed: worstError <= TOLERANCE, worstError };
}

function refuseWrong({ passed, worstError }) {
  if (!passed) throw new GGhostError('gpu', `the graphics card computes wrongly: off by ${worstError.toPrecision(2)} of the largest value`);
}

/** Numbers in -2 to 2, the same every time. */
function noise(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 30 - 2;
  });
}

/** Time of one picture: the middle one of all runs but the first, which warms up. */
async function milliseconds(net, runs) {
  const { side } = JSON.parse(net.info()).input;
  const data = new Float32Array(3 * side * side);
  const times = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    (await net.forward(data, 1, side, side, [])).free();
    times.push(performance.now() - start);
  }
  return times.slice(1).sort((a, b) => a - b)[(runs - 1) >> 1];
}

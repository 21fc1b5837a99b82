/**
 * @file One net on the engine of its own realm (a worker, a page or Node): runs pictures, draws maps, and keeps going
 * when a graphics card goes away. What is loaded is in loading.js, who computes in choice.js.
 */
import { besideWasm, choose, onGpu, onWasm, whyNoGpu } from './choice.js';
import { asError, caught, GGhostError, throwIfAborted } from './errors.js';
import { toPixels } from './image.js';
import { lazy } from './lazy.js';
import { Loaded } from './loading.js';

/** What a graphics card may answer at any time; all else is for the caller. */
const faults = ['device-lost', 'gpu', 'out-of-memory'];
const TOO_LARGE = 'too large for f16';

/** @param {unknown} [cause] */
const disposed = (cause) => new GGhostError('disposed', 'The net was disposed of: load a new one.', { cause });

/** Instances that crashed in this realm: nets of an earlier one are dead. */
let generation = 0;

/**
 * @typedef {{ data: Float32Array, dims: number[], timings: { decode: number, preprocess: number } }} Tensor a
 * network's input
 *
 * @typedef {import('./choice.js').Choice} Choice
 * @typedef {{ code?: string, message?: string, cause?: unknown }} Fault of the graphics card
 *
 * @typedef {{ source?: import('./image.js').Source, side?: number, taps?: string[], tensor?: { data: Float32Array, dims: number[],
 *   timings?: Tensor['timings'] } }} Run a picture whose pixels are there already, or an input
 *
 * @typedef {{ tap: string } & import('./draw.d.ts').DrawOptions} Draw
 *
 * @typedef {Awaited<ReturnType<Engine['run']>>} Result of all pictures of a run
 *
 * @typedef {{ data: Float32Array, dims: number[], kept?: Map<string, number[]> }} Ran what was run, one picture of it,
 *   and the taps that are on the device
 */

export class Engine {
  #generation = generation;
  #loaded;
  #decode;
  /**
   * Who computes, from `load` to `dispose`; without a net after a fault, until it is restored.
   * @type {(Omit<Choice, 'net'> & { net?: Choice['net'] }) | undefined}
   */
  #choice;
  /** Where the model does not name its classes but they are known. @type {string[] | undefined} */
  #labels;
  /** Under way after a fault. @type {Promise<void> | undefined} */
  #restoring;
  #disposed = false;
  /** Whether the device was made anew and has not answered yet. */
  #rebuilt = false;
  /** The first input of the last run, to draw its maps. @type {Ran | undefined} */
  #image;

  /** @param {Loaded} loaded @param {import('./loading.js').Hooks['decode']} decode */
  constructor(loaded, decode) {
    this.#loaded = loaded;
    this.#decode = decode;
  }

  /**
   * @param {import('./loading.js').EngineOptions} options
   * @param {import('./loading.js').Hooks} [hooks]
   */
  static async load(options, hooks = {}) {
    const { signal, onProgress = () => {}, decode } = hooks;
    const engine = new Engine(new Loaded(options, hooks), decode);
    try {
      /** @type {import('./index.d.ts').Progress} */
      let last = { phase: 'download', loaded: 0, total: undefined };
      /** @type {import('./loading.js').Report} */
      const report = (event) => onProgress((last = { ...last, part: undefined, ...event }));
      const whyNot = whyNoGpu(options);
      // It fails before anything is fetched where what was asked for cannot be.
      if (options.backend === 'webgpu') await whyNot;
      await engine.#loaded.load(
        hooks,
        whyNot.then((reason) => !reason && options.backend !== 'wasm'),
        report,
      );
      engine.#generation = generation;
      engine.#choice = await choose(engine.#loaded, await whyNot, report);
      engine.#labels = await engine.#loaded.labelsFor(engine.#running.net.info);
      throwIfAborted(signal);
      return engine;
    } catch (error) {
      const failure = engine.#failure(error);
      engine.dispose();
      throw failure;
    }
  }

  /** The weights of a convolution as the network uses them. @param {{ step: string }} request */
  async weights({ step }) {
    try {
      return await this.#loaded.weights(step);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** What a fresh engine needs to take over without downloads. */
  get kept() {
    return this.#loaded.kept;
  }

  /** Who computes. What still runs after `dispose` fails by its lack, which `#failure` says in words. */
  get #running() {
    return /** @type {Choice} */ (this.#choice);
  }

  get info() {
    const { net, precision, backendReason, precisionReason } = this.#running;
    const { golden, integers, ...info } = net.info;
    if (this.#labels) info.labels = this.#labels;
    const reasons = { backendReason, threadsReason: this.#loaded.threads.reason, precisionReason };
    return {
      adapter: null,
      ...info,
      ...this.#loaded.origin,
      ...reasons,
      precision: integers ? 'int8' : precision,
      flavour: this.#loaded.flavour,
    };
  }

  /**
   * A picture's file to the network's input, while the engine computes something else.
   * @param {{ file: Blob, side?: number }} picture `side`: of the input, where it is not the model's own
   * @returns {Promise<Tensor>}
   */
  async read({ file, side }) {
    try {
      const start = performance.now();
      const pixels = this.#decode ? await this.#decode(file) : await toPixels(file);
      return await this.#prepared(pixels, { start, side });
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /**
   * Pixels to the network's input, whichever engine then takes it.
   * @param {import('./image.js').Pixels} pixels
   * @param {{ start: number, side?: number }} options `start`: when their decoding began
   * @returns {Promise<Tensor>}
   */
  async #prepared(pixels, { start, side }) {
    const decoded = performance.now();
    this.#check();
    if (!this.#running.net) await this.#restore();
    const data = this.#running.net.preprocess(pixels.data, pixels.width, pixels.height, side);
    const extent = Math.sqrt(data.length / 3);
    return {
      data,
      dims: [1, 3, extent, extent],
      timings: { decode: decoded - start, preprocess: performance.now() - decoded },
    };
  }

  /** @param {Run} request */
  async run({ source, side, tensor, taps = [] }) {
    let input = tensor && { timings: { decode: 0, preprocess: 0 }, ...tensor };
    return this.#survive(async () => {
      const start = performance.now();
      input ??= await this.#prepared(await toPixels(/** @type {import('./image.js').Source} */ (source)), {
        start,
        side,
      });
      return this.#forward(input, taps);
    });
  }

  /**
   * Maps of the first picture of the last run: drawn where they lie on WebGPU, read back on WASM.
   * @param {Draw} request
   * @returns {Promise<{ bitmap?: ImageBitmap, maps?: { data: Float32Array, dims: number[] }, backend: string,
   *   backendReason?: string }>}
   */
  async draw({ tap, ...options }) {
    if (!this.#image) throw new GGhostError('unsupported', 'There is nothing to draw yet: classify a picture first.');
    return this.#survive(async () => {
      const image = /** @type {Ran} */ (this.#image);
      const { net, backend, backendReason } = this.#running;
      if (backend === 'webgpu') {
        const { drawFromDevice } = await lazy.gpu();
        const drawer = /** @type {typeof net & import('./gpu.js').Drawer} */ (net);
        const bitmap = await drawFromDevice(drawer, image, tap, options);
        this.#rebuilt = false;
        return { bitmap, backend, backendReason };
      }
      const output = await net.forward(image.data, 1, image.dims[2], image.dims[3], [tap]);
      const maps = { data: output.tap(0), dims: Array.from(output.tapDims(0)).slice(1) };
      output.free();
      return { maps, backend, backendReason };
    });
  }

  /**
   * Does the work; after a fault of the graphics card again on a device made anew, then on WASM.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #survive(work) {
    /** @type {Fault | undefined} */
    let fault;
    for (;;) {
      try {
        this.#check();
        if (fault || !this.#running.net) await this.#restore(fault);
        return await work();
      } catch (error) {
        const last = this.#rebuilt && this.#loaded.options.backend === 'webgpu';
        const { code = '' } = caught(error);
        if (this.#choice?.backend !== 'webgpu' || !faults.includes(code) || last) throw this.#failure(error);
        fault = caught(error);
      }
    }
  }

  #check() {
    if (this.#disposed) throw disposed();
    if (this.#generation !== generation) throw new WebAssembly.RuntimeError('another net of this page crashed');
  }

  /** @param {Tensor} input @param {string[]} taps */
  async #forward({ data, dims, timings }, taps) {
    if (!(data instanceof Float32Array) || dims?.length !== 4 || dims[1] !== 3) {
      throw new GGhostError(
        'wrong-shape',
        `Expected a Float32Array with dims [n, 3, height, width], got dims [${dims?.slice(0, 8)}].`,
      );
    }
    const { net, backend, backendReason, precision } = this.#running;
    const output = await net.forward(data, dims[0], dims[2], dims[3], taps);
    const logits = output.logits();
    if (precision === 'f16' && !logits.every(Number.isFinite)) {
      throw new GGhostError('gpu', 'A number is too large for f16.', { cause: TOO_LARGE });
    }
    const result = {
      logits,
      ...confidenceOf(logits, output.dims()[1], net.info),
      dims: Array.from(output.dims()),
      taps: Array.from({ length: output.tapCount() }, (_, i) => ({
        name: output.tapName(i),
        dims: Array.from(output.tapDims(i)),
        data: output.tap(i),
      })),
      backend,
      backendReason,
      timings: { ...timings, forward: output.milliseconds },
    };
    output.free();
    this.#rebuilt = false;
    const alone = dims[0] === 1;
    this.#image = {
      data: alone ? data : data.slice(0, data.length / dims[0]),
      dims: [1, ...dims.slice(1)],
      kept:
        alone && backend === 'webgpu' ? new Map(result.taps.map(({ name, dims }) => [name, dims.slice(1)])) : undefined,
    };
    return result;
  }

  /** This engine against the logits in the model file, and the graphics card against the processor. */
  async selfTest() {
    try {
      const { compare, compareWithGolden } = await lazy.more();
      this.#check();
      if (!this.#running.net) await this.#restore();
      const { net, backend, precision } = this.#running;
      const verdicts = [];
      if (net.info.golden) verdicts.push(await compareWithGolden(net, net.info.integers ? 'int8' : precision));
      if (backend === 'webgpu') verdicts.push(await besideWasm(this.#loaded, (wasm) => compare(net, wasm, precision)));
      if (verdicts.length === 0) {
        throw new GGhostError(
          'unsupported',
          'The model file has no golden logits to hold WebAssembly against: train/export.py writes them.',
        );
      }
      return {
        passed: verdicts.every(({ passed }) => passed),
        worstError: Math.max(...verdicts.map(({ worstError }) => worstError)),
      };
    } catch (error) {
      throw this.#failure(error);
    }
  }

  dispose() {
    if (this.#generation === generation) this.#choice?.net?.free();
    this.#disposed = true;
    this.#choice = undefined;
    this.#loaded?.end();
  }

  /** A net anew, once for all who wait for it. @param {Fault} [fault] */
  #restore(fault) {
    this.#restoring ??= this.#recover(fault).finally(() => (this.#restoring = undefined));
    return this.#restoring;
  }

  /**
   * After a fault: a new device; where that fails or has a fault before it has answered, WASM.
   * @param {Fault} [fault]
   */
  async #recover(fault) {
    const { net, precision: before } = this.#running;
    this.#choice = { ...this.#running, net: undefined };
    net?.free();
    if (this.#image) this.#image.kept = undefined;
    const insisted = this.#loaded.options.backend === 'webgpu';
    if (!this.#rebuilt || insisted) {
      this.#rebuilt = true;
      const precision = fault?.cause === TOO_LARGE ? 'f32' : before;
      try {
        this.#choice = await onGpu(this.#loaded, precision);
        if (fault?.cause === TOO_LARGE) this.#choice.precisionReason = fault.message;
        return;
      } catch (error) {
        fault = caught(error);
        if (!fault.code || insisted) throw error;
      }
    }
    // Whatever fails now is no fault of the graphics card.
    this.#running.backend = 'wasm';
    this.#choice = await onWasm(this.#loaded, `WebGPU failed: ${fault?.message ?? 'the graphics card was lost.'}`);
  }

  /**
   * An error without a code came out of a trap: this realm gets a fresh instance, and every net of the old one is
   * dead.
   * @param {unknown} error
   */
  #failure(error) {
    // What was under way found its memory freed.
    if (this.#disposed && !(error instanceof GGhostError)) return disposed(error);
    const failure = asError(error);
    if (failure.code === 'crashed' && this.#generation === generation) {
      generation += 1;
      this.#loaded.reset();
    }
    return failure;
  }
}

/**
 * From logits to what a caller may believe: calibrated probabilities, and whether a picture shows anything that the
 * model knows. `src/confidence.rs` is the same in Rust.
 * @param {Float32Array} logits `[n, classes]`
 * @param {number} classes
 * @param {Pick<import('./index.d.ts').Info, 'temperature' | 'known'>} info of the model
 * @returns {{ probabilities: Float32Array, known?: Float32Array }} `[n, classes]`, and for each picture how likely it
 *   shows one of the classes, where the model can tell
 */
export function confidenceOf(logits, classes, { temperature, known }) {
  const probabilities = new Float32Array(logits.length);
  const likely = known && new Float32Array(logits.length / classes);
  for (let first = 0; first < logits.length; first += classes) {
    const scaled = Array.from(logits.subarray(first, first + classes), (logit) => logit / temperature);
    const largest = scaled.reduce((most, logit) => Math.max(most, logit));
    const powers = scaled.map((logit) => Math.exp(logit - largest));
    const sum = powers.reduce((all, power) => all + power, 0);
    powers.forEach((power, i) => (probabilities[first + i] = power / sum));
    if (!likely) continue;
    const { score, location, scale } = known;
    const value = { energy: largest + Math.log(sum), maxLogit: largest, maxProbability: 1 / sum }[score];
    likely[first / classes] = 1 / (1 + Math.exp((location - value) / scale));
  }
  return { probabilities, known: likely };
}

/**
 * What a host answers: the same in a worker and in place.
 * @param {import('./loading.js').Hooks} hooks
 */
export function engineMethods(hooks) {
  /** @type {Engine} */
  let engine;
  return {
    /** @param {import('./loading.js').EngineOptions} options */
    async load(options) {
      engine = await Engine.load(options, hooks);
      return { info: engine.info, kept: engine.kept };
    },
    read: (/** @type {{ file: Blob, side?: number }} */ picture) => engine.read(picture),
    run: (/** @type {Run} */ request) => engine.run(request),
    draw: (/** @type {Draw} */ request) => engine.draw(request),
    weights: (/** @type {{ step: string }} */ request) => engine.weights(request),
    selfTest: () => engine.selfTest(),
    info: () => engine.info,
    close: () => engine?.dispose(),
  };
}

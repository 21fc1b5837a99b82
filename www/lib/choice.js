/**
 * @file Who computes: WebGPU where it exists, is right and is faster, else WebAssembly, and why.
 */
import { caught, GGhostError } from './errors.js';
import { lazy } from './lazy.js';

/**
 * @typedef {object} Runner a model on an engine
 * @property {Omit<import('./index.d.ts').Info, Ours> & Theirs} info what is loaded, as the module tells it
 * @property {(data: Uint8Array, width: number, height: number, side?: number) => Float32Array} preprocess
 * @property {(data: Float32Array, n: number, height: number, width: number, taps: string[]) => Output |
 *   Promise<Output>} forward
 * @property {() => void} free
 *
 * @typedef {'backendReason' | 'precision' | 'precisionReason' | 'adapter' | 'threadsReason' | 'worker' | 'flavour'
 *   } Ours what this library adds
 *
 * @typedef {{ adapter?: string, golden?: number[], integers?: boolean }} Theirs the card's name, logits that the model
 *   file has, and whether it computes in integers
 *
 * @typedef {object} Output what a network answers; its memory is the module's until it is freed
 * @property {() => Float32Array} logits
 * @property {() => Uint32Array} dims of the logits
 * @property {() => number} tapCount
 * @property {(i: number) => string} tapName
 * @property {(i: number) => Uint32Array} tapDims
 * @property {(i: number) => Float32Array} tap
 * @property {number} milliseconds
 * @property {() => void} free
 *
 * @typedef {object} Choice
 * @property {'webgpu' | 'wasm'} backend
 * @property {Runner} net
 * @property {'f32' | 'f16'} precision of feature maps on WebGPU
 * @property {string} [backendReason] why it is not the first choice
 * @property {string} [precisionReason] why it is not what was asked for
 *
 * @typedef {import('./loading.js').Loaded} Loaded
 * @typedef {import('./loading.js').EngineOptions} EngineOptions
 * @typedef {import('./loading.js').Report} Report
 */

const NO_CARD = 'WebGPU found no graphics card.';

/** A model on the engine of this module. @implements {Runner} */
class CpuNet {
  /** @type {any} a class of the module, which wasm-bindgen makes */
  #net;

  /** @param {any} net as above */
  constructor(net) {
    this.#net = net;
    /** @type {Runner['info']} */
    this.info = JSON.parse(net.info());
  }

  /** @type {Runner['preprocess']} */
  preprocess(...picture) {
    return this.#net.preprocess(...picture);
  }

  /** @type {Runner['forward']} */
  forward(...given) {
    return this.#net.forward(...given);
  }

  free() {
    this.#net.free();
  }
}

/**
 * Why WebGPU is not tried; undefined where it is worth a try.
 * @param {EngineOptions} options
 * @throws {GGhostError} `unsupported` where it was asked for and cannot be
 */
export async function whyNoGpu({ backend, precision, device }) {
  if (backend === 'wasm') return 'WebAssembly was asked for.';
  if (precision === 'int8') {
    if (backend === 'auto') return 'Only WebAssembly computes in int8.';
    throw new GGhostError('unsupported', 'Only WebAssembly computes in int8: leave the backend or the precision out.');
  }
  const insisted = backend === 'webgpu';
  // Before any module is started: its search for a card ends in a trap where there is nothing to ask.
  const missing = noGpuHere();
  if (missing && insisted) throw new GGhostError('unsupported', missing);
  if (missing || device) return missing;
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter && insisted) throw new GGhostError('unsupported', NO_CARD);
  if (insisted) return undefined;
  if (!adapter) return NO_CARD;
  return adapter.info?.isFallbackAdapter ? 'WebGPU would run in software here.' : undefined;
}

function noGpuHere() {
  if (globalThis.navigator?.gpu) return undefined;
  if (globalThis.isSecureContext === false) return 'WebGPU needs a secure page: open it by https, or on localhost.';
  return globalThis.location ? 'This browser has no WebGPU.' : 'There is no WebGPU here.';
}

/**
 * A model on an engine.
 * @param {Loaded} loaded
 * @param {'webgpu' | 'wasm'} backend
 * @param {'f32' | 'f16' | 'int8'} [precision]
 * @param {(part: number) => void} [onPart] told the part of the pipelines that are compiled, 0 to 1
 * @returns {Promise<Runner>}
 */
async function createNet(loaded, backend, precision, onPart) {
  const { labels, precision: asked, device } = loaded.options;
  // f16 is for graphics cards.
  if (backend === 'wasm' && asked !== 'f16') precision ??= asked;
  const { threads } = loaded.threads;
  const elsewhere = backend === 'webgpu' && (await Promise.all([lazy.gpu(), loaded.part('webgpu')]));
  const { Net } = loaded.glue;
  const net = new Net(await loaded.bytesIn(loaded.glue), backend === 'webgpu', labels, threads, precision);
  if (!elsewhere) return new CpuNet(net);
  const [{ createOnGpu }, glue] = elsewhere;
  return createOnGpu(net, glue, { precision, onPart, device });
}

/**
 * Something that needs the model on WebAssembly in floats, for as long as it takes.
 * @template T
 * @param {Loaded} loaded
 * @param {(wasm: Runner) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function besideWasm(loaded, work) {
  const wasm = await createNet(loaded, 'wasm', 'f32');
  try {
    return await work(wasm);
  } finally {
    wasm.free();
  }
}

/**
 * @param {Loaded} loaded
 * @param {Runner} wasm
 * @param {EngineOptions['precision']} precision
 * @param {Report} [report]
 * @returns {Promise<Choice>}
 */
async function openOnGpu(loaded, wasm, precision, report = () => {}) {
  const { openOnGpu } = await lazy.gpu();
  const create = (/** @type {'f32' | 'f16'} */ precision) =>
    createNet(loaded, 'webgpu', precision, (part) => report({ phase: 'compile', part }));
  const { backend, device } = loaded.options;
  return {
    backend: 'webgpu',
    ...(await openOnGpu(create, wasm, { precision, insisted: backend === 'webgpu', device })),
  };
}

/**
 * The graphics card, if its results agree with WebAssembly's.
 * @param {Loaded} loaded
 * @param {EngineOptions['precision']} [precision]
 * @param {Report} [report]
 * @returns {Promise<Choice>}
 */
export const onGpu = (loaded, precision, report) =>
  besideWasm(loaded, (wasm) => openOnGpu(loaded, wasm, precision, report));

/**
 * @param {Loaded} loaded
 * @param {string} [reason] why it is not WebGPU
 * @returns {Promise<Choice>}
 */
export const onWasm = async (loaded, reason) => wasmChoice(loaded, await createNet(loaded, 'wasm'), reason);

/**
 * @param {Loaded} loaded
 * @param {Runner} net
 * @param {string} [backendReason]
 * @returns {Choice}
 */
function wasmChoice({ options }, net, backendReason) {
  const precisionReason = options.precision === 'f16' ? 'WebAssembly computes in f32.' : undefined;
  return { backend: 'wasm', net, precision: 'f32', backendReason, precisionReason };
}

/**
 * @param {Loaded} loaded
 * @param {string | undefined} whyNot why WebGPU is not tried
 * @param {Report} report
 * @returns {Promise<Choice>}
 */
export async function choose(loaded, whyNot, report) {
  const { backend, precision } = loaded.options;
  const warmUp = () => report({ phase: 'warm-up', part: undefined });
  if (whyNot) warmUp();
  if (backend === 'webgpu') {
    const choice = await onGpu(loaded, precision, report);
    warmUp();
    return choice;
  }
  const wasm = await createNet(loaded, 'wasm');
  if (whyNot) return wasmChoice(loaded, wasm, backend === 'auto' ? whyNot : undefined);
  let gpu;
  try {
    // A graphics card computes in floats, so it is compared with floats.
    gpu = wasm.info.integers
      ? await onGpu(loaded, precision, report)
      : await openOnGpu(loaded, wasm, precision, report);
    warmUp();
    const { milliseconds } = await lazy.gpu();
    const times = [await milliseconds(gpu.net, 4), await milliseconds(wasm, 4)];
    if (times[0] < times[1]) {
      wasm.free();
      return gpu;
    }
    gpu.net.free();
    return wasmChoice(
      loaded,
      wasm,
      `WebGPU is slower here: ${times[0].toFixed(1)} ms against ${times[1].toFixed(1)} ms.`,
    );
  } catch (error) {
    gpu?.net.free();
    if (!caught(error).code) throw error;
    warmUp();
    return wasmChoice(loaded, wasm, `WebGPU cannot be used: ${caught(error).message}`);
  }
}

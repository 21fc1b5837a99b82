/**
 * @file The graphics card: whether it computes rightly, which numbers it takes, and pictures from its memory. Fetched
 * where there is one.
 */
import { caught, GGhostError } from './errors.js';
import { gridOf, paletteOf } from './paint.js';
import { compare } from './self-test.js';

/** Most taps that stay on the device beside the one that is drawn: each holds memory. */
const MOST_KEPT = 7;

/**
 * @typedef {import('./choice.js').Runner} Runner
 * @typedef {import('./choice.js').Output} Output
 *
 * @typedef {{ net: Runner, precision: 'f32' | 'f16', precisionReason?: string }} Opened
 *
 * @typedef {(precision: 'f32' | 'f16') => Promise<Runner>} Create
 *
 * @typedef {object} Drawer what a model on the graphics card can do beside running
 * @property {(data: Float32Array, height: number, width: number, taps: string[]) => Promise<Output>} keep
 * @property {(tap: string, channels: Uint32Array, columns: number, cell: number, gap: number, common: boolean,
 *   colours: Uint8Array) => Promise<ImageBitmap>} drawTap
 */

/**
 * The model on the graphics card, compared with WebAssembly: in f16 if the card supports it, the results agree and it is
 * faster, in f32 otherwise. A fault is given a second chance.
 * @param {Create} create
 * @param {Runner} wasm the same model there
 * @param {{ precision?: 'f32' | 'f16' | 'int8', insisted?: boolean, device?: GPUDevice }} options f16 that was asked
 *   for is used even if it is slower; if the caller insists on WebGPU, a fault of f16 is an error; the caller's device
 * @returns {Promise<Opened>}
 */
export async function openOnGpu(create, wasm, { precision, insisted, device }) {
  if (precision === 'f16') {
    try {
      return await attempt(create, wasm, 'f16');
    } catch (error) {
      if (!caught(error).code || insisted) throw error;
      const precisionReason = `f16 cannot be used: ${caught(error).message}`;
      return { ...(await attempt(create, wasm, 'f32')), precisionReason };
    }
  }
  const f32 = await attempt(create, wasm, 'f32');
  if (precision || !(await hasF16(device))) return f32;
  try {
    const f16 = await attempt(create, wasm, 'f16');
    const [better, worse] =
      (await milliseconds(f16.net, 4)) < (await milliseconds(f32.net, 4)) ? [f16, f32] : [f32, f16];
    worse.net.free();
    return better;
  } catch (error) {
    if (!caught(error).code) throw error;
    return f32;
  }
}

/**
 * @param {Create} create
 * @param {Runner} wasm
 * @param {'f32' | 'f16'} precision
 * @returns {Promise<Opened>}
 */
async function attempt(create, wasm, precision) {
  for (let last = false; ; last = true) {
    let net;
    let verdict;
    try {
      net = await create(precision);
      verdict = await compare(net, wasm, precision);
      if (verdict.passed) return { net, precision };
    } catch (error) {
      net?.free();
      if (last || !caught(error).code) throw error;
      continue;
    }
    net.free();
    throw new GGhostError(
      'gpu',
      `The graphics card computes wrongly in ${precision}: ` +
        `off by ${verdict.worstError.toPrecision(2)} of the largest value.`,
    );
  }
}

/** Whether a card, not one in software, has f16. @param {GPUDevice} [device] */
async function hasF16(device) {
  const adapter = device
    ? adapterOf(device)
    : await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  return Boolean(adapter?.features.has('shader-f16') && !adapter.info?.isFallbackAdapter);
}

/** @param {GPUDevice} device */
const adapterOf = (device) => ({
  features: device.features,
  limits: device.limits,
  info: device.adapterInfo ?? { description: '', isFallbackAdapter: false, subgroupMinSize: 4, subgroupMaxSize: 128 },
  requestDevice: async () => device,
});

/**
 * The caller's device as the engine takes it: wgpu asks `navigator.gpu` and nobody else, so for the one moment in
 * which it does, that is an object whose only adapter gives this device.
 * @param {GPUDevice} device
 * @param {{ Devices: new () => object }} glue
 */
function devicesOf(device, { Devices }) {
  const { gpu } = navigator;
  const gpuOfOne = {
    requestAdapter: async () => adapterOf(device),
    getPreferredCanvasFormat: () => gpu.getPreferredCanvasFormat(),
  };
  Object.defineProperty(navigator, 'gpu', { value: gpuOfOne, configurable: true });
  try {
    return new Devices();
  } finally {
    delete (/** @type {{ gpu?: GPU }} */ (navigator).gpu);
  }
}

/**
 * A model on the graphics card: the CPU engine's module reads the model, hands over network and weights, and prepares
 * pictures.
 * @implements {Runner}
 * @implements {Drawer}
 */
class GpuNet {
  /** @type {any} as `model` and `net` of wasm-bindgen's making, whose types are known once they are built */
  #model;
  /** @type {any} */
  #net;

  /** @param {any} model as above @param {any} net */
  constructor(model, net) {
    this.#model = model;
    this.#net = net;
    /** @type {Runner['info']} */
    this.info = { ...JSON.parse(model.info()), adapter: net.adapter(), memoryBytes: net.memoryBytes() };
  }

  /** @type {Runner['preprocess']} */
  preprocess(...picture) {
    return this.#model.preprocess(...picture);
  }

  /** @type {Runner['forward']} */
  forward(...given) {
    return orTrap(this.#net.forward(...given));
  }

  /** @type {Drawer['keep']} */
  keep(...given) {
    return orTrap(this.#net.keep(...given));
  }

  /** @type {Drawer['drawTap']} */
  drawTap(...given) {
    return orTrap(this.#net.drawTap(...given));
  }

  free() {
    this.#net.free();
    this.#model.free();
  }
}

/**
 * Brings a model to the graphics card.
 * @param {any} model a net of the CPU engine's module that is to run elsewhere; it is freed with the result, or here
 * @param {any} glue of the WebGPU engine, which wasm-bindgen makes as the model's class
 * @param {{ precision?: 'f32' | 'f16' | 'int8', onPart?: (part: number) => void, device?: GPUDevice }} options `onPart`
 *   is told the part of the pipelines that are compiled, 0 to 1
 * @returns {Promise<GpuNet>}
 */
export async function createOnGpu(model, glue, { precision, onPart, device }) {
  try {
    const weights = (/** @type {string} */ step) => model.weights(step);
    const devices = device && devicesOf(device, glue);
    const net = await orTrap(glue.GpuNet.create(model.outline(), weights, precision === 'f16', onPart, devices));
    model.forget();
    return new GpuNet(model, net);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) model.free();
    throw error;
  }
}

/**
 * A trap in a task of its own never answers the call that waits for it, but the realm is told.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function orTrap(promise) {
  if (typeof addEventListener !== 'function') return promise;
  return new Promise((resolve, reject) => {
    const trap = (/** @type {ErrorEvent} */ event) => {
      if (!(event.error instanceof WebAssembly.RuntimeError)) return;
      event.preventDefault();
      reject(event.error);
    };
    addEventListener('error', trap);
    promise.then(resolve, reject).finally(() => removeEventListener('error', trap));
  });
}

/**
 * Time of one picture: the middle one of all runs but the first, which warms up.
 * @param {Runner} net
 * @param {number} runs
 */
export async function milliseconds(net, runs) {
  const { side } = net.info.input;
  const data = new Float32Array(3 * side * side);
  const times = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    (await net.forward(data, 1, side, side, [])).free();
    times.push(performance.now() - start);
  }
  return times.slice(1).sort((a, b) => a - b)[(runs - 1) >> 1];
}

/**
 * Draws maps from where they lie on the device.
 * @param {Drawer} net
 * @param {{ data: Float32Array, dims: number[], kept?: Map<string, number[]> }} image the input that was run last, and
 *   the taps of it that are on the device with their channels, height and width
 * @param {string} tap
 * @param {import('./draw.d.ts').DrawOptions} options
 * @returns {Promise<ImageBitmap>}
 */
export async function drawFromDevice(net, image, tap, options) {
  let kept = image.kept ?? new Map();
  if (!kept.has(tap)) {
    const names = [...[...kept.keys()].slice(-MOST_KEPT), tap];
    // Gone, should this fail.
    image.kept = undefined;
    const output = await net.keep(image.data, image.dims[2], image.dims[3], names);
    kept = new Map(names.map((name, i) => [name, Array.from(output.tapDims(i)).slice(1)]));
    image.kept = kept;
    output.free();
  }
  const { channels, columns, cell, gap, colormap, scale } = gridOf(/** @type {number[]} */ (kept.get(tap)), options);
  return net.drawTap(
    tap,
    Uint32Array.from(channels),
    columns,
    cell,
    gap,
    scale === 'all',
    new Uint8Array(paletteOf(colormap).buffer),
  );
}

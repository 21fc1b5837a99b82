/**
 * @file The WebAssembly modules: the flavours of the CPU engine, fastest first, and which of them this browser can
 * run; and the parts that are fetched when they are needed.
 * A browser refuses a whole module for one instruction that it does not know, so each flavour has a probe:
 * the smallest module with such an instruction.
 */
import { GGhostError } from './errors.js';
import { badOption } from './options.js';
import { own } from './place.js';

/** () -> v128 of the given instructions, drop. @param {...number} code */
const probe = (...code) =>
  new Uint8Array([
    ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
    ...[1, 5, 1, 96, 0, 1, 123], // type: () -> v128
    ...[3, 2, 1, 0], // one function of that type
    ...[10, code.length + 4, 1, code.length + 2, 0, ...code, 11], // its code, end
  ]);
const zero = [65, 0, 253, 15]; // i32.const 0, i8x16.splat
const fixed = probe(...zero);
const relaxed = probe(...zero, ...zero, ...zero, 253, 133, 2); // f32x4.relaxed_madd

/**
 * @typedef {object} Flavour
 * @property {string} name
 * @property {Uint8Array<ArrayBuffer>} probe
 * @property {boolean} [threads] whether it needs shared memory
 * @property {boolean} [integers] whether it computes models of eight bits in integers
 * @property {() => URL} [script] that wasm-bindgen made for it
 * @property {() => URL} [url] of the binary
 * @property {() => Promise<any>} [glue] the script, where the host has it by another way than its address
 * @property {boolean} [imported] whether that is so wherever the binary lies
 * @property {() => Uint8Array<ArrayBuffer>} [bytes] the binary, where the script contains it
 */

/** @type {Flavour[]} */
export const flavours = [
  {
    name: 'relaxed-threads',
    probe: relaxed,
    threads: true,
    script: () => own(new URL('../wasm/relaxed-threads/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/relaxed-threads/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'fixed-threads',
    probe: fixed,
    threads: true,
    script: () => own(new URL('../wasm/fixed-threads/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/fixed-threads/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'relaxed',
    probe: relaxed,
    script: () => own(new URL('../wasm/relaxed/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/relaxed/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'fixed',
    probe: fixed,
    script: () => own(new URL('../wasm/fixed/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/fixed/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'relaxed-int8-threads',
    probe: relaxed,
    integers: true,
    threads: true,
    script: () => own(new URL('../wasm/relaxed-int8-threads/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/relaxed-int8-threads/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'fixed-int8-threads',
    probe: fixed,
    integers: true,
    threads: true,
    script: () => own(new URL('../wasm/fixed-int8-threads/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/fixed-int8-threads/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'relaxed-int8',
    probe: relaxed,
    integers: true,
    script: () => own(new URL('../wasm/relaxed-int8/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/relaxed-int8/g_ghostnet_bg.wasm', import.meta.url)),
  },
  {
    name: 'fixed-int8',
    probe: fixed,
    integers: true,
    script: () => own(new URL('../wasm/fixed-int8/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/fixed-int8/g_ghostnet_bg.wasm', import.meta.url)),
  },
];

/**
 * @typedef {Omit<Flavour, 'probe'>} Part
 * @type {{ webgpu: Part, reader: Part, similarity: Part, edit: Part, teach: Part }} the WebGPU engine, the reader
 *   of checkpoints, the comparison of feature maps, the editor of models, and the teacher of classes
 */
export const parts = {
  webgpu: {
    name: 'webgpu',
    script: () => own(new URL('../wasm/webgpu/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/webgpu/g_ghostnet_bg.wasm', import.meta.url)),
  },
  reader: {
    name: 'reader',
    script: () => own(new URL('../wasm/reader/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/reader/g_ghostnet_bg.wasm', import.meta.url)),
  },
  similarity: {
    name: 'similarity',
    script: () => own(new URL('../wasm/similarity/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/similarity/g_ghostnet_bg.wasm', import.meta.url)),
  },
  edit: {
    name: 'edit',
    script: () => own(new URL('../wasm/edit/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/edit/g_ghostnet_bg.wasm', import.meta.url)),
  },
  teach: {
    name: 'teach',
    script: () => own(new URL('../wasm/teach/g_ghostnet.js', import.meta.url)),
    url: () => own(new URL('../wasm/teach/g_ghostnet_bg.wasm', import.meta.url)),
  },
};

/** Most threads that are started unasked: more share the caches and the memory's bandwidth. */
const MOST_THREADS = 8;

/**
 * How many threads the engine may have here, and why not more.
 * @param {number} [wanted] left out: one for each processor, up to eight
 * @param {{ ownWorker?: boolean, inlined?: boolean }} [place] whether the engine is in a worker of the library's own,
 *   which may be blocked, and whether it is inside the script
 * @returns {{ threads: number, reason?: string }}
 */
export function threadsHere(wanted, { ownWorker = false, inlined = false } = {}) {
  /** @param {string} reason */
  const alone = (reason) => ({ threads: 1, reason });
  if (wanted === 1) return alone('One thread was asked for.');
  if (inlined) return alone('The inlined engine has one thread.');
  wanted ??= Math.min(globalThis.navigator?.hardwareConcurrency ?? MOST_THREADS, MOST_THREADS);
  if (wanted === 1) return alone('There is one processor here.');
  if (typeof Worker !== 'function')
    return alone(
      'There are no workers here that could be threads: ' +
        'nets in processes or worker threads of your own run beside each other.',
    );
  if (!ownWorker) return alone('Threads need the engine in a worker of the library’s own.');
  if (!globalThis.crossOriginIsolated)
    return alone('Threads need a cross-origin isolated page: its server must send COOP and COEP.');
  if (!hasSharedMemory()) return alone('This browser gives no shared memory.');
  return { threads: wanted };
}

/** Looked at itself: an isolated page may have none, and a shared memory may be made that cannot be shared. */
function hasSharedMemory() {
  try {
    // With the module's own maximum.
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 32768, shared: true });
    return typeof SharedArrayBuffer === 'function' && buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

/**
 * @param {string} [name] a flavour to insist on
 * @param {{ threads?: boolean, integers?: boolean }} [needs] whether it is to have threads and integer kernels
 * @returns {Flavour}
 */
export function chooseFlavour(name, { threads = false, integers = false } = {}) {
  if (typeof WebAssembly !== 'object') {
    throw new GGhostError('unsupported', 'WebAssembly is switched off here: allow it, or use another browser.');
  }
  const suits = (/** @type {Flavour} */ flavour) =>
    (threads || !flavour.threads) && Boolean(flavour.integers) === integers && WebAssembly.validate(flavour.probe);
  const found = flavours.find((flavour) => (name ? flavour.name === name : suits(flavour)));
  if (!found && name)
    throw badOption(
      'flavour',
      name,
      flavours.map((flavour) => JSON.stringify(flavour.name)),
    );
  if (found && !WebAssembly.validate(found.probe)) {
    const missing = found.probe === relaxed ? 'relaxed SIMD' : 'SIMD';
    throw new GGhostError(
      'unsupported',
      `WebAssembly has no ${missing} here, which this flavour needs: leave out the option flavour.`,
    );
  }
  if (!found) {
    throw new GGhostError(
      'unsupported',
      'This browser has no WebAssembly SIMD: use Chrome 91, Firefox 89, Safari 16.4 or newer.',
    );
  }
  return found;
}

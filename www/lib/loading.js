/**
 * @file What is loaded of a net: the modules that this realm can run, and the model's file in the one form that they
 * read. Nothing here knows who computes.
 */
import { defaultIntegers } from './default-model.js';
import { download, addUp } from './download.js';
import { GGhostError, throwIfAborted } from './errors.js';
import { chooseFlavour, parts, threadsHere } from './flavours.js';
import { isBlob } from './image.js';
import { lazy } from './lazy.js';
import { fetchModule, scriptOf, start, startPart } from './module.js';
import { located, own } from './place.js';

/** Bytes of a safetensors header that are looked at: those of a model have a tenth of it. */
const MAX_HEADER = 2 ** 20;

/**
 * @typedef {object} EngineOptions
 * @property {string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>} model absolute URL or bytes
 * @property {boolean} [bundled] whether the model is the library's own
 * @property {'auto' | 'webgpu' | 'wasm'} backend
 * @property {string} [wasmUrl] folder of the flavours, as the caller names it
 * @property {string} [packageUrl] folder of the whole package, where the scripts are not in it
 * @property {string} [flavour]
 * @property {string} [variant]
 * @property {string[]} [labels]
 * @property {string} [weights] `ema`, or the name that a file of several state dicts has them under
 * @property {'f32' | 'f16' | 'int8'} [precision]
 * @property {GPUDevice} [device] the caller's
 * @property {number} [threads]
 * @property {boolean} [cache]
 * @property {import('./edit.js').Edit} [edit] makes another model of it
 * @property {{ module: WebAssembly.Module, flavour: string, model?: Blob, origin?: Origin }} [kept] what an earlier
 *   engine of the same options had loaded
 *
 * @typedef {Pick<import('./index.d.ts').Info, 'weights' | 'leftOut'>} Origin where in its file the model's weights were,
 *   and what of it no layer reads
 *
 * @typedef {(event: Partial<import('./index.d.ts').Progress>) => void} Report
 *
 * @typedef {object} Hooks
 * @property {AbortSignal} [signal]
 * @property {(progress: import('./index.d.ts').Progress) => void} [onProgress]
 * @property {import('./download.js').Fetch} [fetch]
 * @property {(blob: Blob) => Promise<{ data: Uint8Array, width: number, height: number }>} [decode]
 * @property {import('./flavours.js').Part} [flavour] an engine that is there already
 * @property {typeof import('./threads.js').startThreads} [startThreads] in a worker of the library's own, which may be
 *   blocked by threads and ends with its net
 */

/** Modules and model of one net. */
export class Loaded {
  /** @type {EngineOptions} */
  options;
  /** The script of the CPU engine, which wasm-bindgen makes: its types are known once it is built. @type {any} */
  glue;
  /** Name of its flavour. */
  flavour = '';
  /** Of the CPU engine. @type {{ threads: number, reason?: string, end?: () => void }} */
  threads;
  /** The model's file, in safetensors; empty until it is there. @type {Blob | Uint8Array<ArrayBuffer>} */
  model = new Blob();
  /** Of the model. @type {Origin} */
  origin = { weights: '', leftOut: [] };
  /** What a fresh engine needs to take over without downloads. @type {EngineOptions['kept']} */
  kept;
  /** Promises of the scripts of the other parts, by name. @type {Partial<Record<keyof typeof parts, Promise<any>>>} */
  #parts = {};
  /** Whether the engine is inside the script, one file and nothing else. */
  #alone;
  #fetch;

  /**
   * @param {EngineOptions} options
   * @param {Hooks} hooks
   */
  constructor(options, { fetch, flavour, startThreads } = {}) {
    this.options = options;
    this.#alone = Boolean(flavour?.bytes);
    this.threads = threadsHere(options.threads, { ownWorker: Boolean(startThreads), inlined: this.#alone });
    this.#fetch = fetch;
  }

  /**
   * Downloads, compiles and starts.
   * @param {Hooks} hooks
   * @param {Promise<boolean>} gpu whether WebGPU is worth a try: its module is then fetched beside the others
   * @param {Report} report
   */
  async load({ signal, flavour: given, startThreads }, gpu, report) {
    const { options } = this;
    const part = addUp(report);
    const threads = this.threads.threads > 1;
    /** @param {import('./flavours.js').Part} flavour @param {WebAssembly.Module} [module] */
    const obtain = (flavour, module) =>
      fetchModule(flavour, options, { module, signal, fetch: this.#fetch, onBytes: part() });
    // What a model is computed in is known of the library's own; of another one its header says it.
    const own = options.bundled && this.#mayChoose && defaultIntegers;
    const expected = own || options.precision === 'int8';
    const flavour = given ?? chooseFlavour(options.kept?.flavour ?? options.flavour, { threads, integers: expected });
    const [wasm, file] = await Promise.all([
      obtain(flavour, options.kept?.module),
      modelFile(options.kept?.model ?? options.model, {
        own: options.bundled,
        signal,
        fetch: this.#fetch,
        cache: options.cache,
        onBytes: part(),
      }),
      // A failure here is reported when the module is needed.
      gpu.then(
        (worthwhile) => worthwhile && !this.#alone && this.part('webgpu', { signal, onBytes: part() }).catch(() => {}),
      ),
    ]);
    throwIfAborted(signal);
    const beginning = await beginningOf(file);
    const integers = this.#mayChoose ? hasIntegers(beginning) : expected;
    const chosen = integers === expected ? flavour : chooseFlavour(undefined, { threads, integers });
    const { module, glue } = chosen === flavour ? wasm : await obtain(chosen);
    throwIfAborted(signal);

    report({ phase: 'compile' });
    this.flavour = chosen.name;
    this.glue = await start({ module, glue });
    if (startThreads && chosen.threads && threads) {
      const script = scriptOf(chosen, options).href;
      const engine = { script, flavour: chosen.name, packageUrl: options.packageUrl, module, glue: this.glue };
      this.threads = await startThreads({ ...engine, count: this.threads.threads - 1 });
    }
    if (options.kept?.origin) this.origin = options.kept.origin;
    this.model = options.kept?.model ?? (await this.#inOwnLayout(file, beginning));
    if (options.edit && !options.kept?.model) this.model = await this.#edited(options.edit);
    // What was downloaded is not held twice.
    this.model = asBlob(this.model);
    this.kept = { module, flavour: this.flavour, model: this.model, origin: this.origin };
    throwIfAborted(signal);
  }

  /** Whether the model decides what the CPU engine computes in. */
  get #mayChoose() {
    const { kept, flavour, precision, backend } = this.options;
    return !this.#alone && !kept && !flavour && !precision && backend !== 'webgpu';
  }

  /**
   * The script of a part that is fetched when it is first needed; a failure is tried again.
   * @param {keyof typeof parts} name
   * @param {{ signal?: AbortSignal, onBytes?: import('./download.js').OnBytes }} [options]
   * @returns {Promise<any>} as of `glue`
   */
  part(name, { signal, onBytes = () => {} } = {}) {
    if (this.#alone && !parts[name].bytes) {
      const words = 'The inlined engine is WebAssembly on the processor: for more, import g-ghostnet itself.';
      throw new GGhostError('unsupported', words);
    }
    this.#parts[name] ??= startPart(parts[name], this.options, { fetch: this.#fetch, signal, onBytes }).catch(
      (error) => {
        this.#parts[name] = undefined;
        throw error;
      },
    );
    return this.#parts[name];
  }

  /** The model in the memory of a module. @param {any} glue its script */
  async bytesIn(glue) {
    const bytes = new glue.ModelBytes(isBlob(this.model) ? this.model.size : this.model.length);
    for await (const piece of isBlob(this.model) ? piecesOf(this.model) : [this.model]) bytes.write(piece);
    return bytes;
  }

  /**
   * Labels that the model does not have: published checkpoints of 1,000 classes are ImageNet's, and do not name them.
   * @param {Pick<import('./index.d.ts').Info, 'classes' | 'labels'>} info
   * @returns {Promise<string[] | undefined>}
   */
  async labelsFor({ classes, labels }) {
    if (classes !== 1000 || labels[0] !== 'class 0' || this.#alone) return undefined;
    const { packageUrl } = this.options;
    const url = packageUrl
      ? new URL('models/imagenet-1k.txt', packageUrl)
      : located(() => own(new URL('../models/imagenet-1k.txt', import.meta.url)));
    const bytes = await download(url, { what: 'The list of ImageNet’s labels', own: true, fetch: this.#fetch });
    return new TextDecoder().decode(bytes).trim().split('\n');
  }

  /** After a trap nothing in a module's memory can be trusted: each gets a fresh instance. */
  reset() {
    this.glue?.__wbg_reset_state?.();
    for (const part of Object.values(this.#parts))
      part?.then(
        (glue) => glue.__wbg_reset_state?.(),
        () => {},
      );
  }

  end() {
    this.threads.end?.();
  }

  /**
   * The model as the engine reads it: the file itself, or what the reader makes of a checkpoint.
   * @param {Blob | Uint8Array<ArrayBuffer>} file
   * @param {Uint8Array} beginning
   */
  async #inOwnLayout(file, beginning) {
    const { variant, weights } = this.options;
    if (!variant && !weights && this.glue.isOwnLayout(beginning, isBlob(file) ? file.size : file.length)) return file;
    const [{ ownLayoutOf }, { CheckpointReader }] = await Promise.all([lazy.more(), this.part('reader')]);
    const { model, origin } = await ownLayoutOf(asBlob(file), CheckpointReader, { variant, weights });
    this.origin = origin;
    return model;
  }

  /**
   * The model without a part, or another one of its form: once, because what is kept is edited already.
   * @param {import('./edit.js').Edit} edit
   */
  async #edited(edit) {
    const [{ edited }, editor] = await Promise.all([lazy.more(), this.part('edit')]);
    // A random model's weights were in no file.
    if (edit.kind !== 'ablated') this.origin = { weights: '', leftOut: [] };
    return edited(editor, await this.bytesIn(editor), asBlob(this.model), edit);
  }

  /** The weights of a convolution as the network uses them. @param {string} step */
  async weights(step) {
    const [{ foldedWeights }, editor] = await Promise.all([lazy.more(), this.part('edit')]);
    return foldedWeights(editor, await this.bytesIn(editor), step);
  }
}

/**
 * A file's bytes to the end of its header, if it is a safetensors file, or the first few.
 * @param {Blob | Uint8Array<ArrayBuffer>} file
 */
async function beginningOf(file) {
  /** @param {number} end */
  const upTo = async (end) => new Uint8Array(await asBlob(file).slice(0, end).arrayBuffer());
  const start = await upTo(8);
  const length = start.length < 8 ? 0 : new DataView(start.buffer).getUint32(0, true);
  return length <= MAX_HEADER ? upTo(8 + length) : start;
}

/**
 * Whether a safetensors file has convolutions that are computed in integers: only these have the range of an input.
 * @param {Uint8Array<ArrayBuffer>} beginning
 */
const hasIntegers = (beginning) => /\.input" *:/.test(new TextDecoder().decode(beginning));

/** @param {Blob | Uint8Array<ArrayBuffer>} file */
const asBlob = (file) => (isBlob(file) ? file : new Blob([file]));

/** A file's bytes one piece after the other, so that it is never in memory whole. @param {Blob} blob */
async function* piecesOf(blob) {
  for (const reader = blob.stream().getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Whether an address names a manifest of a model in several files. @param {string} url */
const isManifest = (url) => /\.json([?#]|$)/i.test(url);

/**
 * A model's file: a Blob stays one.
 * @param {EngineOptions['model']} model
 * @param {{ own?: boolean, cache?: boolean, fetch?: import('./download.js').Fetch, signal?: AbortSignal,
 *   onBytes: import('./download.js').OnBytes }} options
 * @returns {Promise<Uint8Array<ArrayBuffer> | Blob>}
 */
async function modelFile(model, { own, ...options }) {
  if (typeof model === 'string' && isManifest(model)) return (await lazy.more()).downloadShards(model, options);
  if (typeof model === 'string') return download(model, { what: 'The model', own, large: true, ...options });
  const size = isBlob(model) ? model.size : model.byteLength;
  options.onBytes(size, size);
  if (isBlob(model)) return model;
  return ArrayBuffer.isView(model) ? new Uint8Array(model.buffer, model.byteOffset, size) : new Uint8Array(model);
}

/// <reference lib="esnext.disposable" />
import type {
  AbortSignal,
  Blob,
  File,
  HTMLCanvasElement,
  HTMLImageElement,
  HTMLPictureElement,
  HTMLVideoElement,
  ImageBitmap,
  ImageData,
  OffscreenCanvas,
  Response,
  SVGImageElement,
  SVGSVGElement,
  URL,
  VideoFrame,
  WebAssemblyModule,
} from './dom.js';
import type { LinearFit, Metric } from './similarity.js';

export * from './similarity.js';
import type { DrawOptions } from './draw.js';

/** Where a net runs: WebGPU on the graphics card, or WebAssembly on the processor. */
export type Backend = 'webgpu' | 'wasm';

/** What `load` is doing; `loaded` and `total` are the bytes of all downloads together. */
export interface Progress {
  phase: 'download' | 'compile' | 'warm-up';
  /** Part of the WebGPU engine's pipelines that is compiled, 0 to 1. */
  part?: number;
  loaded: number;
  /** Unknown (undefined) until every server has said how much it sends. */
  total?: number;
}

/** Options of `load`. A name that is not among them is refused, as it is for every function. */
export interface LoadOptions {
  /**
   * A `.safetensors` model or a PyTorch checkpoint (`.pth`, `.ckpt`, ...): an address, a file or its bytes; the address
   * of a manifest of `g-ghostnet shard` or of Hugging Face's `model.safetensors.index.json`, whose files lie beside it;
   * or a list of files: a model and Hugging Face's `config.json` for its labels, and where the model is in several
   * files, all of them with their index. Left out: the bundled model of 498 of ImageNet’s classes, in eight bits.
   */
  model?: string | URL | Blob | ArrayBuffer | Uint8Array | File[];
  /**
   * Name of the network, where the file's shapes leave a choice: `'resnet18_cifar'` is a ResNet with a 3 x 3 stem,
   * `'resnet18_cifar_pool'` the same with a max pool.
   */
  variant?: string;
  /** Labels in class order, where the file has none; of a classifier with one logit two. */
  labels?: string[];
  /**
   * Which weights of a checkpoint that has several: `'ema'` takes those of a moving average before the plain ones,
   * another word those that lie under this name. `info.weights` says which were read.
   */
  weights?: string;
  /** `'auto'` (the default) takes WebGPU where it exists, computes rightly and is faster, else WebAssembly. */
  backend?: 'auto' | Backend;
  /**
   * `'f16'`: WebGPU keeps feature maps and weights in half the memory, where the browser has `shader-f16`; sums are
   * f32. `'int8'`: WebAssembly computes in integers of eight bits, for which the model must be one that the example
   * `quantize` made. `'auto'` (the default) takes f16 where the self-test passes and it is faster, and int8 for such
   * models.
   */
  precision?: 'auto' | 'f32' | 'f16' | 'int8';
  /**
   * Threads of the WebAssembly engine, where the page is cross-origin isolated and the engine in a worker; left out:
   * one for each processor, up to eight. Results are the same to the bit for any number.
   */
  threads?: number;
  /**
   * A `GPUDevice` of yours for WebGPU to run on, which you go on using; `dispose` leaves it to you. A device cannot
   * leave the page, so the engine is in no worker then. Once it is lost, `'auto'` goes on with WebAssembly.
   */
  device?: object;
  /** `true` insists on a worker, `false` on none; left out: a worker where one can be started. */
  worker?: boolean;
  /** Folder with the engine's files, where they are not beside the scripts. */
  wasmUrl?: string | URL;
  /**
   * Folder that has all of the package, where a bundler copies its scripts alone: `node_modules/g-ghostnet` as it is
   * served, or its place on a CDN. Model, engine and workers are taken from there.
   */
  packageUrl?: string | URL;
  /**
   * The engine, compiled: `wasm/fixed/g_ghostnet_bg.wasm` of the package, or with `flavour` another one, for hosts that
   * compile none at run time.
   */
  module?: WebAssemblyModule;
  /** The engine's binary, for tests: `'relaxed'`, `'fixed'`, either with `-int8`, and any with `-threads`. */
  flavour?: string;
  /** Whether the parts of a manifest are kept in the browser's cache, by their hash; `true` by default. */
  cache?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** RGBA bytes, row by row from the top. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

/**
 * Anything with a picture in it, of this page or of a frame in it. Addresses are downloaded (in Node, what has no
 * scheme
 * is a path), and so are lazy images that are not loaded yet; `ArrayBuffer` and its views are the bytes of a file.
 * EXIF orientation is honoured.
 */
export type ImageInput =
  | HTMLImageElement
  | HTMLPictureElement
  | SVGSVGElement
  | SVGImageElement
  | HTMLCanvasElement
  | HTMLVideoElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | VideoFrame
  | Blob
  | Response
  | ArrayBuffer
  | ArrayBufferView
  | URL
  | string
  | Pixels;

/**
 * Several pictures: an array, `FileList`, `NodeList`, generator, or anything else that can be gone through. A few are
 * read ahead, and each is let go once it is answered, so that a list may have any length; it may be made as it is read.
 */
export type ImageInputs = Iterable<ImageInput> | AsyncIterable<ImageInput>;

/** A picture of a list that could not be read. */
export interface FailedPicture {
  error: GGhostError;
  /** Its place in the list, from 0. */
  index: number;
  /** Of its file, or its address. */
  name?: string;
}

export interface ListOptions {
  /**
   * What a picture of a list that cannot be read does: `'throw'` (the default) ends the call, with an error that names
   * it and has its `index`; `'return'` puts `{ error, index, name }` in its place.
   */
  errors?: 'throw' | 'return';
}

export interface Prediction {
  label: string;
  /** Class number in the model. */
  index: number;
  /** 0 to 1; those of all classes sum to 1. */
  probability: number;
}

/** Which engine answered, and how long it took. */
export interface Provenance {
  backend: Backend;
  /** Why it is not the first choice; absent where it is. */
  backendReason?: string;
  /** The network's time alone, for this picture. */
  milliseconds: number;
  /** Of this picture; what it waited for its turn or its download is not in them. */
  timings: { decode: number; preprocess: number; forward: number };
}

export interface Classification extends Provenance {
  /** The most probable classes, most probable first. */
  top: Prediction[];
  /**
   * How likely the picture shows one of the classes at all, 0 to 1; absent of a model that was not fitted to tell. A
   * stranger passes often: the model's card says how often.
   */
  known?: number;
  /** Whether `known` is below the model's threshold, above which 95 % of held-back pictures of the classes are. */
  unsure?: boolean;
}

/** Feature maps of one picture, row-major. */
export interface FeatureMaps {
  data: Float32Array;
  /** Channels, height, width. */
  dims: [number, number, number];
  layout: 'chw';
}

/** The blocks of a stage, as names of taps. */
export interface StageRoles {
  name: string;
  kind: 'plain' | 'ghost';
  /** Block 1. */
  first: string;
  /** Blocks 2 to n - 1. */
  inner: string[];
  /** The maps made by the cheap operation; absent in a plain stage. */
  ghost?: string;
  /** Block n; in a stage of one block, block 1. */
  last: string;
}

export interface Features extends Classification {
  /** Feature maps by tap. */
  maps: Record<string, FeatureMaps>;
  /** Which map is which, where a stage was asked for. */
  stage?: StageRoles;
}

export interface Tensor {
  data: Float32Array;
  /** Images, channels, height, width. */
  dims: [number, number, number, number];
}

export interface ForwardResult extends Provenance {
  /** `[n, classes]`, row-major. */
  logits: Float32Array;
  dims: [number, number];
  taps: Record<string, Tensor & { layout: 'nchw' }>;
}

export interface StageInfo {
  name: string;
  kind: 'plain' | 'ghost';
  /** Number of blocks. */
  depth: number;
  /** Channels of the stage's output. */
  width: number;
  /** Channels that pass the inner blocks; the whole width in a plain stage. */
  raw: number;
  /** Channels made by the cheap operation; 0 in a plain stage. */
  cheap: number;
  /** Rows and columns of the maps at the model's input size. */
  size: [number, number];
  /** Tap of each block's output, block 1 first. */
  blocks: string[];
  /** Tap of what each block adds to its shortcut, in the order of `blocks`. */
  added: string[];
  /** Taps whose maps have the stage's size, in execution order: any two can be compared position by position. */
  taps: string[];
  /** How the ghost maps are made; absent in a plain stage. */
  ghostPath?: GhostPath;
}

/** How a ghost stage makes its ghost maps, as names of taps. */
export interface GhostPath {
  /** The convolution that is the cheap operation: the key of its weights. */
  step: string;
  /** Channels of block 1 that it reads: the first, and their number. */
  reads: [first: number, count: number];
  /** Its result before aggregation and ReLU. */
  cheap: string;
  /** What is aggregated from the blocks, one number a ghost map; absent where nothing is. */
  merge?: string;
  /** The ghost maps. */
  ghost: string;
  /** The raw channels after the inner blocks; absent where there are no raw channels. */
  intrinsic?: string;
}

export interface Info {
  variant: string;
  classes: number;
  labels: string[];
  /** Where in the file the weights were: `'state_dict'`, `'model_ema.module'`; empty at its top. */
  weights: string;
  /** What the file has and the network does not read, each with the reason. */
  leftOut: { name: string; reason: string }[];
  /** What logits are divided by before they become probabilities, so that these are calibrated. */
  temperature: number;
  /**
   * How `known` is made of the logits over the temperature: 1 / (1 + exp((location - score) / scale)). The score is the
   * logarithm of the sum of their exponentials, the largest of them, or the largest probability.
   */
  known?: {
    score: 'energy' | 'maxLogit' | 'maxProbability';
    location: number;
    scale: number;
    /** Below it a picture is `unsure`. */
    threshold: number;
  };
  input: {
    side: number;
    resize: 'squash' | 'crop';
    resizeSide?: number;
    interpolation: 'bilinear' | 'bicubic';
    mean: [number, number, number];
    std: [number, number, number];
  };
  /** The convolution before the first stage: channels of its output, rows and columns. */
  stem: { width: number; size: [number, number] };
  stages: StageInfo[];
  params: number;
  /** Multiply-accumulate operations of one picture. */
  macs: number;
  /** Numbers that the convolutions write for one picture. */
  activations: number;
  /** Every name that `features` and `forward` accept. */
  taps: string[];
  backend: Backend;
  backendReason?: string;
  /** The numbers that feature maps are kept in; `'int8'`: those that are multiplied by weights of eight bits. */
  precision: 'f32' | 'f16' | 'int8';
  /** Why they are not those that were asked for. */
  precisionReason?: string;
  /** Name of the graphics card, where one is used and the browser tells. */
  adapter: string | null;
  /** Threads that run. */
  threads: number;
  /** Why there is one thread only, where there could be more. */
  threadsReason?: string;
  /** Whether the engine runs in a worker. */
  worker: boolean;
  /** Why it runs in none. */
  workerReason?: string;
  /** The WebAssembly binary that was chosen. */
  flavour: string;
  memoryBytes: number;
  /** How the model was made of another one, where it was. */
  edit?: 'ablated' | 'plain' | 'random';
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface FeatureOptions extends CallOptions {
  /** All maps of this stage, by number or name. */
  stage?: number | string;
  /** Taps by name, beside a stage's or instead of them. */
  taps?: string[];
  topK?: number;
}

/** How alike two sets of channels are. */
export interface RedundancyScore {
  metric: Metric;
  /** CKA itself; else the median over channels, of the magnitude for pearson and cosine. */
  score: number;
  /** 10, 25, 50, 75 and 90 % over channels; absent for CKA, as the next ones. */
  quantiles?: number[];
  /** The part of the channels above 0.7. */
  above?: number;
  /** Of each channel of the second tap: its best match, signed, or its R2; 0 for the dead. */
  perChannel?: Float32Array;
  /** The channel of the first tap that it is most like; -1: none. Only for pearson and cosine. */
  matches?: Int32Array;
  /** Channels that do not vary, left out of all of the above. */
  dead: Int32Array;
}

/** What a score is to be held against. */
export type Control = 'other-image' | 'shuffled-positions' | 'random-weights';

export interface RedundancyOptions extends CallOptions {
  /** The first and the last block of this stage are compared; or name two `taps`. */
  stage?: number | string;
  /** The two taps to compare, instead of a stage's. */
  taps?: [string, string];
  /**
   * `pearson` (the default) and `cosine`: the best match of each channel over all positions of all pictures;
   * `r2`: how much of its variance a 1x1 convolution explains on held-out pictures, every fourth one, or with fewer
   * than four on the lowest quarter of each; `cka`: unbiased linear CKA.
   */
  metric?: Metric;
  /** Compares with what the last block adds to its shortcut, because the shortcut by itself makes maps alike. */
  added?: boolean;
  /**
   * What the score is to be held against: the first tap's maps of another picture (where there is one), shuffled
   * positions (else), the same network with random weights, or nothing.
   */
  control?: Control | false;
  /** Pictures for `other-image`; by default each picture's neighbour in the list. */
  other?: ImageInput | Iterable<ImageInput>;
  /** Of the shuffling and the random weights; 1 by default. */
  seed?: number;
  /**
   * Of the fit, relative to the mean variance of the first tap's channels; by default its channels / positions fitted
   * on.
   */
  ridge?: number;
  /** Pictures seen, controls included. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface Redundancy extends RedundancyScore {
  /** Name of the stage, where one was asked for. */
  stage?: string;
  taps: [string, string];
  control?: RedundancyScore & { kind: Control };
  samples: {
    images: number;
    /** Of all pictures. */
    positions: number;
    /** Of the two taps. */
    channels: [number, number];
    /** For `r2`. */
    fittedPositions?: number;
    scoredPositions?: number;
  };
  /** Whether there are samples enough for the measure to mean something. */
  sufficient: boolean;
  /** Why not. */
  reason?: string;
  /** The 1x1 convolution that `r2` is about, `[channels of the second tap, channels of the first]`. */
  fit?: LinearFit;
}

/** A convolution's weights, with the batch norm folded in: `y = weight * x + bias`. */
export interface ConvolutionWeights {
  /** Row-major, in the shape of `dims`. */
  weight: Float32Array;
  /** `[channels out]` */
  bias: Float32Array;
  /** Channels out, channels in of a group, height and width of a filter. */
  dims: [number, number, number, number];
}

/** A part of the network to do without. */
export interface Ablation {
  /** A ghost stage, by number or name; for `ghost` and `merge`. */
  stage?: number | string;
  /**
   * `'off'`: the ghost maps are 0. A fit: they are ReLU(weight x + bias), with nothing aggregated from the blocks;
   * x is the whole output of block 1 (`[cheap, width]`) or the part that the cheap operation reads (`[cheap, cheap]`).
   */
  ghost?: 'off' | LinearFit;
  /** `'off'`: nothing aggregated from the blocks is added to the ghost maps. */
  merge?: 'off';
  /** Channels of taps that are 0 for whoever reads them. */
  channels?: { tap: string; channel: number }[];
}

export interface EditOptions extends CallOptions {
  /** The engine of the new net; that of this one by default. */
  backend?: 'auto' | Backend;
  onProgress?: (progress: Progress) => void;
}

/**
 * A loaded model. Calls may overlap: their pictures are read side by side, and the engine takes turns.
 * After `dispose()` every call, waiting ones too, is rejected with the code `disposed`.
 */
export interface GGhostNet {
  readonly info: Info;

  /**
   * The model as a safetensors file, whatever format it came in; of a PyTorch checkpoint most of it is parts of that
   * file.
   * @example
   * const net = await load({ model: 'checkpoint.pth' });
   * const link = URL.createObjectURL(net.model);
   */
  readonly model: Blob;

  /**
   * The most probable classes of a picture; a list of pictures gives a list of answers. Pictures are read side by side,
   * and the engine takes them as they are ready: one that is slow holds no other call.
   * @example
   * const { top } = await net.classify(document.querySelector('img'), { topK: 2 });
   * // [{ label: 'Egyptian cat', index: 114, probability: 0.8 }, { label: 'tabby', index: 110, probability: 0.1 }]
   */
  classify(input: ImageInput, options?: CallOptions & { topK?: number }): Promise<Classification>;
  classify(
    input: ImageInputs,
    options: CallOptions & { topK?: number; errors: 'return' },
  ): Promise<(Classification | FailedPicture)[]>;
  classify(input: ImageInputs, options?: CallOptions & ListOptions & { topK?: number }): Promise<Classification[]>;

  /**
   * The features before the classifier, averaged over positions: similar pictures have similar ones.
   * @example
   * const embedding = await net.embed(file);
   * // Float32Array(672)
   */
  embed(input: ImageInput, options?: CallOptions): Promise<Float32Array>;
  embed(input: ImageInputs, options: CallOptions & { errors: 'return' }): Promise<(Float32Array | FailedPicture)[]>;
  embed(input: ImageInputs, options?: CallOptions & ListOptions): Promise<Float32Array[]>;

  /**
   * Feature maps, by stage or by tap; asking for them changes no answer.
   * @example
   * const { maps, stage } = await net.features(file, { stage: 3 });
   * maps[stage.first]; // { data: Float32Array(28800), dims: [288, 10, 10], layout: 'chw' }
   */
  features(
    input: ImageInput,
    options: FeatureOptions & { stage: number | string },
  ): Promise<Features & { stage: StageRoles }>;
  features(
    input: ImageInputs,
    options: FeatureOptions & { stage: number | string; errors: 'return' },
  ): Promise<((Features & { stage: StageRoles }) | FailedPicture)[]>;
  features(
    input: ImageInputs,
    options: FeatureOptions & ListOptions & { stage: number | string },
  ): Promise<(Features & { stage: StageRoles })[]>;
  features(input: ImageInput, options: FeatureOptions & { taps: string[] }): Promise<Features>;
  features(
    input: ImageInputs,
    options: FeatureOptions & { taps: string[]; errors: 'return' },
  ): Promise<(Features | FailedPicture)[]>;
  features(input: ImageInputs, options: FeatureOptions & ListOptions & { taps: string[] }): Promise<Features[]>;

  /**
   * Runs inputs that are normalised already; height and width from 32 on.
   * @example
   * const { logits, dims } = await net.forward({ data: new Float32Array(3 * 160 * 160), dims: [1, 3, 160, 160] });
   * // dims: [1, 498]
   */
  forward(tensor: Tensor, options?: CallOptions & { taps?: string[] }): Promise<ForwardResult>;

  /**
   * The weights of a convolution as the network uses them, with the batch norm or the scale of eight bits in them.
   * The module that edits models is fetched for it.
   * @example
   * const { weight, bias, dims } = await net.weights(net.info.stages[2].ghostPath.step);
   * // dims: [132, 132, 1, 1]
   */
  weights(step: string, options?: CallOptions): Promise<ConvolutionWeights>;

  /**
   * How alike the maps of a stage's first and last block are, beside a control; a list of pictures is one measurement.
   * Pictures are read as their turn comes.
   * @example
   * const { score, above, control, sufficient } = await net.redundancy(['one.jpg', 'two.jpg'], { stage: 3 });
   * console.log(score, control?.score, above, sufficient);
   * // 0.61 0.12 0.35 true
   */
  redundancy(input: ImageInput | Iterable<ImageInput>, options: RedundancyOptions): Promise<Redundancy>;

  /**
   * A second net of the same model without a part of it; dispose of it as of any.
   * @example
   * const without = await net.ablated({ stage: 3, ghost: 'off' });
   * console.log((await without.classify('photo.jpg')).top[0].label);
   * // 'parachute'
   */
  ablated(ablation: Ablation | Ablation[], options?: EditOptions): Promise<GGhostNet>;

  /**
   * The plain RegNetX of the same size with random weights: for its parameters, cost and time. What it answers means
   * nothing.
   * @example
   * const plain = await net.plainTwin();
   * console.log(net.info.macs / plain.info.macs, plain.info.edit);
   * // 0.57 'plain'
   */
  plainTwin(options?: EditOptions & { seed?: number }): Promise<GGhostNet>;

  /**
   * The same network with random weights, every batch norm's scale 1: what its form alone makes alike.
   */
  randomTwin(options?: EditOptions & { seed?: number }): Promise<GGhostNet>;

  /**
   * Draws feature maps of the picture of the last call, the first of a batch, on a canvas, which takes the size of the
   * grid. On WebGPU they are drawn where they lie and never read back; on WebAssembly by `drawMaps`, to the same
   * pixels, each within one level of the colour map. The canvas may have a context already, for 2d or bitmaprenderer.
   * @example
   * await net.classify(file);
   * const { backend } = await net.drawFeature(canvas, { tap: 'layer3.ghost', cell: 20, columns: 12 });
   * // canvas.width: 240, backend: 'webgpu'
   */
  drawFeature(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    options: DrawOptions & CallOptions & { tap: string },
  ): Promise<{ backend: Backend; backendReason?: string }>;

  /**
   * Holds the engine against the logits that the model file has, as the bundled one does, and WebGPU against
   * WebAssembly
   * too: `worstError` is a part of the largest value.
   */
  selfTest(options?: CallOptions): Promise<{ passed: boolean; worstError: number }>;

  /** Frees the memory and stops the worker. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * Loads a model onto the best engine there is. A load that failed can simply be called again.
 * @example
 * import { load } from 'g-ghostnet';
 * const net = await load();
 * console.log(net.info.labels.length, net.info.backend);
 * // 498 'wasm'
 */
export function load(options?: LoadOptions): Promise<GGhostNet>;

/** Forgets every part of a model in the browser's cache. */
export function clearCache(): Promise<void>;

export type ErrorCode =
  | 'aborted'
  | 'bad-image'
  | 'bad-model'
  | 'bad-option'
  | 'crashed'
  | 'device-lost'
  | 'disposed'
  | 'gpu'
  | 'network'
  | 'out-of-memory'
  | 'unknown-tap'
  | 'unsupported'
  | 'wrong-shape';

/** Every failure: `message` says what to do, in 1,000 characters at most, and `code` is stable. */
export class GGhostError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
  /** Which picture of a list could not be read, from 0. */
  readonly index?: number;
}

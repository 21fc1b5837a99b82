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
import type { TeachOptions, Teacher } from './teach.js';

export * from './similarity.js';
export * from './teach.js';
import type { DrawOptions } from './draw.js';

/** Where a net runs: WebGPU on the graphics card, or WebAssembly on the processor. */
export type Backend = 'webgpu' | 'wasm';

/** What `load` is doing; `loaded` and `total` are the bytes of all downloads together. */
export interface Progress {
  phase: 'download' | 'compile' | 'warm-up';
  /** The share of the WebGPU engine's pipelines that is compiled, 0 to 1. */
  part?: number;
  loaded: number;
  /** Undefined until every server has sent the length of its file. */
  total?: number;
}

/** Options of `load`. Unknown names are refused, as in every function. */
export interface LoadOptions {
  /**
   * A `.safetensors` model or a PyTorch checkpoint (`.pth`, `.ckpt`, ...), as an address, a file or its bytes. For a
   * model in several files: the address of a manifest of `g-ghostnet shard` or of Hugging Face's
   * `model.safetensors.index.json`, with the files beside it, or a list of the files with their index. A list may also
   * have Hugging Face's `config.json`, for the labels. The default is the bundled model of 498 of ImageNet’s classes,
   * in eight bits.
   */
  model?: string | URL | Blob | ArrayBuffer | Uint8Array | File[];
  /**
   * The name of the network, if the shapes in the file leave a choice: `'resnet18_cifar'` is a ResNet with a 3 x 3
   * stem, `'resnet18_cifar_pool'` the same with a max pool.
   */
  variant?: string;
  /** Labels in class order, if the file has none; two for a classifier with one logit. */
  labels?: string[];
  /**
   * Which weights to read from a checkpoint that has several: `'ema'` prefers those of a moving average; any other
   * string is the name under which the weights are stored. `info.weights` says which were read.
   */
  weights?: string;
  /** `'auto'` (the default) uses WebGPU if it exists, gives right results and is faster, and WebAssembly otherwise. */
  backend?: 'auto' | Backend;
  /**
   * `'f16'`: WebGPU stores feature maps and weights in 16 bits, if the browser has `shader-f16`; sums are f32.
   * `'int8'`: WebAssembly computes in eight-bit integers; the model must have been made by the example `quantize`.
   * `'auto'` (the default) uses f16 if the self-test passes and it is faster, and int8 for eight-bit models.
   */
  precision?: 'auto' | 'f32' | 'f16' | 'int8';
  /**
   * Number of threads of the WebAssembly engine. Several need a cross-origin isolated page and the engine in a worker.
   * The default is one for each processor, up to eight. Results are the same to the bit for any number.
   */
  threads?: number;
  /**
   * Your own `GPUDevice` for WebGPU to run on. You can keep using it, and `dispose` does not destroy it. A device
   * cannot leave the page, so the engine does not run in a worker then. If the device is lost, `'auto'` continues with
   * WebAssembly.
   */
  device?: object;
  /** `true` insists on a worker, `false` forbids one. The default is a worker if one can be started. */
  worker?: boolean;
  /** Folder with the engine's files, if they are not beside the scripts. */
  wasmUrl?: string | URL;
  /**
   * Folder with the whole package, if your bundler copies only its scripts: the address at which you serve
   * `node_modules/g-ghostnet`, or its address on a CDN. Model, engine and workers are taken from there.
   */
  packageUrl?: string | URL;
  /**
   * The compiled engine, for hosts that do not compile WebAssembly at run time: the package's
   * `wasm/fixed/g_ghostnet_bg.wasm`, or another flavour's together with `flavour`.
   */
  module?: WebAssemblyModule;
  /** The engine's binary, for tests: `'relaxed'` or `'fixed'`, with or without `-int8`, with or without `-threads`. */
  flavour?: string;
  /** Whether the parts that a manifest lists are kept in the browser's cache, under their hash; `true` by default. */
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
 * Anything with a picture in it, of this page or of a frame in it. Addresses are downloaded (in Node a string without a
 * scheme is a path), and so are lazy images that are not loaded yet. `ArrayBuffer` and its views are the bytes of a
 * file.
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
 * Several pictures: an array, `FileList`, `NodeList`, generator, or anything else you can iterate over. A few are read
 * ahead, and each is released once it is answered, so a list may have any length.
 */
export type ImageInputs = Iterable<ImageInput> | AsyncIterable<ImageInput>;

/** A picture of a list that could not be read. */
export interface FailedPicture {
  error: GGhostError;
  /** Its index in the list, from 0. */
  index: number;
  /** The name of its file, or its address. */
  name?: string;
}

export interface ListOptions {
  /**
   * What happens if a picture of a list cannot be read: `'throw'` (the default) ends the call with an error that names
   * the picture and has its `index`; `'return'` puts `{ error, index, name }` in the place of its answer.
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

/** Which engine computed the answer, and how long it took. */
export interface Provenance {
  backend: Backend;
  /** Why this is not the first choice; absent if it is. */
  backendReason?: string;
  /** Time of the network alone, for this picture. */
  milliseconds: number;
  /** Times of this picture in milliseconds, without waiting for its download or for the engine. */
  timings: { decode: number; preprocess: number; forward: number };
}

export interface Classification extends Provenance {
  /** The most probable classes, most probable first. */
  top: Prediction[];
  /**
   * How likely the picture shows one of the classes, 0 to 1; absent if the model has no rule for it. Many pictures of
   * other things pass too: the model's card says how many.
   */
  known?: number;
  /** Whether `known` is below the model's threshold, which 95 % of held-back pictures of the classes reach. */
  unsure?: boolean;
}

/** Feature maps of one picture, row-major. */
export interface FeatureMaps {
  data: Float32Array;
  /** Channels, height, width. */
  dims: [number, number, number];
  layout: 'chw';
}

/** The blocks of a stage, as tap names. */
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
  /** The taps by role, if you asked for a stage. */
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
  /** The tap of each block's output, block 1 first. */
  blocks: string[];
  /** The tap of what each block adds to its shortcut, in the order of `blocks`. */
  added: string[];
  /** Taps whose maps have the stage's size, in the order of execution. Any two can be compared position by position. */
  taps: string[];
  /** How the ghost maps are made; absent in a plain stage. */
  ghostPath?: GhostPath;
}

/** How a ghost stage makes its ghost maps, as tap names. */
export interface GhostPath {
  /** The convolution that is the cheap operation: the key of its weights. */
  step: string;
  /** The channels of block 1 that it reads: the first channel and the number of channels. */
  reads: [first: number, count: number];
  /** Its result before aggregation and ReLU. */
  cheap: string;
  /** What is aggregated from the blocks, one number per ghost map; absent if the network aggregates nothing. */
  merge?: string;
  /** The ghost maps. */
  ghost: string;
  /** The raw channels after the inner blocks; absent if there are none. */
  intrinsic?: string;
}

export interface Info {
  variant: string;
  classes: number;
  labels: string[];
  /** Where the weights were in the file, such as `'state_dict'` or `'model_ema.module'`; empty for the top level. */
  weights: string;
  /** What is in the file but not read, each with the reason. */
  leftOut: { name: string; reason: string }[];
  /** The logits are divided by it before they become probabilities, which calibrates these. */
  temperature: number;
  /**
   * How `known` is computed from the logits divided by the temperature: 1 / (1 + exp((location - score) / scale)). The
   * score is the logarithm of the sum of their exponentials (`energy`), the largest of them, or the largest
   * probability.
   */
  known?: {
    score: 'energy' | 'maxLogit' | 'maxProbability';
    location: number;
    scale: number;
    /** A picture below this value is `unsure`. */
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
  /** Number of values that the convolutions write for one picture. */
  activations: number;
  /** Every name that `features` and `forward` accept. */
  taps: string[];
  backend: Backend;
  backendReason?: string;
  /** The format of feature maps; `'int8'` if convolutions multiply eight-bit integers. */
  precision: 'f32' | 'f16' | 'int8';
  /** Why it is not the precision that you asked for. */
  precisionReason?: string;
  /** Name of the graphics card, if one is used and the browser tells its name. */
  adapter: string | null;
  /** Number of threads. */
  threads: number;
  /** Why there is only one thread. */
  threadsReason?: string;
  /** Whether the engine runs in a worker. */
  worker: boolean;
  /** Why it does not. */
  workerReason?: string;
  /** Name of the WebAssembly binary that was chosen. */
  flavour: string;
  memoryBytes: number;
  /** How the model was made from another one; absent if it was not. */
  edit?: 'ablated' | 'plain' | 'random';
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface FeatureOptions extends CallOptions {
  /** All maps of this stage, by number or name. */
  stage?: number | string;
  /** Taps by name, in addition to those of a stage or instead of them. */
  taps?: string[];
  topK?: number;
  /**
   * Width and height of the network's input for this call, in pixels, from 32 to 4096; the model's own by default.
   * Larger inputs give larger maps, and answers of a network that was trained at another size: `classify` always uses
   * the model's own.
   */
  side?: number;
}

export interface EvidenceOptions extends CallOptions {
  /** The class that is asked about, by index or label; the likeliest by default. */
  class?: number | string;
  /** As of `features`. */
  side?: number;
}

/** Which places and channels speak for a class. Positive numbers speak for it, negative ones against it. */
export interface Evidence {
  class: number;
  label: string;
  /** `bias` plus the sum of `map`, which is that of `shares` too. */
  logit: number;
  bias: number;
  /** Class activation map: each position's part of the logit, `[height, width]` of the last maps. */
  map: { data: Float32Array; dims: [number, number] };
  /** Each channel's part of the logit, `[channels]` of the last maps. */
  shares: Float32Array;
  /** The likeliest classes at this side. */
  top: Prediction[];
}

/** How similar two sets of channels are. */
export interface RedundancyScore {
  metric: Metric;
  /** CKA itself, or the median over channels; for pearson and cosine the median of the absolute values. */
  score: number;
  /** The 10, 25, 50, 75 and 90 % quantiles over channels; absent for CKA, like the next three. */
  quantiles?: number[];
  /** The share of the channels above 0.7. */
  above?: number;
  /** For each channel of the second tap: its best match, with sign, or its R2; 0 for dead channels. */
  perChannel?: Float32Array;
  /**
   * For each channel of the second tap: the most similar channel of the first, -1 for none. Only for pearson and
   * cosine.
   */
  matches?: Int32Array;
  /** Channels that do not vary. They are left out of all of the above. */
  dead: Int32Array;
}

/** What a score is compared with. */
export type Control = 'other-image' | 'shuffled-positions' | 'random-weights';

export interface RedundancyOptions extends CallOptions {
  /** Compares the first and the last block of this stage. */
  stage?: number | string;
  /** Compares these two taps. */
  taps?: [string, string];
  /** As of `features`. */
  side?: number;
  /**
   * `pearson` (the default) and `cosine`: the best match of each channel over all positions of all pictures.
   * `r2`: how much of each channel's variance a 1x1 convolution explains on held-out data, which is every fourth
   * picture, or the lowest quarter of each if there are fewer than four. `cka`: unbiased linear CKA.
   */
  metric?: Metric;
  /** Compares with what the last block adds to its shortcut: the shortcut alone makes maps similar. */
  added?: boolean;
  /**
   * What the score is compared with: the first tap's maps of another picture (the default if there is one), shuffled
   * positions (the default if not), the same network with random weights, or nothing.
   */
  control?: Control | false;
  /** Pictures for `other-image`; the default is each picture's neighbour in the list. */
  other?: ImageInput | Iterable<ImageInput>;
  /** Seed of the shuffling and of the random weights; 1 by default. */
  seed?: number;
  /**
   * Regularisation of the fit, relative to the mean variance of the first tap's channels. The default is the number of
   * its channels divided by the number of positions that are fitted.
   */
  ridge?: number;
  /** Reports how many pictures are done, including those for controls. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface Redundancy extends RedundancyScore {
  /** Name of the stage, if you asked for one. */
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
  /** Whether there are enough samples for the measure to mean something. */
  sufficient: boolean;
  /** Why not. */
  reason?: string;
  /** The 1x1 convolution that `r2` scores, `[channels of the second tap, channels of the first]`. */
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

/** A part of the network to leave out. */
export interface Ablation {
  /** A ghost stage, by number or name; for `ghost` and `merge`. */
  stage?: number | string;
  /**
   * `'off'`: the ghost maps are 0. With a fit they are ReLU(weight x + bias), and nothing is aggregated from the
   * blocks; x is the whole output of block 1 (`[cheap, width]`) or the part that the cheap operation reads (`[cheap,
   * cheap]`).
   */
  ghost?: 'off' | LinearFit;
  /** `'off'`: nothing is aggregated from the blocks. */
  merge?: 'off';
  /** Channels of taps that are replaced by 0. */
  channels?: { tap: string; channel: number }[];
}

export interface EditOptions extends CallOptions {
  /** The engine of the new net; by default the engine of this net. */
  backend?: 'auto' | Backend;
  onProgress?: (progress: Progress) => void;
}

/**
 * A loaded model. Calls may overlap: their pictures are read side by side, and the engine computes one after the other.
 * After `dispose()` every call is rejected with the code `disposed`, also those that are waiting.
 */
export interface GGhostNet {
  readonly info: Info;

  /**
   * The model as a safetensors file, whatever the format of the original. For a PyTorch checkpoint, most of this Blob
   * consists of slices of the original file.
   * @example
   * const net = await load({ model: 'checkpoint.pth' });
   * const link = URL.createObjectURL(net.model);
   */
  readonly model: Blob;

  /**
   * The most probable classes of a picture; a list of pictures gives a list of answers. Pictures are read side by side,
   * and the engine computes each as soon as it is ready: a slow picture does not delay other calls.
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
   * The features before the classifier, averaged over positions. Similar pictures have similar features.
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
   * Runs inputs that are already normalised. Height and width are at least 32.
   * @example
   * const { logits, dims } = await net.forward({ data: new Float32Array(3 * 160 * 160), dims: [1, 3, 160, 160] });
   * // dims: [1, 498]
   */
  forward(tensor: Tensor, options?: CallOptions & { taps?: string[] }): Promise<ForwardResult>;

  /**
   * The weights of a convolution as the network uses them: the batch norm, or the scale of eight-bit weights, is
   * included. This downloads the module that edits models.
   * @example
   * const { weight, bias, dims } = await net.weights(net.info.stages[2].ghostPath.step);
   * // dims: [132, 132, 1, 1]
   */
  weights(step: string, options?: CallOptions): Promise<ConvolutionWeights>;

  /**
   * How similar the maps of a stage's first and last block are, with a control. A list of pictures is one measurement.
   * @example
   * const { score, above, control, sufficient } = await net.redundancy(['one.jpg', 'two.jpg'], { stage: 3 });
   * console.log(score, control?.score, above, sufficient);
   * // 0.61 0.12 0.35 true
   */
  redundancy(input: ImageInput | Iterable<ImageInput>, options: RedundancyOptions): Promise<Redundancy>;

  /**
   * Which places and channels speak for a class. The classifier reads the mean of the last maps, so its logit is
   * exactly a sum over positions and channels (class activation maps, Zhou et al. 2016). Networks with a layer
   * between the last maps and the classifier (GhostNet) are `unsupported`.
   * @example
   * const { label, logit, map, shares } = await net.evidence('cat.jpg', { class: 'Egyptian cat', side: 448 });
   * // map: { data: Float32Array(196), dims: [14, 14] }, shares: Float32Array(672)
   */
  evidence(input: ImageInput, options?: EvidenceOptions): Promise<Evidence>;

  /**
   * A second net of the same model without a part of it. You have to dispose of it, too.
   * @example
   * const without = await net.ablated({ stage: 3, ghost: 'off' });
   * console.log((await without.classify('photo.jpg')).top[0].label);
   * // 'parachute'
   */
  ablated(ablation: Ablation | Ablation[], options?: EditOptions): Promise<GGhostNet>;

  /**
   * The plain RegNetX of the same size with random weights, for its parameters, cost and time. Its answers mean
   * nothing.
   * @example
   * const plain = await net.plainTwin();
   * console.log(net.info.macs / plain.info.macs, plain.info.edit);
   * // 0.57 'plain'
   */
  plainTwin(options?: EditOptions & { seed?: number }): Promise<GGhostNet>;

  /**
   * The same network with random weights and the scale 1 in every batch norm. It shows how similar the architecture
   * alone makes maps.
   */
  randomTwin(options?: EditOptions & { seed?: number }): Promise<GGhostNet>;

  /**
   * Draws feature maps of the last picture, or the first one of a batch, and sets the canvas to the size of the grid.
   * WebGPU draws them without reading them back; on WebAssembly `drawMaps` draws the same pixels, within one level of
   * the colour map. The canvas may already have a context for 2d or bitmaprenderer.
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
   * Opens a teacher: new classes from a few pictures of each, on this net's features. Nothing is uploaded.
   * @example
   * const teacher = await net.teach({ classes: ['rock', 'paper'], keep: 'game' });
   * await teacher.add('rock', rocks);
   * await teacher.add('paper', papers);
   * const { accuracy } = await teacher.fit();
   * const { top } = await teacher.classify(video);
   * const file = await teacher.save();
   */
  teach(options?: TeachOptions): Promise<Teacher>;

  /**
   * Compares the engine with the logits in the model file, if it has some, and WebGPU with WebAssembly. `worstError` is
   * relative to the largest value.
   */
  selfTest(options?: CallOptions): Promise<{ passed: boolean; worstError: number }>;

  /** Frees the memory and stops the worker. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * Loads a model onto the best engine of this device. After a failure you can simply call it again.
 * @example
 * import { load } from 'g-ghostnet';
 * const net = await load();
 * console.log(net.info.labels.length, net.info.backend);
 * // 498 'wasm'
 */
export function load(options?: LoadOptions): Promise<GGhostNet>;

/** Removes every part of a model from the browser's cache. */
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

/** Every failure: `message` says what to do, in at most 1,000 characters, and `code` is stable. */
export class GGhostError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
  /** Which picture of a list could not be read, from 0. */
  readonly index?: number;
}

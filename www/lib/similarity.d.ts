import type { AbortSignal, URL } from './dom.js';
import type { CallOptions, FeatureMaps } from './index.js';

/** Feature maps of one picture, as `net.features` gives them. */
export type Maps = Pick<FeatureMaps, 'data' | 'dims'>;

/** A measure of how similar two taps are. */
export type Metric = 'pearson' | 'cosine' | 'r2' | 'cka';

/** Maps that the comparison has: they can be used in its calls as maps are. */
export interface HeldMaps {
  readonly dims: [number, number, number];
  /** Frees their memory; calls that were made before are answered. */
  release(): void;
}

export interface SimilarityOptions {
  /** Folder with the engine's files, where they are not beside the scripts. */
  wasmUrl?: string | URL;
  /** Folder that has all of the package, as for `load`. */
  packageUrl?: string | URL;
  /** `true` insists on a worker, `false` on none; left out: a worker where one can be started. */
  worker?: boolean;
  signal?: AbortSignal;
}

/** For each channel the one of the other side that is most like it. */
export interface BestMatch {
  /** -1 for a dead channel, and where the other side has none alive. */
  match: Int32Array;
  /** Signed, the largest in magnitude; 0 where there is no match. */
  score: Float32Array;
}

export interface Correlation {
  /** `[channels of a, channels of b]`, row-major, signed; 0 for dead channels. */
  matrix: Float32Array;
  dims: [number, number];
  bestOfA: BestMatch;
  bestOfB: BestMatch;
  /** Channels of a that do not vary over positions (Pearson), or are 0 everywhere (cosine). */
  deadA: Int32Array;
  deadB: Int32Array;
}

export interface CorrelateOptions extends CallOptions {
  /** Pearson compares maps less their means (the default), cosine as they are. */
  metric?: 'pearson' | 'cosine';
}

/** A 1x1 convolution, `y = weight x + bias`. */
export interface LinearFit {
  /** `[channels of y, channels of x]`, row-major. */
  weight: Float32Array;
  /** `[channels of y]` */
  bias: Float32Array;
}

/** Similarity of two taps, x and y, over all positions of all pictures that were added. */
export interface SetSimilarity {
  images: number;
  positions: number;
  /** Of x and y. */
  channels: [number, number];
  /** For each channel of y the best match among x's, signed; -1: none. */
  pearson: { best: Float32Array; match: Int32Array };
  cosine: { best: Float32Array; match: Int32Array };
  /** Channels that do not vary. */
  dead: { x: Int32Array; y: Int32Array };
  /** The |r| of a best match that chance alone is expected to find, were positions independent; neighbours are not, so it is more. */
  chance: number;
  /** How much of y's variance the fit explains on what was held out: 1 is all, 0 none, and it may be negative. Absent where nothing was held out. */
  r2?: {
    perChannel: Float32Array;
    /** Over the channels that vary on what was held out. */
    mean: number;
    median: number;
    /** The channels that do not. */
    dead: Int32Array;
    fittedPositions: number;
    scoredPositions: number;
  };
  /** The best ridge 1x1 convolution from x to y on what was not held out; absent where it was not asked for. */
  fit?: LinearFit;
  /** Linear CKA of all positions, from the unbiased HSIC: about 0 for what is unrelated, 1 for what is the same up to rotation, scale and shift. */
  cka: number;
  /** Why a measure is worth little, in a sentence; absent where there are samples enough. */
  caveats: { matches?: string; r2?: string; cka?: string };
  /** Whether there are samples enough for all measures. */
  sufficient: boolean;
  /** Why not. */
  reason?: string;
}

/** Compares two taps over many pictures; memory grows with the channels only. */
export interface Accumulator {
  /**
   * Adds a picture. Where it is held out, the fit is scored on it instead of made from it; a number from 0 to 1 holds
   * out that part of its rows, the lowest.
   */
  add(x: Maps | HeldMaps, y: Maps | HeldMaps, options?: CallOptions & { heldOut?: boolean | number }): Promise<void>;
  /**
   * What the pictures so far say; more can be added after.
   * The fit, with `r2`, takes most of the time: `fit: false` leaves it out.
   * `ridge` is relative to the mean variance of x's channels; by default it is x's channels / positions fitted on, so
   * that the fit shrinks where samples are few.
   */
  result(options?: CallOptions & { fit?: boolean; ridge?: number }): Promise<SetSimilarity>;
  /** Frees its memory. */
  close(): Promise<void>;
}

export interface Similarity {
  /**
   * Hands maps over once, for any number of calls. The buffer is copied, or with `transfer` moved: it is of no use to
   * the caller then.
   */
  hold(maps: Maps, options?: { transfer?: boolean }): HeldMaps;
  /** Every map of a against every map of b; both have the same height and width. */
  correlate(a: Maps | HeldMaps, b: Maps | HeldMaps, options?: CorrelateOptions): Promise<Correlation>;
  /** The same with b's positions shuffled, all channels alike: what chance finds. */
  control(
    a: Maps | HeldMaps,
    b: Maps | HeldMaps,
    options?: CorrelateOptions & { kind?: 'shuffled-positions'; seed?: number },
  ): Promise<Correlation>;
  /** The maps with their positions shuffled, all channels alike. */
  shuffle(a: Maps | HeldMaps, options?: CallOptions & { seed?: number }): Promise<Maps>;
  /**
   * An order in which a matrix shows its structure: rows are clustered by their magnitudes, and each column stands
   * beside the row that it is most like. The same matrix always gets the same order; empty rows and columns come last.
   */
  order(
    matrix: Float32Array,
    dims: [rows: number, columns: number],
    options?: CallOptions,
  ): Promise<{ rows: Uint32Array; columns: Uint32Array }>;
  accumulate(): Accumulator;
  /** Stops the worker; what waits is rejected with the code `disposed`. */
  close(): void;
}

/**
 * Starts what compares feature maps, in a worker of its own; its files are fetched now, not before.
 * @example
 * const similarity = await openSimilarity();
 * const { maps, stage } = await net.features('photo.jpg', { stage: 3 });
 * const { bestOfB } = await similarity.correlate(maps[stage.first], maps[stage.last]);
 * console.log(bestOfB.match[0], bestOfB.score[0]);
 * // 17 0.83
 */
export function openSimilarity(options?: SimilarityOptions): Promise<Similarity>;

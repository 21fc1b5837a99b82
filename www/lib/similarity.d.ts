import type { AbortSignal, URL } from './dom.js';
import type { CallOptions, FeatureMaps } from './index.js';

/** Feature maps of one picture, as `net.features` gives them. */
export type Maps = Pick<FeatureMaps, 'data' | 'dims'>;

/** A measure of how similar two taps are. */
export type Metric = 'pearson' | 'cosine' | 'r2' | 'cka';

/** Maps that the comparison holds. Its calls take them like maps. */
export interface HeldMaps {
  readonly dims: [number, number, number];
  /** Frees their memory. Calls that were made before are still answered. */
  release(): void;
}

export interface SimilarityOptions {
  /** Folder with the engine's files, if they are not beside the scripts. */
  wasmUrl?: string | URL;
  /** Folder with the whole package, as for `load`. */
  packageUrl?: string | URL;
  /** `true` insists on a worker, `false` forbids one. The default is a worker if one can be started. */
  worker?: boolean;
  signal?: AbortSignal;
}

/** For each channel, the most similar one of the other side. */
export interface BestMatch {
  /** -1 for a dead channel, and if all channels of the other side are dead. */
  match: Int32Array;
  /** The score with the largest absolute value, with its sign; 0 if there is no match. */
  score: Float32Array;
}

export interface Correlation {
  /** `[channels of a, channels of b]`, row-major, with signs; 0 for dead channels. */
  matrix: Float32Array;
  dims: [number, number];
  bestOfA: BestMatch;
  bestOfB: BestMatch;
  /** Channels of a that do not vary over positions (Pearson) or are 0 everywhere (cosine). */
  deadA: Int32Array;
  deadB: Int32Array;
}

export interface CorrelateOptions extends CallOptions {
  /** `'pearson'` (the default) subtracts the means of the maps, `'cosine'` does not. */
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
  /** Numbers of channels of x and y. */
  channels: [number, number];
  /** For each channel of y the best match among x's, with its sign; -1 for none. */
  pearson: { best: Float32Array; match: Int32Array };
  cosine: { best: Float32Array; match: Int32Array };
  /** Channels that do not vary. */
  dead: { x: Int32Array; y: Int32Array };
  /**
   * The |r| of a best match that is expected by chance if positions are independent. Neighbours are not, so the real
   * level is higher.
   */
  chance: number;
  /**
   * How much of y's variance the fit explains on held-out data: 1 is all, 0 none, and it may be negative. Absent if
   * nothing was held out.
   */
  r2?: {
    perChannel: Float32Array;
    /** Over the channels that vary on the held-out data. */
    mean: number;
    median: number;
    /** The channels that do not vary there. */
    dead: Int32Array;
    fittedPositions: number;
    scoredPositions: number;
  };
  /**
   * The best 1x1 convolution from x to y (ridge regression) on the data that was not held out; absent with `fit: false`.
   */
  fit?: LinearFit;
  /**
   * Linear CKA of all positions, from the unbiased HSIC: about 0 for unrelated maps, 1 for maps that are equal up to
   * rotation, scale and shift.
   */
  cka: number;
  /** Why a measure means little, in a sentence; absent if there are enough samples. */
  caveats: { matches?: string; r2?: string; cka?: string };
  /** Whether there are enough samples for all measures. */
  sufficient: boolean;
  /** Why not. */
  reason?: string;
}

/** Compares two taps over many pictures. Its memory depends on the number of channels only. */
export interface Accumulator {
  /**
   * Adds a picture. If it is held out, it scores the fit instead of contributing to it; a number from 0 to 1 holds out
   * that share of its rows, from the bottom.
   */
  add(x: Maps | HeldMaps, y: Maps | HeldMaps, options?: CallOptions & { heldOut?: boolean | number }): Promise<void>;
  /**
   * The result of the pictures so far; you can add more afterwards.
   * The fit, with `r2`, takes most of the time: `fit: false` leaves it out.
   * `ridge` is relative to the mean variance of x's channels. The default is the number of x's channels divided by the
   * number of positions that are fitted, so the fit shrinks if there are few samples.
   */
  result(options?: CallOptions & { fit?: boolean; ridge?: number }): Promise<SetSimilarity>;
  /** Frees its memory. */
  close(): Promise<void>;
}

export interface Similarity {
  /**
   * Hands maps over once, for any number of calls. The buffer is copied, or with `transfer` moved: then you cannot use
   * it any more.
   */
  hold(maps: Maps, options?: { transfer?: boolean }): HeldMaps;
  /** Every map of a against every map of b; both have the same height and width. */
  correlate(a: Maps | HeldMaps, b: Maps | HeldMaps, options?: CorrelateOptions): Promise<Correlation>;
  /** The same with b's positions shuffled, in the same order for all channels: the chance level. */
  control(
    a: Maps | HeldMaps,
    b: Maps | HeldMaps,
    options?: CorrelateOptions & { kind?: 'shuffled-positions'; seed?: number },
  ): Promise<Correlation>;
  /** The maps with their positions shuffled, in the same order for all channels. */
  shuffle(a: Maps | HeldMaps, options?: CallOptions & { seed?: number }): Promise<Maps>;
  /**
   * An order that shows the structure of a matrix: rows are clustered by their absolute values, and each column is next
   * to its most similar row. The same matrix always gets the same order; empty rows and columns come last.
   */
  order(
    matrix: Float32Array,
    dims: [rows: number, columns: number],
    options?: CallOptions,
  ): Promise<{ rows: Uint32Array; columns: Uint32Array }>;
  accumulate(): Accumulator;
  /** Stops the worker. Calls that are waiting are rejected with the code `disposed`. */
  close(): void;
}

/**
 * Opens a comparison of feature maps, in its own worker. Its files are downloaded now, not before.
 * @example
 * const similarity = await openSimilarity();
 * const { maps, stage } = await net.features('photo.jpg', { stage: 3 });
 * const { bestOfB } = await similarity.correlate(maps[stage.first], maps[stage.last]);
 * console.log(bestOfB.match[0], bestOfB.score[0]);
 * // 17 0.83
 */
export function openSimilarity(options?: SimilarityOptions): Promise<Similarity>;

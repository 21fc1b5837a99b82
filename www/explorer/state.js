/**
 * @file What is known at a moment: one typed object, of which every view is a function. What a visitor has chosen,
 * what is looked at, and the answers to what the views ask (see requests.js).
 */
import { defaults } from '../view/address.js';

/**
 * @typedef {import('../lib/index.js').GGhostNet} Net
 * @typedef {import('../lib/index.js').Info} Info
 * @typedef {import('../lib/index.js').StageInfo} StageInfo
 * @typedef {import('../lib/index.js').FeatureMaps} FeatureMaps
 * @typedef {import('../lib/index.js').Classification} Classification
 * @typedef {import('../lib/index.js').ImageInput} ImageInput
 * @typedef {import('../lib/similarity.js').Maps} Maps
 * @typedef {import('../lib/similarity.js').BestMatch} BestMatch
 * @typedef {import('../lib/similarity.js').Correlation} Correlation
 * @typedef {import('../lib/similarity.js').SetSimilarity} SetSimilarity
 */

/** @typedef {'first' | 'last'} Side of the two taps that are compared */

/**
 * What a visitor has chosen; the address holds all of it.
 * @typedef {object} Choices
 * @property {string} sample file of the sample that is shown
 * @property {string} model file in models/; empty: the default
 * @property {'auto' | import('../lib/index.js').Backend} backend
 * @property {string} stage
 * @property {string} tab name of a view
 * @property {string} compare two taps, joined by a comma; empty: block 1 and block n
 * @property {string} class index of the answer whose evidence lies over the photograph; empty: none
 * @property {string} pin the map that stays lit: side and channel, `last.12`; with the other side's map where that is
 *   not its twin, `last.12.40`
 * @property {number} side of the input that maps are made from, in pixels; 0: as sharp as the device allows
 * @property {number} threshold
 * @property {'pearson' | 'cosine'} metric
 * @property {'channel' | 'similarity' | 'energy'} sort
 * @property {'viridis' | 'cividis' | 'grey' | 'diverging'} palette
 * @property {'local' | 'pair' | 'stage'} scale
 * @property {string} language
 * @property {string} theme
 */

/**
 * @typedef {object} Sample
 * @property {string} [file] on this page
 * @property {ImageInput} [input] in other pages
 * @property {string} [title]
 * @property {string} [credit]
 * @property {string} [source]
 * @property {string} [license]
 * @property {string} [licenseUrl]
 * @property {string[]} [labels] what models may rightly call it
 */

/**
 * A picture: a sample, a file, a frame of the camera, or whatever the library takes.
 * @typedef {object} Picture
 * @property {Sample} [sample]
 * @property {Blob} [blob]
 * @property {ImageData} [live] a frame of the camera
 * @property {ImageInput} [input]
 * @property {boolean} [unread] the camera's frame is classified only: its maps stay on the graphics card
 * @property {string} [name]
 * @property {string} [title]
 * @property {string} [url] of an image that shows it
 */

/** A map under the pointer. @typedef {{ side: Side, channel: number, other?: number }} Pointed */

/**
 * The two taps that are compared, with their maps.
 * @typedef {object} ComparedMaps
 * @property {Picture} picture that is shown, or of the camera's the last one that was read
 * @property {string} stage
 * @property {[string, string]} taps
 * @property {FeatureMaps} first
 * @property {FeatureMaps} last
 * @property {number} [side] of the input that they are made from, where it is not the network's own
 */

/**
 * How similar they are, and what chance makes of them as far as it is known.
 * @typedef {Correlation & { maps: ComparedMaps, metric: string, shuffled?: BestMatch, other?: BestMatch }} Comparison
 */

/** @typedef {'ghost' | 'merge' | 'fit' | 'map'} AblationKind */
/**
 * A part of the network to do without.
 * @typedef {{ kind: AblationKind | '', stage: string, tap?: string, channel?: number }} Ablation
 */

/**
 * The measures of two taps with their controls; while pictures are still measured, how far that is.
 * @typedef {object} Study
 * @property {SetSimilarity} [own]
 * @property {SetSimilarity} [other] against another picture
 * @property {SetSimilarity} [shuffled]
 * @property {SetSimilarity} [random] in a network of random weights
 * @property {string[]} [failures] names of what could not be read
 * @property {boolean} [running]
 * @property {number} [done]
 * @property {number} [total]
 * @property {string} [error]
 */

/** What the plain network of the same size costs. @typedef {Pick<Info, 'params' | 'macs' | 'activations'>} Cost */
/**
 * @typedef {{ backend: import('../lib/index.js').Backend, ghost?: number, plain?: number, adapter?: string | null,
 *   error?: string }} Timing
 */
/**
 * Both networks' times on each engine.
 * @typedef {{ running?: import('../lib/index.js').Backend, found?: Timing[] }} Timings
 */
/** @typedef {{ before?: Classification['top'], after?: Classification['top'], error?: string }} Without */

/**
 * What the views have asked for and is answered by now, by the names that views.js gives.
 * @typedef {object} Answers
 * @property {import('../lib/index.js').Evidence} [evidence]
 * @property {Correlation} [similarity]
 * @property {Correlation} [shuffled]
 * @property {Correlation} [chance]
 * @property {{ rows: Uint32Array, columns: Uint32Array }} [order]
 * @property {Record<string, FeatureMaps>} [path]
 * @property {import('../lib/index.js').ConvolutionWeights} [weights]
 * @property {Without} [without]
 * @property {Study} [alone]
 * @property {Study} [set]
 * @property {Cost} [plain]
 * @property {Timings} [times]
 */

/**
 * @typedef {object} Looked what is looked at
 * @property {Info} [info] of the net
 * @property {StageInfo[]} stages
 * @property {Sample[]} samples the first besides the picture is its control, all of them are a set to measure
 * @property {Picture} [picture]
 * @property {Classification} [result]
 * @property {ComparedMaps} [maps]
 * @property {boolean} busy
 * @property {string} [error]
 * @property {number} width of the window
 * @property {number} height of the window
 */

/**
 * @typedef {object} Asked what a visitor asks besides what the address holds
 * @property {Pointed} [pointed]
 * @property {Ablation} [ablation]
 * @property {{ name: string, pictures: Picture[], taps: [string, string] }} [set] to measure
 * @property {{ picture: Picture, run: number }} [timed] both networks are timed on this picture
 * @property {string} [formula] the measure whose formula is open
 */

/** @typedef {Choices & Looked & Asked & { answers: Answers, comparison?: Comparison }} State */

/**
 * The page's own, besides.
 * @typedef {object} PageState
 * @property {import('../lib/index.js').Progress} [progress]
 * @property {Error} [loadError]
 * @property {{ load?: number, first?: number, warm?: number, phases?: Record<string, number> }} times
 * @property {File | File[]} [file] a model of the visitor's own, in one file or several
 * @property {boolean} dragging
 * @property {number} [step] of the tour
 * @property {{ file: string, title: string }[]} [models]
 * @property {boolean} [offline] whether the page works without a network
 * @property {boolean} [newer] whether a newer version waits
 */

/** @returns {State} as it is before anyone chose or looked at anything */
export function newState() {
  return { ...defaults, stages: [], samples: [], busy: false, width: innerWidth, height: innerHeight, answers: {} };
}

import type { GGhostError, GGhostNet, ImageInput } from './index.js';

/** What all elements of the explorer have. What is set later is shown then. */
export class GGhostNetView extends HTMLElement {
  /** Computes the maps; it stays the caller's, to dispose of too. */
  net?: GGhostNet;
  picture?: ImageInput;
  /** More pictures: the first is the control beside every score, all of them are the set that can be measured. */
  others?: ImageInput[];
}

/**
 * `<g-ghostnet-explorer stage="3">`: a stage of a network in four views: twins, ghost path, similarity, numbers.
 *
 * Attributes: `stage` (from 1, or a name), `view` (`twins`, `ghost`, `similarity`, `numbers`), `compare` (two taps, joined
 * by a comma), `metric` (`pearson`, `cosine`), `threshold`, `sort` (`channel`, `similarity`, `energy`), `palette`
 * (`viridis`, `cividis`, `grey`, `diverging`), `scale` (`local`, `pair`, `stage`), `pin` (`last.12`), `language` (`en`, `zh`)
 * and `theme` (`light`, `dark`).
 * Fires `point` (`detail`: the pair that is lit) and `failure` (`detail`: what went wrong).
 * Its part `frame` can be styled: ground, font, and the colours `--first`, `--last`, `--ghost`, `--text`, `--surface`.
 * @example
 * const explorer = document.querySelector('g-ghostnet-explorer');
 * Object.assign(explorer, { net: await load(), picture: 'photo.jpg', others: ['another.jpg'] });
 */
export class GGhostNetExplorer extends GGhostNetView {}

/** `<g-ghostnet-twins>`: both grids of maps, each map lit with its twin; attributes and events as `<g-ghostnet-explorer>` but `view`. */
export class GGhostNetTwins extends GGhostNetView {}

/** `<g-ghostnet-ghost-path>`: how the ghost maps are made, with weights, and what the network answers without them. */
export class GGhostNetGhostPath extends GGhostNetView {}

/** `<g-ghostnet-similarity>`: the matrix of every map against every map, clustered, and the best matches beside chance. */
export class GGhostNetSimilarity extends GGhostNetView {}

/** `<g-ghostnet-numbers>`: every measure with its controls, over one picture or a set, and what the ghosts save. */
export class GGhostNetNumbers extends GGhostNetView {}

/** The pair that is lit: channels of both sides, -1 for none, and how alike they are. */
export interface LitPair {
  first: number;
  last: number;
  r: number;
}

declare global {
  interface HTMLElementTagNameMap {
    'g-ghostnet-explorer': GGhostNetExplorer;
    'g-ghostnet-twins': GGhostNetTwins;
    'g-ghostnet-ghost-path': GGhostNetGhostPath;
    'g-ghostnet-similarity': GGhostNetSimilarity;
    'g-ghostnet-numbers': GGhostNetNumbers;
  }
  interface GGhostNetExplorerEventMap {
    point: CustomEvent<LitPair>;
    failure: CustomEvent<GGhostError | Error>;
  }
}

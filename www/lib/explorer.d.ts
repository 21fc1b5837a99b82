import type { Listen } from './events.js';
import type { GGhostError, GGhostNet, ImageInput } from './index.js';

/**
 * An element of the explorer. You can set its properties at any time.
 *
 * Attributes: `stage` (from 1, or a name), `view` (`twins`, `ghost`, `similarity`, `numbers`), `compare` (two taps,
 * joined by a comma), `metric` (`pearson`, `cosine`), `threshold`, `sort` (`channel`, `similarity`, `energy`), `palette`
 * (`viridis`, `cividis`, `grey`, `diverging`), `scale` (`local`, `pair`, `stage`), `pin` (`last.12`), `language`
 * (`en`, `zh`) and `theme` (`light`, `dark`).
 * Fires `point` (`detail`: the pair that is lit) and `failure` (`detail`: what went wrong).
 * Its part `frame` can be styled: ground, font, and the colours `--first`, `--last`, `--ghost`, `--text`, `--surface`.
 * @example
 * const explorer = document.querySelector('g-ghostnet-explorer');
 * Object.assign(explorer, { net: await load(), picture: 'photo.jpg', others: ['another.jpg'] });
 */
export class GGhostNetView extends HTMLElement {
  /** Computes the maps. It stays yours: dispose of it when you no longer need it. */
  net?: GGhostNet;
  picture?: ImageInput;
  /** More pictures: the first is the control for every score, and measures run over all of them. */
  others?: ImageInput[];
  addEventListener: Listen<GGhostNetView, ViewEvents>;
}

type ViewEvents = HTMLElementEventMap & GGhostNetExplorerEventMap;

/** The pair that is highlighted: channels of both sides, -1 for none, and their correlation. */
export interface LitPair {
  first: number;
  last: number;
  r: number;
}

declare global {
  interface HTMLElementTagNameMap {
    /** A stage of a network in all its views. */
    'g-ghostnet-explorer': GGhostNetView;
    /** Both grids of maps, each map lit with its twin. */
    'g-ghostnet-twins': GGhostNetView;
    /** How the ghost maps are made, with weights, and what the network answers without them. */
    'g-ghostnet-ghost-path': GGhostNetView;
    /** The matrix of every map against every map, clustered, and the best matches beside chance. */
    'g-ghostnet-similarity': GGhostNetView;
    /** Every measure with its controls, over one picture or a set, and what the ghosts save. */
    'g-ghostnet-numbers': GGhostNetView;
  }
  interface GGhostNetExplorerEventMap {
    point: CustomEvent<LitPair>;
    failure: CustomEvent<GGhostError | Error>;
  }
}

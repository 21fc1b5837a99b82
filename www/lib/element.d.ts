import type { Listen } from './events.js';
import type { Classification, FeatureMaps, GGhostError, GGhostNet, ImageInput } from './index.js';

type ClassifierEvents = HTMLElementEventMap & Pick<GGhostNetEventMap, 'result' | 'failure'>;
type MapsEvents = HTMLElementEventMap & Pick<GGhostNetEventMap, 'point'>;

/**
 * `<g-ghostnet-classifier model="..." backend="wasm" top="3">` classifies a picture that is dropped, chosen or pasted.
 * Fires `result` (`detail`: a Classification) and `failure` (`detail`: a GGhostError).
 * Parts to style: `zone`, `photo`, `hint`, `doubt`, `list`, `row`, `bar`, `error`.
 */
export class GGhostNetClassifier extends HTMLElement {
  /** The net, loaded when the element is first connected. */
  readonly net: Promise<GGhostNet>;
  classify(input: ImageInput): Promise<Classification | undefined>;
  addEventListener: Listen<GGhostNetClassifier, ClassifierEvents>;
}

/**
 * `<g-ghostnet-maps colormap="grey" scale="all">`: a grid of feature maps; fires `point` (`detail`: the channel under
 * the pointer).
 */
export class GGhostNetMaps extends HTMLElement {
  maps?: FeatureMaps;
  addEventListener: Listen<GGhostNetMaps, MapsEvents>;
}

declare global {
  interface HTMLElementTagNameMap {
    'g-ghostnet-classifier': GGhostNetClassifier;
    'g-ghostnet-maps': GGhostNetMaps;
  }
  interface GGhostNetEventMap {
    result: CustomEvent<Classification>;
    failure: CustomEvent<GGhostError>;
    point: CustomEvent<number>;
  }
}

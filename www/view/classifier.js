/** @file Pictures are classified, as long as nobody can see more of them. */
import { inputOf } from './input.js';

/**
 * @typedef {import('../explorer/explorer.js').PageState} PageState
 * @typedef {import('../explorer/state.js').Picture} Picture
 */

/**
 * What the page needs of whoever looks at pictures; the explorer's session is another one.
 * @typedef {object} Looker
 * @property {import('../explorer/state.js').Net} [net]
 * @property {(change: Partial<PageState>) => void} update
 * @property {(net: import('../explorer/state.js').Net) => void} use
 * @property {(choice: Picture | undefined) => Promise<void>} look
 * @property {Picture | undefined} picture that is looked at, or will be
 */

/** @implements {Looker} */
export class Classifier {
  /** @type {import('../explorer/state.js').Net | undefined} */
  net;
  /** The picture that was chosen last: the last choice wins. @type {Picture | undefined} */
  #asked;

  /** @param {import('../explorer/session.js').Host<PageState>} host */
  constructor(host) {
    this.host = host;
  }

  /** @param {Partial<PageState>} change */
  update(change) {
    const { state, draw } = this.host;
    Object.assign(state, change);
    draw(state);
  }

  /** @param {import('../explorer/state.js').Net} net */
  use(net) {
    this.net = net;
  }

  /** @param {Picture | undefined} choice */
  async look(choice) {
    const { net, host } = this;
    if (!net || !choice) return;
    this.#asked = choice;
    this.update({ busy: true, error: undefined });
    const isOver = () => net !== this.net || choice !== this.#asked;
    try {
      const result = await net.classify(inputOf(choice));
      if (isOver()) return;
      this.#asked = undefined;
      this.update({ picture: host.shown?.(choice) ?? choice, result, busy: false });
    } catch (error) {
      if (isOver()) return;
      this.#asked = undefined;
      this.update({ busy: false });
      host.failed(/** @type {Error} */ (error), choice);
    }
  }

  get picture() {
    return this.#asked ?? this.host.state.picture;
  }
}

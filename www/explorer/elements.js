/**
 * @file The explorer in other pages, `g-ghostnet/explorer`: an element for all of it and one for each view, whose
 * scripts are fetched when one is first shown. The types, with an example, are in lib/explorer.d.ts.
 */
import { views } from './views.js';

// Importing this on a server must do no harm.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

const attributes = [
  'stage',
  'view',
  'compare',
  'metric',
  'threshold',
  'sort',
  'palette',
  'scale',
  'pin',
  'language',
  'theme',
];
/**
 * @typedef {import('./embed.js').Properties} Properties
 * @typedef {import('../lib/explorer.d.ts').GGhostNetView} Described
 */

/** @type {(keyof Properties)[]} */
const properties = ['net', 'picture', 'others'];

/** @implements {Described} */
export class GGhostNetView extends Base {
  static observedAttributes = attributes;
  /** The one view of this element; undefined: all of them. @type {string | undefined} */
  static view = undefined;

  /** @type {Properties} */
  #values = {};
  /** @type {Promise<import('./embed.js').Embedding> | undefined} */
  #embedded;
  /** @type {Promise<void> | undefined} */
  #told; // eslint-disable-line no-unused-private-class-members -- `??=` reads it

  get net() {
    return this.#values.net;
  }
  set net(net) {
    this.#set({ net });
  }

  get picture() {
    return this.#values.picture;
  }
  set picture(picture) {
    this.#set({ picture });
  }

  get others() {
    return this.#values.others;
  }
  set others(others) {
    this.#set({ others });
  }

  /** @param {Properties} change */
  #set(change) {
    Object.assign(this.#values, change);
    this.#tell();
  }

  connectedCallback() {
    // What was set before the element was known hides the accessors.
    for (const name of properties) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (/** @type {any} */ (this)[name]);
      Object.assign(this.#values, { [name]: value });
    }
    this.#tell();
  }

  disconnectedCallback() {
    this.#embedded?.then(
      (embedded) => embedded.close(),
      () => {},
    );
    this.#embedded = undefined;
  }

  attributeChangedCallback() {
    this.#tell();
  }

  /** Once for all that is set in one go. */
  #tell() {
    this.#told ??= Promise.resolve().then(() => {
      this.#told = undefined;
      if (!this.isConnected) return;
      const { view } = /** @type {typeof GGhostNetView} */ (this.constructor);
      this.#embedded ??= import('./embed.js').then(({ embed }) => embed(this, view));
      const set = attributes.filter((name) => this.hasAttribute(name));
      const chosen = Object.fromEntries(set.map((name) => [name, this.getAttribute(name) ?? undefined]));
      this.#embedded
        .then((embedded) => embedded.show(this.#values, chosen))
        .catch((detail) => this.dispatchEvent(new CustomEvent('failure', { detail })));
    });
  }
}

/** @param {string} name @param {string} [view] */
function defineElement(name, view) {
  const tag = `g-ghostnet-${name}`;
  if (globalThis.customElements?.get(tag) !== undefined) return;
  globalThis.customElements?.define(
    tag,
    class extends GGhostNetView {
      static view = view;
    },
  );
}

defineElement('explorer');
for (const { name, element } of views) defineElement(element, name);

/**
 * @file The explorer in other pages, `g-ghostnet/explorer`: elements whose views are fetched when one is first shown.
 * The types, with an example, are in lib/explorer.d.ts.
 */

// Importing this on a server must do no harm.
const Base = globalThis.HTMLElement ?? class {};

const attributes = ['stage', 'view', 'compare', 'metric', 'threshold', 'sort', 'palette', 'scale', 'pin', 'language', 'theme'];
const properties = ['net', 'picture', 'others'];

class View extends Base {
  static observedAttributes = attributes;
  /** The one view of this element; undefined: all of them. */
  static view = undefined;

  #values = {};
  #embedded;
  #told;

  connectedCallback() {
    // What was set before the element was known hides the accessors.
    for (const name of properties) {
      if (!Object.hasOwn(this, name)) continue;
      this.#values[name] = this[name];
      delete this[name];
    }
    this.#tell();
  }

  disconnectedCallback() {
    this.#embedded?.then((embedded) => embedded.close(), () => {});
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
      this.#embedded ??= import('./embed.js').then(({ embed }) => embed(this, this.constructor.view));
      const chosen = Object.fromEntries(attributes.filter((name) => this.hasAttribute(name)).map((name) => [name, this.getAttribute(name)]));
      this.#embedded
        .then((embedded) => embedded.show(this.#values, chosen))
        .catch((detail) => this.dispatchEvent(new CustomEvent('failure', { detail })));
    });
  }

  static {
    for (const name of properties) {
      Object.defineProperty(this.prototype, name, {
        get() {
          return this.#values[name];
        },
        set(value) {
          this.#values[name] = value;
          this.#tell();
        },
      });
    }
  }
}

export class GGhostNetExplorer extends View {}
export class GGhostNetTwins extends View {
  static view = 'twins';
}
export class GGhostNetGhostPath extends View {
  static view = 'ghost';
}
export class GGhostNetSimilarity extends View {
  static view = 'similarity';
}
export class GGhostNetNumbers extends View {
  static view = 'numbers';
}

const elements = {
  'g-ghostnet-explorer': GGhostNetExplorer,
  'g-ghostnet-twins': GGhostNetTwins,
  'g-ghostnet-ghost-path': GGhostNetGhostPath,
  'g-ghostnet-similarity': GGhostNetSimilarity,
  'g-ghostnet-numbers': GGhostNetNumbers,
};
for (const [tag, element] of Object.entries(elements)) if (globalThis.customElements?.get(tag) === undefined) globalThis.customElements?.define(tag, element);

/**
 * @file Custom elements: a drop zone that classifies, and a grid of feature maps.
 */
import { drawMaps, layOut } from './draw.js';
import { caught } from './errors.js';
import { load } from './index.js';

// Importing this on a server must do no harm.
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

/**
 * @typedef {import('./index.d.ts').GGhostNet} Net
 * @typedef {import('./index.d.ts').LoadOptions} LoadOptions
 */

/**
 * A shadow root with styles that a strict content policy allows.
 * @param {HTMLElement} element
 * @param {string} css
 * @param {Node[]} content
 */
function shadowOf(element, css, content) {
  const root = element.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  root.append(...content);
}

/**
 * @template {'img' | 'input' | 'label' | 'li' | 'meter' | 'ol' | 'p' | 'slot' | 'span'} T
 * @param {T} tag
 * @param {string} part its name for styles, or nothing
 * @param {Partial<HTMLElementTagNameMap[T]>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, part, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (part) element.setAttribute('part', part);
  element.append(...children);
  return element;
}

export class GGhostNetClassifier extends Base {
  /** @type {Promise<Net> | undefined} */
  #net;
  /** Of the last picture. @type {AbortController | undefined} */
  #controller;
  /** @type {{ list: HTMLElement, doubt: HTMLElement, error: HTMLElement } | undefined} */
  #parts;
  /** Of the picture that is shown. */
  #url = '';

  connectedCallback() {
    this.#parts ??= this.#build();
    this.net.catch((error) => this.#fail(error));
  }

  disconnectedCallback() {
    this.#controller?.abort();
    this.#net?.then(
      (net) => net.dispose(),
      () => {},
    );
    this.#net = undefined;
    URL.revokeObjectURL(this.#url);
  }

  get net() {
    const option = (/** @type {string} */ name) => this.getAttribute(name) ?? undefined;
    const backend = /** @type {LoadOptions['backend']} */ (option('backend'));
    this.#net ??= load({ model: option('model'), backend, wasmUrl: option('wasm-url') });
    return this.#net;
  }

  /** @type {import('./element.d.ts').GGhostNetClassifier['classify']} */
  async classify(input) {
    this.#controller?.abort();
    const { signal } = (this.#controller = new AbortController());
    try {
      const net = await this.net;
      const result = await net.classify(input, { topK: Number(this.getAttribute('top') ?? 5), signal });
      this.#show(result);
      return result;
    } catch (error) {
      if (caught(error).code === 'crashed') this.#net = undefined;
      if (!signal.aborted) this.#fail(error);
      return undefined;
    }
  }

  #build() {
    const input = make('input', '', { type: 'file', accept: 'image/*' });
    const photo = make('img', 'photo', { alt: '', hidden: true });
    const words = make('slot', '', {}, 'Drop a picture here, paste one, or click to choose.');
    const hint = make('span', 'hint', {}, words);
    const zone = make('label', 'zone', {}, input, photo, hint);
    const doubt = make('p', 'doubt', { hidden: true, textContent: 'Not sure: it may be none of the classes.' });
    const list = make('ol', 'list', { ariaLive: 'polite' });
    const error = make('p', 'error', { role: 'alert', hidden: true });
    shadowOf(
      this,
      `:host { display: block; font-variant-numeric: tabular-nums; }
       [hidden] { display: none; }
       label { display: grid; place-items: center; min-height: 160px; border: 1px dashed currentColor; border-radius: 4px; cursor: pointer; overflow: hidden; }
       label:focus-within { outline: 2px solid; outline-offset: 2px; }
       input { position: absolute; opacity: 0; width: 1px; height: 1px; }
       img { display: block; max-width: 100%; max-height: 320px; }
       ol { list-style: none; margin: 8px 0; padding: 0; }
       li { display: grid; grid-template-columns: 1fr auto; }
       meter { grid-column: 1 / -1; width: 100%; height: 8px; }`,
      [zone, error, doubt, list],
    );
    const take = (/** @type {File | undefined} */ file) => {
      if (!file) return;
      URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(file);
      photo.src = this.#url;
      this.classify(file);
    };
    input.addEventListener('change', () => take(input.files?.[0]));
    zone.addEventListener('dragover', (event) => event.preventDefault());
    zone.addEventListener('drop', (event) => {
      event.preventDefault();
      take(event.dataTransfer?.files[0]);
    });
    zone.addEventListener('paste', (event) => take(event.clipboardData?.files[0]));
    photo.addEventListener('load', () => ([photo.hidden, hint.hidden] = [false, true]));
    photo.addEventListener('error', () => ([photo.hidden, hint.hidden] = [true, false]));
    return { list, doubt, error };
  }

  /** @param {import('./index.d.ts').Classification} result */
  #show(result) {
    const { list, doubt, error } = (this.#parts ??= this.#build());
    error.hidden = true;
    doubt.hidden = !result.unsure;
    list.replaceChildren(
      ...result.top.map(({ label, probability }) =>
        make(
          'li',
          'row',
          {},
          make('span', '', {}, label),
          make('span', '', {}, `${(100 * probability).toFixed(1)} %`),
          make('meter', 'bar', { value: probability }),
        ),
      ),
    );
    this.dispatchEvent(new CustomEvent('result', { detail: result }));
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#parts) {
      this.#parts.error.textContent = caught(error).message ?? '';
      this.#parts.error.hidden = false;
    }
    this.dispatchEvent(new CustomEvent('failure', { detail: error }));
  }
}

export class GGhostNetMaps extends Base {
  static observedAttributes = ['colormap', 'scale'];
  /** @type {import('./index.d.ts').FeatureMaps | undefined} */
  #maps;
  /** @type {HTMLCanvasElement | undefined} */
  #canvas;
  /** Of what is drawn. */
  #layout = { cell: 1, columns: 1, rows: 0 };
  /** @type {ResizeObserver | undefined} */
  #observer;

  connectedCallback() {
    if (!this.#canvas) {
      this.#canvas = document.createElement('canvas');
      shadowOf(this, ':host { display: block; } canvas { display: block; }', [this.#canvas]);
      this.#canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
        const { cell, columns } = this.#layout;
        const channel = Math.floor(offsetY / cell) * columns + Math.floor(offsetX / cell);
        if (channel < (this.#maps?.dims[0] ?? 0)) this.dispatchEvent(new CustomEvent('point', { detail: channel }));
      });
    }
    this.#observer ??= new ResizeObserver(() => this.#draw());
    this.#observer.observe(this);
  }

  disconnectedCallback() {
    this.#observer?.disconnect();
  }

  attributeChangedCallback() {
    this.#draw();
  }

  get maps() {
    return this.#maps;
  }

  set maps(maps) {
    this.#maps = maps;
    this.#draw();
  }

  #draw() {
    if (!this.#canvas || !this.#maps || !this.clientWidth) return;
    const ratio = devicePixelRatio;
    const height = Number(this.getAttribute('height') ?? 400);
    this.#layout = layOut(this.#maps.dims[0], this.clientWidth, height);
    const { cell, columns, rows } = this.#layout;
    const gap = Math.round(ratio);
    const [colormap, scale] = ['colormap', 'scale'].map((name) => this.getAttribute(name) ?? undefined);
    /** @type {object} */
    const options = { cell: Math.round(cell * ratio) - gap, gap, columns, colormap, scale };
    drawMaps(this.#canvas, this.#maps, options);
    Object.assign(this.#canvas.style, { width: `${columns * cell}px`, height: `${rows * cell}px` });
  }
}

if (globalThis.customElements) {
  customElements.define('g-ghostnet-classifier', GGhostNetClassifier);
  customElements.define('g-ghostnet-maps', GGhostNetMaps);
}

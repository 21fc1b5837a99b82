/** @file A grid of maps: one canvas, one lit map with a lens over it, one cell for assistive technology. */
import { css, html, nothing } from 'lit';
import { define, shared, styled, View, Width } from './base.js';
import { layOutPane, paintGrid, paintOne } from './paint.js';

const LONG_PRESS = 450;

/** What the maps are painted anew for. */
const paints = ['maps', 'order', 'drawn', 'palette', 'range', 'blank', 'wide', 'room', 'theme'];

/**
 * Fires `point` ({ channel }), `leave` and `pin` ({ channel }).
 */
class Grid extends View {
  static properties = {
    ...View.properties,
    side: {},
    label: {},
    maps: { attribute: false },
    drawn: { attribute: false },
    order: { attribute: false },
    palette: {},
    range: { attribute: false },
    blank: { attribute: false },
    describe: { attribute: false },
    lit: { type: Number },
    next: { attribute: false },
    pinned: { type: Boolean },
    room: { type: Number },
    theme: {},
    wide: { state: true },
  };

  static styles = [
    shared,
    css`
      .pane { position: relative; overflow: hidden auto; scrollbar-width: thin; }
      .pane.short { overflow: visible; }
      canvas { display: block; image-rendering: pixelated; }
      .maps { touch-action: pan-y; cursor: crosshair; }
      i { position: absolute; pointer-events: none; outline: 1.5px solid var(--accent); }
      .lens {
        position: absolute; z-index: 2; pointer-events: none; background: var(--surface);
        box-shadow: 0 0 0 2px var(--accent), 0 0 0 5px var(--surface);
      }
      .lens.pinned { box-shadow: 0 0 0 3px var(--accent), 0 0 0 6px var(--surface); }
      .lens canvas { width: 100%; height: 100%; }
      .blank { display: grid; place-items: center; font-size: 11px; color: var(--muted); }
      :host { --accent: var(--first); min-width: 0; }
      :host([side='last']) { --accent: var(--last); }
      :host([side='ghost']) { --accent: var(--ghost); }
    `,
  ];

  constructor() {
    super();
    /** Which colour it has. @type {'first' | 'last' | 'ghost'} */
    this.side = 'first';
    this.label = '';
    /** @type {import('./state.js').Maps | undefined} */
    this.maps = undefined;
    /**
     * Where the graphics card draws them, anew with each such object.
     * @type {{ net: import('./state.js').Net, tap: string } | undefined}
     */
    this.drawn = undefined;
    /** Channels by place. @type {number[]} */
    this.order = [];
    /** @type {import('./paint.js').Palette} */
    this.palette = 'viridis';
    /** The numbers that have the palette's ends. @type {(channel: number) => [number, number]} */
    this.range = () => [0, 1];
    /** @type {Set<number> | undefined} */
    this.blank = undefined;
    /** What a screen reader hears of a channel. @type {((channel: number) => string) | undefined} */
    this.describe = undefined;
    /** The lit channel, and the other side's next best after it, best first. */
    this.lit = -1;
    /** @type {number[]} */
    this.next = [];
    this.pinned = false;
    this.room = 560;
    this.theme = '';
    this.wide = 0;
    /** @type {ReturnType<typeof layOutPane> | undefined} */
    this.layout = undefined;
    /** Places by channel. */
    this.places = new Int32Array(0);
    /** Whether a finger is on the maps. */
    this.touching = false;
    new Width(this);
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (this.wide && ['order', 'wide', 'room'].some((name) => changed.has(name))) {
      this.layout = layOutPane(this.order.length, this.wide, this.room);
      this.places = new Int32Array(this.maps?.dims[0] ?? 0).fill(-1);
      this.order.forEach((channel, place) => (this.places[channel] = place));
    }
  }

  /** Where a channel's cell is in the pane. @param {number} [channel] */
  boxOf(channel = -1) {
    const place = this.places[channel] ?? -1;
    if (place < 0 || !this.layout) return undefined;
    const { cell, columns } = this.layout;
    return { x: (place % columns) * cell, y: Math.floor(place / columns) * cell, cell, place };
  }

  /**
   * Where a thread may be tied to the lit map, in the window; undefined where it is scrolled away.
   * @param {number | undefined} channel
   * @param {'left' | 'right'} edge
   */
  anchor(channel, edge) {
    const box = this.boxOf(channel);
    const pane = this.find('.pane');
    if (!box || !pane) return undefined;
    const { left, top, bottom } = pane.getBoundingClientRect();
    const y = top + box.y - pane.scrollTop + box.cell / 2;
    if (y < top - 1 || y > bottom + 1) return undefined;
    const side = lensSide(box.cell);
    const [x, above] = this.#lensAt(box);
    return { x: left + x + (edge === 'right' ? side : 0), y: top + above - pane.scrollTop + side / 2 };
  }

  /**
   * The lens lies over its map, but not beyond the grid, where words are.
   * @param {{ x: number, y: number, cell: number }} box
   */
  #lensAt({ x, y, cell }) {
    const side = lensSide(cell);
    const { columns = 1, rows = 1 } = this.layout ?? {};
    const within = (/** @type {number} */ at, /** @type {number} */ length) =>
      Math.max(-4, Math.min(at, length - side + 4));
    return [within(x + (cell - side) / 2, columns * cell), within(y + (cell - side) / 2, rows * cell)];
  }

  render() {
    if (!this.maps) return nothing;
    const { layout } = this;
    const place = this.boxOf(this.lit)?.place ?? -1;
    const [row, column] = layout && place >= 0 ? [Math.floor(place / layout.columns), place % layout.columns] : [0, 0];
    return html`
      <div
        class="pane ${layout && layout.rows * layout.cell <= layout.height ? 'short' : ''}"
        ${styled({ height: `${layout?.height ?? this.room}px` })}
        role="grid"
        tabindex="0"
        aria-label=${this.label}
        aria-rowcount=${layout?.rows ?? 1}
        aria-colcount=${layout?.columns ?? 1}
        aria-activedescendant=${place >= 0 ? 'cell' : nothing}
        @keydown=${this.#key}
        @focus=${() => this.lit < 0 && this.#tell('point', 0)}
        @scroll=${() => this.dispatchEvent(new Event('moved'))}
      >
        <div role="row" aria-rowindex=${row + 1} class="hidden">
          <div role="gridcell" id="cell" aria-colindex=${column + 1} aria-selected=${String(this.pinned)}
            >${this.lit >= 0 ? this.describe?.(this.lit) : ''}</div>
        </div>
        <canvas
          class="maps"
          aria-hidden="true"
          @pointermove=${this.#move}
          @pointerdown=${this.#down}
          @pointerup=${this.#up}
          @pointercancel=${this.#cancel}
          @pointerleave=${this.#leave}
          @click=${this.#click}
          @contextmenu=${(/** @type {Event} */ event) => event.preventDefault()}
        ></canvas>
        ${this.next.map((channel, i) => this.#outline(channel, 0.75 - 0.15 * i))} ${this.#lens()}
      </div>
    `;
  }

  /** @param {number} channel @param {number} opacity */
  #outline(channel, opacity) {
    const box = this.boxOf(channel);
    if (!box) return nothing;
    const side = `${box.cell - 1}px`;
    const style = { left: `${box.x}px`, top: `${box.y}px`, width: side, height: side, opacity: String(opacity) };
    return html`<i ${styled(style)}></i>`;
  }

  #lens() {
    const box = this.boxOf(this.lit);
    if (!box) return nothing;
    const side = lensSide(box.cell);
    const lift = this.touching ? side * 0.5 + 28 : 0;
    const [left, top] = this.#lensAt(box);
    const style = { left: `${left}px`, top: `${top - lift}px`, width: `${side}px`, height: `${side}px` };
    const blank = this.blank?.has(this.lit);
    const names = `lens ${this.pinned ? 'pinned' : ''} ${blank ? 'blank' : ''}`;
    return html`<div class=${names} ${styled(style)}>${blank ? '0' : html`<canvas></canvas>`}</div>`;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (!this.maps || !this.layout) return;
    if (this.drawn) changed.has('drawn') && this.#draw();
    else if (paints.some((name) => changed.has(name))) this.#paint();
    const lens = this.find('.lens canvas');
    if (lens) {
      const side = Math.round(lensSide(this.layout.cell) * devicePixelRatio);
      paintOne(lens, side, this.maps, this.lit, { palette: this.palette, range: this.range(this.lit) });
    }
    if (changed.has('lit') && this.layout.rows * this.layout.cell > this.layout.height) this.#reveal();
  }

  /** The canvas at its size in the page, and the grid in the screen's own pixels. */
  #sized() {
    const { cell, columns, rows } = this.layout ?? { cell: 8, columns: 1, rows: 1 };
    /** @type {HTMLCanvasElement} */
    const canvas = this.find('.maps');
    const [width, height] = [`${columns * cell}px`, `${rows * cell}px`];
    if (canvas.style.width !== width || canvas.style.height !== height) Object.assign(canvas.style, { width, height });
    const gap = Math.max(1, Math.round(devicePixelRatio));
    return { canvas, grid: { cell: Math.round(cell * devicePixelRatio) - gap, gap, columns } };
  }

  #paint() {
    const { canvas, grid } = this.#sized();
    const ink = getComputedStyle(this).getPropertyValue('--muted');
    const { maps, order, palette, range, blank } = this;
    if (maps) paintGrid(canvas, maps, { ...grid, order, palette, range, blank, ink });
  }

  async #draw() {
    const { canvas, grid } = this.#sized();
    if (!this.drawn) return;
    const { net, tap } = this.drawn;
    const colormap = this.palette === 'grey' ? 'grey' : 'viridis';
    const drawn = await net.drawFeature(canvas, { tap, ...grid, colormap }).catch(() => undefined);
    this.dataset.drawnBy = drawn?.backend ?? '';
  }

  /** A twin that is scrolled away comes into view. */
  #reveal() {
    const box = this.boxOf(this.lit);
    const pane = this.find('.pane');
    if (!box) return;
    const margin = box.cell;
    if (box.y < pane.scrollTop + margin) pane.scrollTop = box.y - margin;
    else if (box.y + box.cell > pane.scrollTop + pane.clientHeight - margin) {
      pane.scrollTop = box.y + box.cell + margin - pane.clientHeight;
    }
  }

  /** The channel under a pointer. @param {MouseEvent} event */
  #at({ clientX, clientY }) {
    const { cell, columns } = this.layout ?? { cell: 8, columns: 1 };
    const { left, top } = this.find('.maps').getBoundingClientRect();
    const column = Math.min(columns - 1, Math.max(0, Math.floor((clientX - left) / cell)));
    return this.order[Math.max(0, Math.floor((clientY - top) / cell)) * columns + column];
  }

  /** @param {'point' | 'pin'} name @param {number | undefined} channel */
  #tell(name, channel) {
    if (channel !== undefined) this.dispatchEvent(new CustomEvent(name, { detail: { channel } }));
  }

  /** @param {PointerEvent} event */
  #leave({ pointerType }) {
    if (pointerType === 'mouse') this.dispatchEvent(new Event('leave'));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const channel = this.#at(event);
    if (channel !== this.lit) clearTimeout(this.press);
    this.#tell('point', channel);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.touching = event.pointerType !== 'mouse';
    const channel = this.#at(event);
    this.#tell('point', channel);
    if (!this.touching) return;
    this.pressed = false;
    this.press = setTimeout(() => {
      this.pressed = true;
      this.#tell('pin', channel);
    }, LONG_PRESS);
  }

  #up() {
    clearTimeout(this.press);
    this.touching = false;
    this.requestUpdate();
  }

  #cancel() {
    clearTimeout(this.press);
    this.touching = false;
  }

  /** A mouse pins by a click; a finger by a long press. @param {PointerEvent} event */
  #click(event) {
    if (event.pointerType === 'mouse' || event.pointerType === undefined) this.#tell('pin', this.#at(event));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.layout) return;
    const { columns } = this.layout;
    const count = this.order.length;
    const place = Math.max(0, this.boxOf(this.lit)?.place ?? 0);
    const row = place - (place % columns);
    const to = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place - columns,
      ArrowDown: place + columns,
      Home: event.ctrlKey ? 0 : row,
      End: event.ctrlKey ? count - 1 : Math.min(count, row + columns) - 1,
      PageUp: place - 5 * columns,
      PageDown: place + 5 * columns,
    }[event.key];
    if (to !== undefined) this.#tell('point', this.order[Math.min(count - 1, Math.max(0, to))]);
    else if (event.key === 'Enter' || event.key === ' ') this.#tell('pin', this.order[place]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Large enough to see, small enough to keep the neighbours in view. @param {number} cell */
const lensSide = (cell) => Math.min(96, Math.max(cell * 2, 44));

define('gg-grid', Grid);

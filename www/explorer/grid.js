/** @file A grid of maps: one canvas, one lit map with a lens over it, one cell for assistive technology. */
import { css, html, nothing } from 'lit';
import { define, shared, styled, View, Width } from './base.js';
import { layOut, paintGrid, paintOne } from './paint.js';

const LONG_PRESS = 450;

/**
 * Fires `point` ({ channel }), `leave` and `pin` ({ channel }).
 */
class Grid extends View {
  static properties = {
    ...View.properties,
    /** 'first' or 'last': which colour it has. */
    side: {},
    label: {},
    maps: { attribute: false },
    /** `{ net, tap }` where the graphics card draws them, anew with each such object. */
    drawn: { attribute: false },
    /** Channels by place. */
    order: { attribute: false },
    palette: {},
    range: { attribute: false },
    blank: { attribute: false },
    /** What a screen reader hears of a channel. */
    describe: { attribute: false },
    /** The lit channel, and the other side's next best after it, best first. */
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
      .lens { position: absolute; z-index: 2; pointer-events: none; box-shadow: 0 0 0 2px var(--accent), 0 0 0 5px var(--surface); background: var(--surface); }
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
    this.lit = -1;
    this.next = [];
    this.order = [];
    this.wide = 0;
    this.room = 560;
    new Width(this);
  }

  willUpdate(changed) {
    if (this.wide && ['order', 'wide', 'room'].some((name) => changed.has(name))) {
      this.layout = layOut(this.order.length, this.wide, this.room);
      this.places = new Int32Array(this.maps?.dims[0] ?? 0).fill(-1);
      this.order.forEach((channel, place) => (this.places[channel] = place));
    }
  }

  /** Where a channel's cell is in the pane. */
  boxOf(channel) {
    const place = this.places?.[channel] ?? -1;
    if (place < 0 || !this.layout) return undefined;
    const { cell, columns } = this.layout;
    return { x: (place % columns) * cell, y: Math.floor(place / columns) * cell, cell, place };
  }

  /** Where a thread may be tied to the lit map, in the window; undefined where it is scrolled away. */
  anchor(channel, edge) {
    const box = this.boxOf(channel);
    const pane = this.renderRoot.querySelector('.pane');
    if (!box || !pane) return undefined;
    const { left, top, bottom } = pane.getBoundingClientRect();
    const y = top + box.y - pane.scrollTop + box.cell / 2;
    if (y < top - 1 || y > bottom + 1) return undefined;
    const side = lensSide(box.cell);
    const [x, above] = this.#lensAt(box);
    return { x: left + x + (edge === 'right' ? side : 0), y: top + above - pane.scrollTop + side / 2 };
  }

  /** The lens lies over its map, but not beyond the grid, where words are. */
  #lensAt({ x, y, cell }) {
    const side = lensSide(cell);
    const { columns, rows } = this.layout;
    const within = (at, length) => Math.max(-4, Math.min(at, length - side + 4));
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
          <div role="gridcell" id="cell" aria-colindex=${column + 1} aria-selected=${String(this.pinned)}>${this.lit >= 0 ? this.describe?.(this.lit) : ''}</div>
        </div>
        <canvas
          class="maps"
          aria-hidden="true"
          @pointermove=${this.#move}
          @pointerdown=${this.#down}
          @pointerup=${this.#up}
          @pointercancel=${this.#cancel}
          @pointerleave=${(event) => event.pointerType === 'mouse' && this.dispatchEvent(new Event('leave'))}
          @click=${this.#click}
          @contextmenu=${(event) => event.preventDefault()}
        ></canvas>
        ${this.next.map((channel, i) => this.#outline(channel, 0.75 - 0.15 * i))} ${this.#lens()}
      </div>
    `;
  }

  #outline(channel, opacity) {
    const box = this.boxOf(channel);
    if (!box) return nothing;
    return html`<i ${styled({ left: `${box.x}px`, top: `${box.y}px`, width: `${box.cell - 1}px`, height: `${box.cell - 1}px`, opacity: String(opacity) })}></i>`;
  }

  #lens() {
    const box = this.boxOf(this.lit);
    if (!box) return nothing;
    const side = lensSide(box.cell);
    const lift = this.touching ? side * 0.5 + 28 : 0;
    const [left, top] = this.#lensAt(box);
    const style = { left: `${left}px`, top: `${top - lift}px`, width: `${side}px`, height: `${side}px` };
    const blank = this.blank?.has(this.lit);
    return html`<div class="lens ${this.pinned ? 'pinned' : ''} ${blank ? 'blank' : ''}" ${styled(style)}>${blank ? '0' : html`<canvas></canvas>`}</div>`;
  }

  updated(changed) {
    if (!this.maps || !this.layout) return;
    if (this.drawn) changed.has('drawn') && this.#draw();
    else if (['maps', 'order', 'drawn', 'palette', 'range', 'blank', 'wide', 'room', 'theme'].some((name) => changed.has(name))) this.#paint();
    const lens = this.renderRoot.querySelector('.lens canvas');
    if (lens) {
      paintOne(lens, Math.round(lensSide(this.layout.cell) * devicePixelRatio), this.maps, this.lit, { palette: this.palette, range: this.range(this.lit) });
    }
    if (changed.has('lit') && this.layout.rows * this.layout.cell > this.layout.height) this.#reveal();
  }

  /** The canvas at its size in the page, and the grid in the screen's own pixels. */
  #sized() {
    const { cell, columns, rows } = this.layout;
    const canvas = this.renderRoot.querySelector('.maps');
    const [width, height] = [`${columns * cell}px`, `${rows * cell}px`];
    if (canvas.style.width !== width || canvas.style.height !== height) Object.assign(canvas.style, { width, height });
    const gap = Math.max(1, Math.round(devicePixelRatio));
    return { canvas, grid: { cell: Math.round(cell * devicePixelRatio) - gap, gap, columns } };
  }

  #paint() {
    const { canvas, grid } = this.#sized();
    const ink = getComputedStyle(this).getPropertyValue('--muted');
    paintGrid(canvas, this.maps, { ...grid, order: this.order, palette: this.palette, range: this.range, blank: this.blank, ink });
  }

  async #draw() {
    const { canvas, grid } = this.#sized();
    const { net, tap } = this.drawn;
    const { backend } = await net.drawFeature(canvas, { tap, ...grid, colormap: this.palette }).catch(() => ({}));
    this.dataset.drawnBy = backend ?? '';
  }

  /** A twin that is scrolled away comes into view. */
  #reveal() {
    const box = this.boxOf(this.lit);
    const pane = this.renderRoot.querySelector('.pane');
    if (!box) return;
    const margin = box.cell;
    if (box.y < pane.scrollTop + margin) pane.scrollTop = box.y - margin;
    else if (box.y + box.cell > pane.scrollTop + pane.clientHeight - margin) pane.scrollTop = box.y + box.cell + margin - pane.clientHeight;
  }

  #at({ offsetX, offsetY }) {
    const { cell, columns } = this.layout;
    const column = Math.min(columns - 1, Math.max(0, Math.floor(offsetX / cell)));
    return this.order[Math.max(0, Math.floor(offsetY / cell)) * columns + column];
  }

  #tell(name, channel) {
    if (channel !== undefined) this.dispatchEvent(new CustomEvent(name, { detail: { channel } }));
  }

  #move(event) {
    const channel = this.#at(event);
    if (channel !== this.lit) clearTimeout(this.press);
    this.#tell('point', channel);
  }

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

  /** A mouse pins by a click; a finger by a long press. */
  #click(event) {
    if (event.pointerType === 'mouse' || event.pointerType === undefined) this.#tell('pin', this.#at(event));
  }

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

/** Large enough to see, small enough to keep the neighbours in view. */
const lensSide = (cell) => Math.min(96, Math.max(cell * 2, 44));

define('gg-grid', Grid);

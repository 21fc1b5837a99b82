/** @file Two maps, large: the difference, a scatter of their activations, and the next best matches. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { define, shared, View } from './base.js';
import { mapOf, rangeOf, standardised } from './maps.js';
import { paintOne } from './paint.js';

/** @typedef {import('./state.js').Side} Side */

const styles = css`
  :host { container-type: inline-size; }
  .card { display: grid; grid-template-columns: repeat(2, 84px); gap: 8px; font-size: 12px; }
  figcaption { margin-top: 2px; color: var(--muted); white-space: nowrap; }
  canvas { display: block; width: 84px; height: 84px; }
  .plot canvas { height: 60px; }
  .difference canvas { width: 60px; height: 60px; }
  .is-first canvas { box-shadow: 0 0 0 2px var(--first); }
  .is-last canvas { box-shadow: 0 0 0 2px var(--last); }
  .words { grid-column: 1 / -1; min-width: 0; }
  .score { font-size: 22px; line-height: 1.15; font-variant-numeric: tabular-nums; }
  .note { font-size: 12px; }
  .line { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: center; }
  .next { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; margin-top: 2px; }
  .next button {
    padding: 0; border: 0; background: none; cursor: pointer; font-size: 11px; line-height: 1.25; color: var(--muted);
    text-align: center; min-width: 0;
  }
  .next canvas { width: 36px; height: 36px; margin: 0 auto 1px; }
  .next button:hover { color: var(--text); }
  .next button:hover canvas { box-shadow: 0 0 0 2px var(--text); }
  @container (min-width: 260px) {
    .card { grid-template-columns: repeat(4, 84px) minmax(120px, 1fr); }
    .words { grid-column: auto; }
  }
  @container (min-width: 260px) and (max-width: 519px) {
    .card { grid-template-columns: repeat(4, minmax(0, 84px)); }
    canvas { max-width: 100%; height: auto; aspect-ratio: 1; }
    .words { grid-column: 1 / -1; }
    .next canvas { width: 44px; height: 44px; }
  }
`;

/** Sides of the scatter's canvas. */
const PLOT = { width: 84, height: 60 };

class PairView extends View {
  static properties = {
    ...View.properties,
    pair: { attribute: false },
    shown: { attribute: false },
    pinned: { type: Boolean },
    theme: {},
  };

  static styles = [shared, styles];

  constructor() {
    super();
    /** @type {import('./stage.js').Pair | undefined} */
    this.pair = undefined;
    /** @type {import('./panel.js').Shown | undefined} */
    this.shown = undefined;
    this.pinned = false;
    this.theme = '';
  }

  render() {
    const { pair, shown } = this;
    if (!pair || !shown) return nothing;
    const { first, last, r } = pair;
    const matched = first >= 0 && last >= 0;
    return html`
      <div class="card">
        ${this.#map('first')} ${this.#map('last')}
        <div class="words">
          ${matched ? this.#score(pair) : html`<p>${text('noTwin', { channel: Math.max(first, last) })}</p>`}
        </div>
        <figure class="difference" ?hidden=${!matched}>
          <canvas id="difference" aria-hidden="true"></canvas>
          <figcaption title=${text('differenceHow')}>${text('difference')}</figcaption>
        </figure>
        <figure class="plot" ?hidden=${!matched}>
          <canvas id="scatter" role="img" aria-label=${text('scatterLabel', { first, last, r: decimal(r) })}></canvas>
          <figcaption title=${text('scatter')}>${text('scatterShort')}</figcaption>
        </figure>
        ${matched && pair.next.length ? this.#next(pair) : nothing}
      </div>
    `;
  }

  /** The large map of a side, where there is one. @param {Side} side @returns {HTMLCanvasElement | undefined} */
  canvasOf(side) {
    return (this.pair?.[side] ?? -1) < 0 ? undefined : this.find(`#pair-${side}`);
  }

  /** @param {Side} side */
  #map(side) {
    const channel = this.pair?.[side] ?? -1;
    return html`<figure class="is-${side}" ?hidden=${channel < 0}>
      <canvas id="pair-${side}" aria-hidden="true"></canvas>
      <figcaption>${this.shown?.names[side]} <b class=${side}>${channel}</b></figcaption>
    </figure>`;
  }

  /** @param {import('./stage.js').Pair} pair */
  #score({ r, chance, opposite }) {
    return html`
      <p class="line">
        <span class="score" id="pair-score">r = ${decimal(r)}</span>
        <button type="button" class="button" id="pin" aria-pressed=${String(this.pinned)}
          @click=${() => this.dispatchEvent(new Event('pin'))}>${text(this.pinned ? 'unpin' : 'pin')}</button>
      </p>
      ${chance === undefined ? nothing : html`<p class="note">${text('byChance', { r: decimal(chance) })}</p>`}
      ${opposite ? html`<p class="note">${text('negative')}</p>` : nothing}
    `;
  }

  /** @param {import('./stage.js').Pair} pair */
  #next({ next }) {
    const choose = (/** @type {number} */ channel) =>
      this.dispatchEvent(new CustomEvent('choose', { detail: { channel } }));
    return html`<div class="words"><p class="note">${text('nextMatches')}</p>
      <div class="next">
        ${next.map(
          ({ channel, r }) => html`<button type="button" data-channel=${channel} title=${text('showPair')}
            @click=${() => choose(channel)}
          ><canvas width="36" height="36" aria-hidden="true"></canvas>${channel}<br />${decimal(r)}</button>`,
        )}
      </div></div>`;
  }

  updated() {
    const { pair, shown } = this;
    if (!pair || !shown) return;
    const {
      maps,
      choices: { palette },
      ranges,
    } = shown;
    /** Sides are read before any canvas is changed: each change would have the page laid out anew. */
    const sides = new Map(this.findAll('canvas').map((canvas) => [canvas, pixelsOf(canvas)]));
    /** @param {HTMLCanvasElement} canvas @param {Side} side @param {number} channel */
    const paint = (canvas, side, channel) => {
      paintOne(canvas, sides.get(canvas) ?? 0, maps[side], channel, { palette, range: ranges[side](channel) });
    };
    for (const side of /** @type {Side[]} */ (['first', 'last'])) {
      if (pair[side] >= 0) paint(this.find(`#pair-${side}`), side, pair[side]);
    }
    if (pair.first < 0 || pair.last < 0) return;
    const [x, y] = [mapOf(maps.first, pair.first), mapOf(maps.last, pair.last)];
    const difference = this.find('#difference');
    paintDifference(difference, sides.get(difference) ?? 0, x, y, { dims: maps.first.dims, negative: pair.r < 0 });
    const plot = this.find('#scatter');
    scatter(plot, sides.get(plot) ?? 0, x, y, getComputedStyle(this));
    const other = pair.side === 'last' ? 'first' : 'last';
    for (const button of this.findAll('.next button')) {
      paint(button.querySelector('canvas'), other, Number(button.dataset.channel));
    }
  }
}

/** A canvas's side in the screen's own pixels. @param {HTMLCanvasElement} canvas */
const pixelsOf = (canvas) => Math.round((canvas.clientWidth || 80) * devicePixelRatio);

/**
 * One map less the other, each in its standard deviations.
 * @param {HTMLCanvasElement} canvas
 * @param {number} side
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {{ dims: number[], negative: boolean }} options
 */
function paintDifference(canvas, side, x, y, { dims: [, height, width], negative }) {
  const u = standardised(x);
  const data = standardised(y).map((value, i) => (negative ? -value : value) - u[i]);
  paintOne(canvas, side, { data, dims: [1, height, width] }, 0, { palette: 'diverging', range: [-3, 3] });
}

/**
 * One dot a position: block 1's activation to the right, block n's upwards.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {CSSStyleDeclaration} style
 */
function scatter(canvas, width, x, y, style) {
  const scale = devicePixelRatio;
  const height = Math.round((width * PLOT.height) / PLOT.width);
  Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  const edge = 5 * scale;
  const [right, up] = [along(x, width, edge), along(y, height, edge)];
  context.strokeStyle = style.getPropertyValue('--line');
  context.lineWidth = scale;
  context.strokeRect(scale / 2, scale / 2, width - scale, height - scale);
  context.fillStyle = style.getPropertyValue('--text');
  context.globalAlpha = x.length > 1000 ? 0.25 : 0.5;
  const dot = Math.max(1.5, Math.min(3, 40 / Math.sqrt(x.length))) * scale;
  for (let i = 0; i < x.length; i++) {
    context.fillRect(right(x[i]) - dot / 2, height - up(y[i]) - dot / 2, dot, dot);
  }
}

/** Values to places from edge to edge. @param {Float32Array} values @param {number} length @param {number} edge */
function along(values, length, edge) {
  const [low, high] = rangeOf(values);
  const step = high > low ? (length - 2 * edge) / (high - low) : 0;
  return (/** @type {number} */ value) => edge + (value - low) * step;
}

/**
 * The pair that is lit, as a card in a view of the stage.
 * @param {import('./base.js').StageView} view
 */
export function pairCard({ pair, shown, pinned, state, actions, language }) {
  const asked = /** @type {import('./state.js').Pointed} */ (pair?.asked);
  return html`<gg-pair
    .pair=${pair}
    .shown=${shown}
    .pinned=${pinned}
    .theme=${state.theme}
    .language=${language}
    @pin=${() => actions.pin(asked)}
    @choose=${(/** @type {CustomEvent} */ { detail }) => actions.point({ ...asked, other: detail.channel })}
  ></gg-pair>`;
}

define('gg-pair', PairView);

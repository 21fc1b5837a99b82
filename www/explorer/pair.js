/** @file Two maps, large: the difference, a scatter of their activations, and the next best matches. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { define, shared, View } from './base.js';
import { paintNumbers, paintOne } from './paint.js';

class Pair extends View {
  static properties = {
    ...View.properties,
    /** `{ side, first, last, r, chance, next: [{ channel, r }] }`; a map without a twin has -1 for it. */
    pair: { attribute: false },
    maps: { attribute: false },
    names: { attribute: false },
    palette: {},
    range: { attribute: false },
    pinned: { type: Boolean },
    theme: {},
  };

  static styles = [
    shared,
    css`
      :host { padding: 12px 24px 10px; background: var(--surface); border-top: 1px solid var(--line); border-radius: 0 0 6px 6px; }
      .row { display: flex; align-items: flex-start; gap: 20px; min-height: 104px; }
      figure { flex: none; width: 80px; }
      figcaption { font-size: 13px; margin-top: 4px; white-space: nowrap; color: var(--muted); }
      canvas { display: block; width: 80px; height: 80px; }
      .plot { width: 128px; }
      .plot canvas { width: 112px; }
      .is-first canvas { box-shadow: 0 0 0 2px var(--first); }
      .is-last canvas { box-shadow: 0 0 0 2px var(--last); }
      .words { flex: 1; min-width: 0; }
      .score { font-size: 28px; line-height: 1.1; font-variant-numeric: tabular-nums; }
      .chance { font-size: 28px; line-height: 1.1; color: var(--muted); }
      .line { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; }
      .next { display: flex; gap: 10px; margin-top: 6px; }
      .next button { padding: 0; border: 0; background: none; cursor: pointer; font-size: 13px; color: var(--muted); text-align: center; min-width: 44px; }
      .next canvas { width: 32px; height: 32px; margin: 0 auto 2px; }
      .next button:hover { color: var(--text); }
      .next button:hover canvas { box-shadow: 0 0 0 2px var(--text); }
      @media (max-width: 799px) {
        :host { padding: 10px 16px; }
        figcaption { white-space: normal; }
        .row { gap: 12px; min-height: 0; flex-wrap: wrap; }
        figure { width: 64px; }
        canvas { width: 64px; height: 64px; }
        .plot { width: 96px; }
        .plot canvas { width: 80px; }
        .words { flex-basis: 100%; order: 9; }
        .score, .chance { font-size: 18px; }
        .next button { min-height: 44px; }
      }
    `,
  ];

  render() {
    const { pair, maps } = this;
    if (!pair || !maps) return nothing;
    const matched = pair.first >= 0 && pair.last >= 0;
    return html`
      <div class="row">
        <figure class="is-first" ?hidden=${pair.first < 0}><canvas id="pair-first" aria-hidden="true"></canvas><figcaption>${this.names?.first} <b class="first">${pair.first}</b></figcaption></figure>
        <figure class="is-last" ?hidden=${pair.last < 0}><canvas id="pair-last" aria-hidden="true"></canvas><figcaption>${this.names?.last} <b class="last">${pair.last}</b></figcaption></figure>
        <figure ?hidden=${!matched}><canvas id="difference" aria-hidden="true"></canvas><figcaption title=${text('differenceHow')}>${text('difference')}</figcaption></figure>
        <figure class="plot" ?hidden=${!matched}><canvas id="scatter" role="img" aria-label=${text('scatterLabel', { first: pair.first, last: pair.last, r: decimal(pair.r) })}></canvas><figcaption>${text('scatter')}</figcaption></figure>
        <div class="words">
          ${matched ? this.#score() : html`<p>${text('noTwin', { channel: Math.max(pair.first, pair.last) })}</p>`}
          ${matched && pair.next.length
            ? html`<p class="note">${text('nextMatches')}</p>
                <div class="next">
                  ${pair.next.map(
                    ({ channel, r }) => html`<button type="button" data-channel=${channel} title=${text('showPair')} @click=${() => this.#choose(channel)}><canvas width="32" height="32" aria-hidden="true"></canvas>${channel} · ${decimal(r)}</button>`,
                  )}
                </div>`
            : nothing}
        </div>
      </div>
    `;
  }

  #score() {
    const { r, chance } = this.pair;
    return html`
      <p class="line">
        <span class="score" id="pair-score">r = ${decimal(r)}</span>
        ${chance === undefined ? nothing : html`<span class="chance">${text('byChance', { r: decimal(chance) })}</span>`}
        <button type="button" class="button" id="pin" aria-pressed=${String(this.pinned)} @click=${() => this.dispatchEvent(new Event('pin'))}>${text(this.pinned ? 'unpin' : 'pin')}</button>
      </p>
      ${r < 0 ? html`<p class="note">${text('negative')}</p>` : nothing}
    `;
  }

  #choose(channel) {
    this.dispatchEvent(new CustomEvent('choose', { detail: { channel } }));
  }

  updated() {
    const { pair, maps } = this;
    if (!pair || !maps) return;
    // All sizes are read before anything is painted: a layout between two of them would be one too many.
    const sides = new Map([...this.renderRoot.querySelectorAll('canvas')].map((canvas) => [canvas, Math.round(canvas.clientWidth * devicePixelRatio) || 96]));
    const find = (selector) => this.renderRoot.querySelector(selector);
    const paint = (canvas, side, channel) => paintOne(canvas, sides.get(canvas), maps[side], channel, { palette: this.palette, range: this.range(side, channel) });
    for (const side of ['first', 'last']) if (pair[side] >= 0) paint(find(`#pair-${side}`), side, pair[side]);
    if (pair.first < 0 || pair.last < 0) return;
    const [x, y] = ['first', 'last'].map((side) => mapOf(maps[side], pair[side]));
    const [, ...dims] = maps.first.dims;
    const [u, v] = [standard(x), standard(y)];
    const sign = pair.r < 0 ? -1 : 1;
    const difference = find('#difference');
    paintNumbers(difference, sides.get(difference), v.map((value, i) => sign * value - u[i]), dims, { palette: 'diverging', range: [-3, 3] });
    const plot = find('#scatter');
    scatter(plot, sides.get(plot), Math.round((sides.get(plot) * 80) / 112), x, y, getComputedStyle(this));
    const other = pair.side === 'last' ? 'first' : 'last';
    for (const button of this.renderRoot.querySelectorAll('.next button')) paint(button.querySelector('canvas'), other, Number(button.dataset.channel));
  }
}

export const mapOf = ({ data, dims: [, height, width] }, channel) => data.subarray(channel * height * width, (channel + 1) * height * width);

/** Less the mean, in standard deviations. */
function standard(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
  return values.map((value) => (value - mean) / deviation);
}

/** One dot a position: block 1's activation to the right, block n's upwards. */
function scatter(canvas, width, height, x, y, style) {
  const scale = devicePixelRatio;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const edge = 5 * scale;
  const to = (values, length, up) => {
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    const step = high > low ? (length - 2 * edge) / (high - low) : 0;
    return (value) => (up ? length - edge - (value - low) * step : edge + (value - low) * step);
  };
  const [right, up] = [to(x, width, false), to(y, height, true)];
  context.strokeStyle = style.getPropertyValue('--line');
  context.lineWidth = scale;
  context.strokeRect(scale / 2, scale / 2, width - scale, height - scale);
  context.fillStyle = style.getPropertyValue('--text');
  context.globalAlpha = x.length > 1000 ? 0.25 : 0.5;
  const dot = Math.max(1.5, Math.min(3, 40 / Math.sqrt(x.length))) * scale;
  for (let i = 0; i < x.length; i++) context.fillRect(right(x[i]) - dot / 2, up(y[i]) - dot / 2, dot, dot);
}

define('gg-pair', Pair);

/** @file Both sides' maps, and a thread between twins. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { asTable, define, shared, StageView } from './base.js';
import { paintLegend } from './paint.js';
import { pairCard } from './pair.js';
import { drawnOnDevice, rowsOf } from './stage.js';
import './grid.js';

/** @typedef {import('./state.js').Side} Side */

const styles = css`
  :host { container-type: inline-size; }
  .grids {
    position: relative; display: grid; grid-template-columns: minmax(0, 1fr) 176px minmax(0, 1fr); gap: 0 16px;
  }
  .grids.single { grid-template-columns: minmax(0, 1fr); }
  .title { display: flex; align-items: baseline; justify-content: space-between; gap: 12px; height: 24px; }
  h3 { font-size: 13px; font-weight: 400; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  h3 b { font-weight: 600; }
  .legend {
    display: flex; align-items: center; gap: 6px; font-size: 12px; color: var(--muted); white-space: nowrap;
    font-variant-numeric: tabular-nums;
  }
  .legend canvas { width: 64px; height: 8px; border-radius: 2px; }
  gg-pair { padding-top: 24px; }
  svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; pointer-events: none; z-index: 3; }
  path { fill: none; stroke: var(--surface); stroke-width: 5; }
  path:nth-child(even) { stroke: var(--text); stroke-width: 1.5; }
  @container (max-width: 979px) { .legend { display: none; } }
  @container (max-width: 639px) {
    .grids { grid-template-columns: repeat(2, minmax(0, 1fr)); }
    gg-pair { grid-column: 1 / -1; grid-row: 2; padding-top: 12px; }
    svg { display: none; }
  }
  @container (max-width: 479px) {
    .grids { grid-template-columns: minmax(0, 1fr); gap: 12px; }
    gg-pair { grid-row: auto; padding-top: 0; }
  }
`;

/** @type {number[]} */
const none = [];

class Twins extends StageView {
  static styles = [shared, styles];

  /** @type {{ picture: unknown, drawn: { [side in Side]: object } } | undefined} */
  #drawn;

  render() {
    const { shown } = this;
    if (!shown) return nothing;
    const { single, legend } = shown;
    const colours = html`<span class="legend">
      <span>${legend[0]}</span><canvas id="legend" aria-hidden="true"></canvas><span>${legend[1]}</span>
    </span>`;
    const figure = (/** @type {Side} */ side, /** @type {unknown} */ besides) => html`<figure>
      <div class="title"><h3>${shown.titles[side]}</h3>${besides}</div>
      ${this.#grid(side)}
    </figure>`;
    if (single) return html`<div class="grids single">${figure('first', colours)}</div>`;
    return html`
      <div class="grids">
        ${figure('first', nothing)} ${pairCard(this)} ${figure('last', colours)}
        <svg aria-hidden="true"><path /><path /><path /><path /></svg>
      </div>
      ${asTable(this, () => this.#table())}
    `;
  }

  /** @param {Side} side */
  #grid(side) {
    const { shown, pair, actions } = this;
    const { maps, names, single, choices } = shown;
    const next = pair && pair.side !== side && !single ? pair.next.map(({ channel }) => channel) : none;
    /** @param {CustomEvent<{ channel: number }>} event */
    const pointed = ({ detail: { channel } }) => ({ side, channel });
    return html`<gg-grid
      id=${side}
      side=${side}
      .label=${text('gridLabel', { n: maps[side].dims[0], name: names[side] })}
      .maps=${maps[side]}
      .drawn=${this.#drawnMaps()?.[side]}
      .order=${shown.orders[side]}
      .palette=${choices.palette}
      .range=${shown.ranges[side]}
      .blank=${shown.blanks[side]}
      .describe=${shown.describe[side]}
      .lit=${pair?.[side] ?? -1}
      .next=${next}
      .pinned=${this.pinned}
      .room=${shown.room}
      .theme=${choices.theme}
      .language=${this.language}
      @moved=${() => this.#tie()}
      @point=${(/** @type {CustomEvent} */ event) => actions.point(pointed(event))}
      @pin=${(/** @type {CustomEvent} */ event) => actions.pin(pointed(event))}
      @leave=${() => actions.leave()}
    ></gg-grid>`;
  }

  /** What the graphics card draws, anew for each picture. */
  #drawnMaps() {
    const { state } = this;
    if (!drawnOnDevice(state)) return undefined;
    if (this.#drawn?.picture !== state.picture) {
      const [first, last] = state.maps.taps.map((tap) => ({ net: this.net(), tap }));
      this.#drawn = { picture: state.picture, drawn: { first, last } };
    }
    return this.#drawn?.drawn;
  }

  #table() {
    const rows = rowsOf(this.state).map(({ channel, match, score, chance, energy }) => {
      const twin = match < 0 ? [text('blank'), '–'] : [match, decimal(score)];
      return [channel, ...twin, decimal(chance), decimal(energy, 3)];
    });
    return { head: [text('map'), text('twin'), 'r', text('chanceColumn'), text('energy')], rows };
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    const legend = this.find('#legend');
    if (legend && changed.has('shown')) paintLegend(legend, this.shown.choices.palette);
    if (this.shown && !this.shown.single) this.#afterGrids();
  }

  async #afterGrids() {
    await Promise.all(this.findAll('gg-grid, gg-pair').map((part) => part.updateComplete));
    this.#tie();
  }

  /** The thread, from lens to lens by way of the two large maps between the grids. */
  #tie() {
    const frame = this.find('.grids');
    if (!frame || !this.find('svg')) return;
    const origin = frame.getBoundingClientRect();
    const { first = -1, last = -1 } = this.pair ?? {};
    const ends = [
      [this.find('#first').anchor(first, 'right'), this.#edge('first', 'left')],
      [this.#edge('last', 'right'), this.find('#last').anchor(last, 'left')],
    ];
    [...frame.querySelectorAll('path')].forEach((path, i) => {
      const [from, to] = ends[i >> 1];
      if (from && to && first >= 0 && last >= 0) path.setAttribute('d', thread(from, to, origin));
      else path.removeAttribute('d');
    });
  }

  /** Where a thread is tied to the large map of a side. @param {Side} side @param {'left' | 'right'} edge */
  #edge(side, edge) {
    const canvas = this.find('gg-pair')?.canvasOf(side);
    if (!canvas) return undefined;
    const { top, height, [edge]: x } = canvas.getBoundingClientRect();
    return { x: edge === 'left' ? x - 2 : x + 2, y: top + height / 2 };
  }
}

/** @typedef {{ x: number, y: number }} Point */
/** @param {Point} a @param {Point} b @param {{ left: number, top: number }} origin */
function thread(a, b, { left, top }) {
  const [x1, y1, x2, y2] = [a.x - left, a.y - top, b.x - left, b.y - top];
  const bend = Math.max(8, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

define('gg-twins', Twins);

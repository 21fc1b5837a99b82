/** @file Both sides' maps, and a thread between twins. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { asTable, choice, define, shared, StageView } from './base.js';
import { paintLegend, paletteNames } from './paint.js';
import { drawnOnDevice, rowsOf } from './stage.js';
import './grid.js';

/** @typedef {import('./state.js').Side} Side */

const styles = css`
  .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; margin-bottom: 12px; min-height: 32px; }
  .legend {
    display: flex; align-items: center; gap: 6px; font-size: 13px; color: var(--muted); margin-left: auto;
    white-space: nowrap; font-variant-numeric: tabular-nums;
  }
  .legend canvas { width: 96px; height: 8px; border-radius: 2px; }
  .grids { position: relative; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 72px; }
  .grids.single { grid-template-columns: minmax(0, 1fr); }
  h3 { margin-bottom: 8px; font-weight: 400; }
  h3 b { font-weight: 600; }
  svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; pointer-events: none; z-index: 3; }
  path { fill: none; stroke: var(--surface); stroke-width: 5; }
  path + path { stroke: var(--text); stroke-width: 1.5; }
  .tag {
    position: absolute; z-index: 4; translate: -50% -50%; padding: 1px 7px; border: 1px solid var(--text);
    border-radius: 99px; background: var(--surface); font-size: 13px; font-variant-numeric: tabular-nums;
    pointer-events: none; white-space: nowrap;
  }
  @media (max-width: 799px) {
    .grids { grid-template-columns: minmax(0, 1fr); }
    svg, .tag { display: none; }
    .legend { margin-left: 0; }
  }
`;

/** @type {{ sort: string[], palette: string[], scale: string[] }} */
const options = {
  sort: ['channel', 'similarity', 'energy'],
  palette: paletteNames,
  scale: ['local', 'pair', 'stage'],
};

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
    const sides = /** @type {Side[]} */ (single ? ['first'] : ['first', 'last']);
    return html`
      <div class="bar">
        ${this.#choice('sort')} ${this.#choice('palette')} ${this.#choice('scale')}
        <span class="legend">
          <span>${legend[0]}</span><canvas id="legend" aria-hidden="true"></canvas><span>${legend[1]}</span>
        </span>
      </div>
      <div class="grids ${single ? 'single' : ''}">
        ${sides.map((side) => html`<figure><h3>${shown.titles[side]}</h3>${this.#grid(side)}</figure>`)}
        ${
          single
            ? nothing
            : html`<svg aria-hidden="true"><path /><path /></svg><span class="tag" aria-hidden="true" hidden></span>`
        }
      </div>
      ${single ? nothing : asTable(this, () => this.#table())}
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

  /** @param {'sort' | 'palette' | 'scale'} name */
  #choice(name) {
    const {
      shown: { single, choices },
      actions,
    } = this;
    const offered = options[name].filter((value) => !(single && value === 'pair'));
    const rows = offered.map((value) => {
      return { value, words: text(`${name}_${value}`), selected: value === choices[name] };
    });
    return choice(name, rows, (value) => actions.update({ [name]: value }));
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
    await Promise.all(this.findAll('gg-grid').map((grid) => grid.updateComplete));
    this.#tie();
  }

  /** The thread, from lens to lens. */
  #tie() {
    const frame = this.find('.grids');
    const tag = frame?.querySelector('.tag');
    if (!tag) return;
    const { left, top } = frame.getBoundingClientRect();
    const a = this.find('#first').anchor(this.pair?.first, 'right');
    const b = this.find('#last').anchor(this.pair?.last, 'left');
    tag.hidden = !a || !b;
    for (const path of frame.querySelectorAll('path')) {
      if (a && b) path.setAttribute('d', thread(a, b, { left, top }));
      else path.removeAttribute('d');
    }
    if (!a || !b) return;
    tag.textContent = decimal(this.pair?.r ?? Number.NaN);
    // Between the grids, on the thread: its height there is that of a cubic curve with level ends.
    const edge = this.find('#last').getBoundingClientRect().left - left - 36;
    const part = Math.min(1, Math.max(0, (edge - (a.x - left)) / (b.x - a.x)));
    const rise = part * part * (3 - 2 * part);
    tag.style.left = `${edge}px`;
    tag.style.top = `${a.y + (b.y - a.y) * rise - top}px`;
  }
}

/** @typedef {{ x: number, y: number }} Point */
/** @param {Point} a @param {Point} b @param {{ left: number, top: number }} origin */
function thread(a, b, { left, top }) {
  const [x1, y1, x2, y2] = [a.x - left, a.y - top, b.x - left, b.y - top];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

define('gg-twins', Twins);

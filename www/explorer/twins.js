/** @file Both sides' maps, and a thread between twins. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { asTable, define, shared, View } from './base.js';
import { paintLegend, paletteNames } from './paint.js';
import './grid.js';

class Twins extends View {
  static properties = {
    ...View.properties,
    /** The compared maps, what is told of them, and how they are shown: see explorer.js. */
    view: { attribute: false },
    pair: { attribute: false },
    pinned: { type: Boolean },
    /** `{ net, taps, picture }` where the graphics card draws the maps. */
    drawn: { attribute: false },
  };

  static styles = [
    shared,
    css`
      .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; margin-bottom: 12px; min-height: 32px; }
      .legend { display: flex; align-items: center; gap: 6px; font-size: 13px; color: var(--muted); margin-left: auto; white-space: nowrap; font-variant-numeric: tabular-nums; }
      .legend canvas { width: 96px; height: 8px; border-radius: 2px; }
      .grids { position: relative; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 72px; }
      .grids.single { grid-template-columns: minmax(0, 1fr); }
      h3 { margin-bottom: 8px; font-weight: 400; }
      h3 b { font-weight: 600; }
      svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; pointer-events: none; z-index: 3; }
      path { fill: none; stroke: var(--surface); stroke-width: 5; }
      path + path { stroke: var(--text); stroke-width: 1.5; }
      .tag { position: absolute; z-index: 4; translate: -50% -50%; padding: 1px 7px; border: 1px solid var(--text); border-radius: 99px; background: var(--surface); font-size: 13px; font-variant-numeric: tabular-nums; pointer-events: none; white-space: nowrap; }
      @media (max-width: 799px) {
        .grids { grid-template-columns: minmax(0, 1fr); }
        svg, .tag { display: none; }
        .legend { margin-left: 0; }
      }
    `,
  ];

  render() {
    const { view } = this;
    if (!view) return nothing;
    const single = view.single;
    return html`
      <div class="bar">
        ${this.#choice('sort', ['channel', 'similarity', 'energy'], view.sort)} ${this.#choice('palette', paletteNames, view.palette)} ${this.#choice('scale', single ? ['local', 'stage'] : ['local', 'pair', 'stage'], view.scale)}
        <span class="legend"><span>${view.legend[0]}</span><canvas id="legend" aria-hidden="true"></canvas><span>${view.legend[1]}</span></span>
      </div>
      <div class="grids ${single ? 'single' : ''}" @moved=${() => this.#tie()}>
        ${(single ? ['first'] : ['first', 'last']).map(
          (side) => html`
            <figure>
              <h3>${view.titles[side]}</h3>
              <gg-grid
                id=${side}
                side=${side}
                .label=${text('gridLabel', { n: view.maps[side].dims[0], name: view.names[side] })}
                .maps=${view.maps[side]}
                .drawn=${this.drawn && { net: this.drawn.net, tap: this.drawn.taps[side === 'first' ? 0 : 1] }}
                .order=${view.orders[side]}
                .palette=${view.palette}
                .range=${view.ranges[side]}
                .blank=${view.blanks[side]}
                .describe=${view.describe[side]}
                .lit=${this.pair?.[side] ?? -1}
                .next=${this.pair && this.pair.side !== side && !single ? this.pair.next.map(({ channel }) => channel) : none}
                .pinned=${this.pinned}
                .room=${view.room}
                .theme=${view.theme}
                .language=${this.language}
                @moved=${() => this.#tie()}
                @point=${({ detail }) => this.actions.point({ side, channel: detail.channel })}
                @pin=${({ detail }) => this.actions.pin({ side, channel: detail.channel })}
                @leave=${() => this.actions.leave()}
              ></gg-grid>
            </figure>
          `,
        )}
        ${single ? nothing : html`<svg aria-hidden="true"><path /><path /></svg><span class="tag" aria-hidden="true" hidden></span>`}
      </div>
      ${single ? nothing : asTable(this, () => this.#table())}
    `;
  }

  #choice(name, options, chosen) {
    return html`<label class="choice"><span class="what">${text(name)}</span>
      <select id=${name} @change=${({ target }) => this.actions.update({ [name]: target.value })}>
        ${options.map((option) => html`<option value=${option} .selected=${option === chosen}>${text(`${name}_${option}`)}</option>`)}
      </select></label>`;
  }

  #table() {
    const rows = this.view.rows().map(({ channel, match, score, chance, energy }) => [channel, match < 0 ? text('blank') : match, match < 0 ? '–' : decimal(score), decimal(chance), decimal(energy, 3)]);
    return { head: [text('map'), text('twin'), 'r', text('chanceColumn'), text('energy')], rows };
  }

  updated(changed) {
    const legend = this.renderRoot.querySelector('#legend');
    if (legend && changed.has('view')) paintLegend(legend, this.view.palette);
    if (this.view && !this.view.single) this.#afterGrids();
  }

  async #afterGrids() {
    await Promise.all([...this.renderRoot.querySelectorAll('gg-grid')].map((grid) => grid.updateComplete));
    this.#tie();
  }

  /** The thread, from lens to lens. */
  #tie() {
    const frame = this.renderRoot.querySelector('.grids');
    const tag = frame?.querySelector('.tag');
    if (!tag) return;
    const { left, top } = frame.getBoundingClientRect();
    const [a, b] = [this.renderRoot.querySelector('#first').anchor(this.pair?.first, 'right'), this.renderRoot.querySelector('#last').anchor(this.pair?.last, 'left')];
    const paths = frame.querySelectorAll('path');
    tag.hidden = !a || !b;
    for (const path of paths) {
      if (!a || !b) path.removeAttribute('d');
      else {
        const [x1, y1, x2, y2] = [a.x - left, a.y - top, b.x - left, b.y - top];
        const bend = Math.max(24, (x2 - x1) / 2);
        path.setAttribute('d', `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
      }
    }
    if (!a || !b) return;
    tag.textContent = decimal(this.pair.r);
    // Between the grids, on the thread: its height there is that of a cubic curve with level ends.
    const edge = this.renderRoot.querySelector('#last').getBoundingClientRect().left - left - 36;
    const part = Math.min(1, Math.max(0, (edge - (a.x - left)) / (b.x - a.x)));
    const rise = part * part * (3 - 2 * part);
    tag.style.left = `${edge}px`;
    tag.style.top = `${a.y + (b.y - a.y) * rise - top}px`;
  }
}

const none = [];

define('gg-twins', Twins);

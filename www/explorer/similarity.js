/** @file Every map of one side against every map of the other, like beside like, and how far chance explains it. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { asTable, define, shared, styled, View } from './base.js';
import { scoreOf } from './compare.js';
import { colours } from './paint.js';
import { histogram } from './chart.js';

/** So many of block n's and of block 1's maps the matrix's table holds at a time. */
const PAGE = { rows: 20, columns: 8 };

class SimilarityView extends View {
  static properties = {
    ...View.properties,
    comparison: { attribute: false },
    clusters: { attribute: false },
    pair: { attribute: false },
    names: { attribute: false },
    threshold: { type: Number },
    taps: { attribute: false },
    choices: { attribute: false },
    positions: { type: Number },
    theme: {},
    /** Where the matrix's table begins, by place; by itself at the pair that is lit. */
    corner: { state: true },
  };

  static styles = [
    shared,
    css`
      .both { display: grid; grid-template-columns: minmax(0, 1.2fr) minmax(280px, 1fr); gap: 32px; align-items: start; }
      .bar { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-bottom: 12px; align-items: center; min-height: 32px; }
      .frame { display: grid; grid-template-columns: 20px minmax(0, 1fr); grid-template-rows: auto minmax(0, 1fr); max-width: 560px; }
      .top { grid-column: 2; font-size: 13px; padding-bottom: 4px; }
      .side { writing-mode: vertical-rl; rotate: 180deg; font-size: 13px; justify-self: center; text-align: right; }
      .matrix { position: relative; cursor: crosshair; touch-action: pan-y; }
      canvas { display: block; width: 100%; image-rendering: pixelated; }
      .cross { position: absolute; pointer-events: none; }
      .cross.row { left: 0; right: 0; border-block: 1px solid var(--last); min-height: 3px; }
      .cross.column { top: 0; bottom: 0; border-inline: 1px solid var(--first); min-width: 3px; }
      .legend { display: flex; align-items: center; gap: 6px; font-size: 13px; color: var(--muted); margin: 8px 0 0 20px; }
      .legend canvas { width: 120px; height: 8px; border-radius: 2px; }
      .turn { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; margin-top: 8px; }
      .turn > span { flex: 1 1 200px; }
      @media (max-width: 799px) { .turn > span { flex-basis: 100%; } }
      .figures { display: grid; grid-template-columns: repeat(3, auto); justify-content: start; gap: 2px 20px; margin-top: 8px; }
      .figures dt { font-size: 13px; color: var(--muted); grid-row: 2; }
      .figures dd { font-size: 28px; grid-row: 1; line-height: 1.2; }
      .figures .by-chance { color: var(--muted); }
      @media (max-width: 799px) { .both { grid-template-columns: minmax(0, 1fr); } }
    `,
  ];

  render() {
    const { comparison, names } = this;
    if (!comparison) return html`<p class="note">${text('computing')}</p>`;
    const { dims, bestOfB, deadB } = comparison;
    const alive = (scores) => [...scores.keys()].filter((channel) => !deadB.includes(channel)).map((channel) => Math.abs(scores[channel]));
    const best = alive(bestOfB.score);
    const chance = comparison.other && alive(comparison.other.score);
    const shuffled = comparison.shuffled && alive(comparison.shuffled.score);
    const label = text('matrixLabel', { rows: dims[1], columns: dims[0], first: names.first, last: names.last });
    const { pair } = this;
    return html`
      <div class="bar">
        ${['first', 'last'].map((side, i) => html`<label class="choice"><span class=${side}>${text(i ? 'against' : 'tapFirst')}</span>
          <select id="tap-${side}" @change=${({ target }) => this.#tap(i, target.value)}>${this.choices.map((tap) => html`<option value=${tap} .selected=${tap === this.taps[i]}>${tap}</option>`)}</select></label>`)}
      </div>
      <div class="both">
        <div>
          <div class="frame">
            <span class="top first">${names.first} →</span>
            <span class="side last">${names.last} →</span>
            <div class="matrix" role="grid" tabindex="0" aria-label=${label} aria-rowcount=${dims[1]} aria-colcount=${dims[0]} aria-activedescendant="cell" @keydown=${this.#key}
              @pointermove=${this.#point} @pointerdown=${this.#point} @click=${this.#pin}>
              <div role="row" class="hidden" aria-rowindex=${this.#place('rows', pair?.last) + 1}><div role="gridcell" id="cell" aria-colindex=${this.#place('columns', pair?.first) + 1}>${pair && pair.first >= 0 && pair.last >= 0 ? text('spokenPair', { first: pair.first, last: pair.last, r: decimal(pair.r) }) : ''}</div></div>
              <canvas aria-hidden="true"></canvas>
              ${pair && pair.first >= 0 && pair.last >= 0 ? this.#cross(pair) : nothing}
            </div>
          </div>
          <p class="legend"><span>−1</span><canvas id="legend" aria-hidden="true"></canvas><span>1</span><span>${text(this.clusters ? 'clustered' : 'unclustered')}</span></p>
          ${asTable(this, () => this.#pageOfMatrix(), 'matrixTable')}
        </div>
        <div>
          <h3>${text('histogramTitle')}</h3>
          <gg-histogram .values=${best} .control=${chance ?? shuffled} .threshold=${this.threshold} .label=${text('histogramLabel', { median: decimal(median(best)), chance: chance ? decimal(median(chance)) : '–' })} .names=${[text('bestMatches'), text(chance ? 'chanceOther' : 'chanceShuffled')]} .theme=${this.theme} .language=${this.language}></gg-histogram>
          <dl class="figures" id="figures">
            <dd>${decimal(median(best))}</dd><dt>${text('medianBest')}</dt>
            <dd class="by-chance">${chance ? decimal(median(chance)) : '…'}</dd><dt>${text('chanceOther')}</dt>
            <dd class="by-chance">${shuffled ? decimal(median(shuffled)) : '…'}</dd><dt>${text('chanceShuffled')}</dt>
          </dl>
          ${asTable(this, () => this.#table(best, chance ?? shuffled))}
          <p class="note">${text('matrixHow', { positions: this.positions ?? '' })}</p>
        </div>
      </div>
    `;
  }

  /** The histogram's bars. */
  #table(best, chance) {
    const [own, other] = [histogram(best), chance && histogram(chance)];
    const percent = (share) => (share === undefined ? '–' : `${(100 * share).toFixed(1)} %`);
    const rows = [...own].map((share, i) => [`${(i / own.length).toFixed(2)} – ${((i + 1) / own.length).toFixed(2)}`, percent(share), percent(other?.[i])]);
    return { head: ['|r|', text('bestMatches'), text(this.comparison.other ? 'chanceOther' : 'chanceShuffled')], rows };
  }

  /** A part of the matrix in its order: a whole one has up to millions of cells. */
  #pageOfMatrix() {
    const orders = this.#orders;
    const lit = { rows: this.#place('rows', this.pair?.last), columns: this.#place('columns', this.pair?.first) };
    const corner = (this.corner ??= Object.fromEntries(Object.entries(PAGE).map(([axis, size]) => [axis, lit[axis] - (lit[axis] % size)])));
    const part = Object.fromEntries(Object.entries(PAGE).map(([axis, size]) => [axis, [...orders[axis].slice(corner[axis], corner[axis] + size)]]));
    const turn = (axis, step, words) => {
      const to = corner[axis] + step * PAGE[axis];
      return html`<button type="button" class="button" data-turn="${axis}${step}" ?disabled=${to < 0 || to >= orders[axis].length} @click=${() => (this.corner = { ...corner, [axis]: to })}>${text(words)}</button>`;
    };
    const range = (axis) => ({ from: corner[axis] + 1, to: corner[axis] + part[axis].length, n: orders[axis].length });
    const line = (axis, side, words) => html`<p class="turn"><span role="status"><span class=${side}>${this.names[side]}</span>: ${text('partOf', range(axis))}</span> ${turn(axis, -1, words[0])} ${turn(axis, 1, words[1])}</p>`;
    return {
      above: html`${line('rows', 'last', ['rowsBefore', 'rowsAfter'])}${line('columns', 'first', ['columnsBefore', 'columnsAfter'])}`,
      head: [text('map'), ...part.columns],
      rows: part.rows.map((row) => [row, ...part.columns.map((column) => decimal(scoreOf(this.comparison, column, row)))]),
    };
  }

  #tap(side, tap) {
    const taps = [...this.taps];
    taps[side] = tap;
    this.actions.compare(taps.join());
  }

  /** Orders of rows (block n) and columns (block 1): the matrix has block 1 in rows. */
  get #orders() {
    const { comparison: { dims }, clusters } = this;
    const count = (n) => Array.from({ length: n }, (_, i) => i);
    return { rows: clusters?.columns ?? count(dims[1]), columns: clusters?.rows ?? count(dims[0]) };
  }

  #place(axis, channel) {
    if (!(channel >= 0)) return 0;
    this.#places ??= Object.fromEntries(Object.entries(this.#orders).map(([axis, order]) => [axis, Int32Array.from({ length: order.length }).map((_, i) => order.indexOf(i))]));
    return this.#places[axis][channel];
  }
  #places;

  #cross({ first, last }) {
    const [columns, rows] = this.comparison.dims;
    const [x, y] = [this.#place('columns', first), this.#place('rows', last)];
    return html`<i class="cross row" ${styled({ top: `${(100 * y) / rows}%`, height: `${100 / rows}%` })}></i><i class="cross column" ${styled({ left: `${(100 * x) / columns}%`, width: `${100 / columns}%` })}></i>`;
  }

  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.renderRoot.querySelector('.matrix canvas').getBoundingClientRect();
    const { rows, columns } = this.#orders;
    const pick = (order, part) => order[Math.min(order.length - 1, Math.max(0, Math.floor(part * order.length)))];
    return { side: 'last', channel: pick(rows, (clientY - top) / height), other: pick(columns, (clientX - left) / width) };
  }

  #point(event) {
    this.actions.point(this.#at(event));
  }

  #pin(event) {
    this.actions.pin(this.#at(event));
  }

  #key(event) {
    const { rows, columns } = this.#orders;
    const [x, y] = [this.#place('columns', this.pair?.first), this.#place('rows', this.pair?.last)];
    const to = { ArrowLeft: [x - 1, y], ArrowRight: [x + 1, y], ArrowUp: [x, y - 1], ArrowDown: [x, y + 1], Home: [0, event.ctrlKey ? 0 : y], End: [columns.length - 1, event.ctrlKey ? rows.length - 1 : y] }[event.key];
    const cell = (x, y) => ({ side: 'last', channel: rows[Math.min(rows.length - 1, Math.max(0, y))], other: columns[Math.min(columns.length - 1, Math.max(0, x))] });
    if (to) this.actions.point(cell(...to));
    else if (event.key === 'Enter' || event.key === ' ') this.actions.pin(cell(x, y));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  willUpdate(changed) {
    if (changed.has('comparison') || changed.has('clusters')) [this.#places, this.corner] = [undefined, undefined];
  }

  updated(changed) {
    const canvas = this.renderRoot.querySelector('.matrix canvas');
    if (!canvas || !(changed.has('comparison') || changed.has('clusters') || !canvas.painted)) return;
    canvas.painted = true;
    const { comparison } = this;
    const { rows, columns } = this.#orders;
    canvas.width = columns.length;
    canvas.height = rows.length;
    const picture = new ImageData(columns.length, rows.length);
    const pixels = new Uint32Array(picture.data.buffer);
    const table = colours('diverging');
    for (let y = 0; y < rows.length; y++) {
      for (let x = 0; x < columns.length; x++) pixels[y * columns.length + x] = table[Math.min(255, Math.floor((scoreOf(comparison, columns[x], rows[y]) + 1) * 127.99))];
    }
    canvas.getContext('2d').putImageData(picture, 0, 0);
    const legend = this.renderRoot.querySelector('#legend');
    [legend.width, legend.height] = [256, 1];
    const strip = new ImageData(256, 1);
    new Uint32Array(strip.data.buffer).set(table);
    legend.getContext('2d').putImageData(strip, 0, 0);
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

define('gg-similarity', SimilarityView);

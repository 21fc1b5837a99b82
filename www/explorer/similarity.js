/** @file Every map of one side against every map of the other, like beside like, and how far chance explains it. */
import { css, html, nothing } from 'lit';
import { decimal, text } from '../view/language.js';
import { asTable, choice, define, shared, styled, StageView } from './base.js';
import './chart.js';
import { histogram, median } from './distribution.js';
import { pairCard } from './pair.js';
import { colours, paintLegend, paintPixels } from './paint.js';
import { scoreOf, stageOf } from './stage.js';

/**
 * @typedef {import('./state.js').Side} Side
 * @typedef {import('./state.js').Comparison} Comparison
 * @typedef {import('./state.js').BestMatch} BestMatch
 * @typedef {'rows' | 'columns'} Axis rows of the picture are block n's maps, columns block 1's
 * @typedef {{ [axis in Axis]: ArrayLike<number> }} Orders
 */

/** So many of block n's and of block 1's maps the matrix's table holds at a time. @type {{ [axis in Axis]: number }} */
const PAGE = { rows: 20, columns: 8 };
/** @type {Axis[]} */
const axes = ['rows', 'columns'];

const styles = css`
  :host { container-type: inline-size; }
  gg-pair { margin-top: 20px; }
  .both {
    display: grid; grid-template-columns: minmax(0, 1.2fr) minmax(280px, 1fr); gap: 32px; align-items: start;
  }
  .bar {
    display: flex; flex-wrap: wrap; gap: 4px 16px; margin-bottom: 12px; align-items: center; min-height: 32px;
  }
  .frame {
    display: grid; grid-template-columns: 20px minmax(0, 1fr); grid-template-rows: auto minmax(0, 1fr);
    max-width: 560px;
  }
  .top { grid-column: 2; font-size: 13px; padding-bottom: 4px; }
  .side { writing-mode: vertical-rl; rotate: 180deg; font-size: 13px; justify-self: center; text-align: right; }
  .matrix { position: relative; cursor: crosshair; touch-action: pan-y; }
  canvas { display: block; width: 100%; image-rendering: pixelated; }
  .cross { position: absolute; pointer-events: none; }
  .cross.row { left: 0; right: 0; border-block: 1px solid var(--last); min-height: 3px; }
  .cross.column { top: 0; bottom: 0; border-inline: 1px solid var(--first); min-width: 3px; }
  .legend {
    display: flex; align-items: center; gap: 6px; font-size: 13px; color: var(--muted); margin: 8px 0 0 20px;
  }
  .legend canvas { width: 120px; height: 8px; border-radius: 2px; }
  .turn { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; margin-top: 8px; }
  .turn > span { flex: 1 1 200px; }
  @container (max-width: 699px) { .turn > span { flex-basis: 100%; } }
  .figures {
    display: grid; grid-template-columns: repeat(3, auto); justify-content: start; gap: 2px 20px; margin-top:
    8px;
  }
  .figures dt { font-size: 13px; color: var(--muted); grid-row: 2; }
  .figures dd { font-size: 28px; grid-row: 1; line-height: 1.2; }
  .figures .by-chance { color: var(--muted); }
  @container (max-width: 699px) { .both { grid-template-columns: minmax(0, 1fr); } }
`;

class SimilarityView extends StageView {
  static properties = { ...StageView.properties, corner: { state: true } };

  static styles = [shared, styles];

  /** Places by channel. @type {{ [axis in Axis]: Int32Array } | undefined} */
  #places;
  /** What the matrix was painted of. @type {unknown[]} */
  #painted = [];

  constructor() {
    super();
    /**
     * Where the matrix's table begins, by place; by itself at the pair that is lit.
     * @type {{ [axis in Axis]: number } | undefined}
     */
    this.corner = undefined;
  }

  render() {
    const { state, shown } = this;
    if (shown?.single) return html`<p>${text('numbersSingle')}</p>`;
    const { comparison, maps } = state;
    if (!comparison) return html`<p class="note">${text('computing')}</p>`;
    const taps = ['first', 'last'].map((side, i) => {
      const rows = stageOf(state).taps.map((tap) => ({ value: tap, words: tap, selected: tap === maps.taps[i] }));
      return this.#tapChoice(/** @type {Side} */ (side), rows);
    });
    return html`
      <div class="bar">${taps}</div>
      <div class="both"><div>${this.#matrix(comparison)}</div><div>${this.#chance(comparison)} ${pairCard(this)}</div></div>
    `;
  }

  /** @param {Side} side @param {Parameters<typeof choice>[1]} rows */
  #tapChoice(side, rows) {
    const {
      maps: {
        taps: [first, last],
      },
    } = this.state;
    const choose = (/** @type {string} */ tap) => {
      this.actions.compare(side === 'first' ? [tap, last].join() : [first, tap].join());
    };
    return choice(`tap-${side}`, rows, choose, side === 'first' ? 'tapFirst' : 'against', side);
  }

  /** @param {Comparison} comparison */
  #matrix({ dims }) {
    const {
      shown: { names },
      pair,
      state: { answers },
    } = this;
    const label = text('matrixLabel', { rows: dims[1], columns: dims[0], first: names.first, last: names.last });
    const lit = pair && pair.first >= 0 && pair.last >= 0 ? pair : undefined;
    const said = lit ? text('spokenPair', { first: lit.first, last: lit.last, r: decimal(lit.r) }) : '';
    return html`
      <div class="frame">
        <span class="top first">${names.first} →</span>
        <span class="side last">${names.last} →</span>
        <div class="matrix" role="grid" tabindex="0" aria-label=${label} aria-rowcount=${dims[1]}
          aria-colcount=${dims[0]} aria-activedescendant="cell" @keydown=${this.#key} @pointermove=${this.#point}
          @pointerdown=${this.#point} @click=${this.#pin}>
          <div role="row" class="hidden" aria-rowindex=${this.#place('rows', pair?.last) + 1}>
            <div role="gridcell" id="cell" aria-colindex=${this.#place('columns', pair?.first) + 1}>${said}</div>
          </div>
          <canvas aria-hidden="true"></canvas>
          ${lit ? this.#cross(lit, dims) : nothing}
        </div>
      </div>
      <p class="legend">
        <span>−1</span><canvas id="legend" aria-hidden="true"></canvas><span>1</span>
        <span>${text(answers.order ? 'clustered' : 'unclustered')}</span>
      </p>
      ${asTable(this, () => this.#pageOfMatrix(), 'matrixTable')}
    `;
  }

  /** The best matches beside what chance makes of them. @param {Comparison} comparison */
  #chance({ bestOfB, deadB, other, shuffled }) {
    const { state, shown } = this;
    const alive = (/** @type {BestMatch | undefined} */ best) =>
      best && [...best.score].flatMap((score, channel) => (deadB.includes(channel) ? [] : Math.abs(score)));
    const [best, byOther, byShuffling] = [alive(bestOfB) ?? [], alive(other), alive(shuffled)];
    const middle = (/** @type {number[] | undefined} */ values, none = '…') =>
      values ? decimal(median(values)) : none;
    const label = text('histogramLabel', { median: middle(best), chance: middle(byOther, '–') });
    const names = [text('bestMatches'), text(byOther ? 'chanceOther' : 'chanceShuffled')];
    return html`
      <h3>${text('histogramTitle')}</h3>
      <gg-histogram .values=${best} .control=${byOther ?? byShuffling} .threshold=${state.threshold} .label=${label}
        .names=${names} .theme=${state.theme} .language=${this.language}></gg-histogram>
      <dl class="figures" id="figures">
        <dd>${middle(best)}</dd><dt>${text('medianBest')}</dt>
        <dd class="by-chance">${middle(byOther)}</dd><dt>${text('chanceOther')}</dt>
        <dd class="by-chance">${middle(byShuffling)}</dd><dt>${text('chanceShuffled')}</dt>
      </dl>
      ${asTable(this, () => tableOfBins(best, byOther ?? byShuffling, names))}
      <p class="note">${text('matrixHow', { positions: shown.positions })}</p>
    `;
  }

  /** A part of the matrix in its order: a whole one has up to millions of cells. */
  #pageOfMatrix() {
    const {
      pair,
      shown: { names },
      state: { comparison },
    } = this;
    const orders = this.#orders;
    const lit = { rows: this.#place('rows', pair?.last), columns: this.#place('columns', pair?.first) };
    const from = (/** @type {Axis} */ axis) => lit[axis] - (lit[axis] % PAGE[axis]);
    const corner = (this.corner ??= { rows: from('rows'), columns: from('columns') });
    const part = (/** @type {Axis} */ axis) => Array.from(orders[axis]).slice(corner[axis], corner[axis] + PAGE[axis]);
    const [rows, columns] = axes.map(part);
    const line = (/** @type {Axis} */ axis, /** @type {Side} */ side, /** @type {string[]} */ words) => {
      const range = { from: corner[axis] + 1, to: corner[axis] + part(axis).length, n: orders[axis].length };
      return html`<p class="turn">
        <span role="status"><span class=${side}>${names[side]}</span>: ${text('partOf', range)}</span>
        ${this.#turn(axis, -1, words[0])} ${this.#turn(axis, 1, words[1])}
      </p>`;
    };
    const score = (/** @type {number} */ first, /** @type {number} */ last) =>
      comparison ? decimal(scoreOf(comparison, first, last)) : '';
    return {
      above: html`
        ${line('rows', 'last', ['rowsBefore', 'rowsAfter'])}
        ${line('columns', 'first', ['columnsBefore', 'columnsAfter'])}
      `,
      head: [text('map'), ...columns],
      rows: rows.map((row) => [row, ...columns.map((column) => score(column, row))]),
    };
  }

  /** @param {Axis} axis @param {1 | -1} step @param {string} words */
  #turn(axis, step, words) {
    const { corner = { rows: 0, columns: 0 } } = this;
    const to = corner[axis] + step * PAGE[axis];
    const off = to < 0 || to >= this.#orders[axis].length;
    const turn = () => (this.corner = { ...corner, [axis]: to });
    return html`<button type="button" class="button" data-turn="${axis}${step}" ?disabled=${off} @click=${turn}
      >${text(words)}</button>`;
  }

  /** The matrix has block 1 in rows, the picture in columns. @returns {Orders} */
  get #orders() {
    const {
      comparison,
      answers: { order },
    } = this.state;
    const [columns, rows] = comparison?.dims ?? [0, 0];
    const count = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => i);
    return { rows: order?.columns ?? count(rows), columns: order?.rows ?? count(columns) };
  }

  /** @param {Axis} axis @param {number} [channel] */
  #place(axis, channel = -1) {
    if (!(channel >= 0)) return 0;
    if (!this.#places) {
      const orders = this.#orders;
      const places = (/** @type {ArrayLike<number>} */ order) => {
        const found = new Int32Array(order.length);
        for (let place = 0; place < order.length; place++) found[order[place]] = place;
        return found;
      };
      this.#places = { rows: places(orders.rows), columns: places(orders.columns) };
    }
    return this.#places[axis][channel];
  }

  /** @param {import('./stage.js').Pair} pair @param {[number, number]} dims */
  #cross({ first, last }, [columns, rows]) {
    const [x, y] = [this.#place('columns', first), this.#place('rows', last)];
    const percent = (/** @type {number} */ part, /** @type {number} */ whole) => `${(100 * part) / whole}%`;
    return html`
      <i class="cross row" ${styled({ top: percent(y, rows), height: percent(1, rows) })}></i>
      <i class="cross column" ${styled({ left: percent(x, columns), width: percent(1, columns) })}></i>
    `;
  }

  /** @param {number} x @param {number} y places, which need not be there @returns {import('./state.js').Pointed} */
  #cell(x, y) {
    const { rows, columns } = this.#orders;
    const pick = (/** @type {ArrayLike<number>} */ order, /** @type {number} */ place) =>
      order[Math.min(order.length - 1, Math.max(0, place))];
    return { side: 'last', channel: pick(rows, y), other: pick(columns, x) };
  }

  /** @param {MouseEvent} event */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.find('.matrix canvas').getBoundingClientRect();
    const { rows, columns } = this.#orders;
    const at = (/** @type {number} */ part, /** @type {number} */ count) => Math.floor(part * count);
    return this.#cell(at((clientX - left) / width, columns.length), at((clientY - top) / height, rows.length));
  }

  /** @param {MouseEvent} event */
  #point(event) {
    this.actions.point(this.#at(event));
  }

  /** @param {MouseEvent} event */
  #pin(event) {
    this.actions.pin(this.#at(event));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { rows, columns } = this.#orders;
    const [x, y] = [this.#place('columns', this.pair?.first), this.#place('rows', this.pair?.last)];
    const to = {
      ArrowLeft: [x - 1, y],
      ArrowRight: [x + 1, y],
      ArrowUp: [x, y - 1],
      ArrowDown: [x, y + 1],
      Home: [0, event.ctrlKey ? 0 : y],
      End: [columns.length - 1, event.ctrlKey ? rows.length - 1 : y],
    }[event.key];
    if (to) this.actions.point(this.#cell(to[0], to[1]));
    else if (event.key === 'Enter' || event.key === ' ') this.actions.pin(this.#cell(x, y));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  willUpdate() {
    const {
      comparison,
      answers: { order },
    } = this.state;
    const [matrix, sorted] = this.#painted;
    if (comparison?.matrix !== matrix || order !== sorted) [this.#places, this.corner] = [undefined, undefined];
  }

  updated() {
    const {
      comparison,
      answers: { order },
    } = this.state;
    const canvas = this.find('.matrix canvas');
    if (!canvas || !comparison) return;
    const [matrix, sorted, on] = this.#painted;
    if (comparison.matrix === matrix && order === sorted && canvas === on) return;
    this.#painted = [comparison.matrix, order, canvas];
    paintMatrix(canvas, comparison, this.#orders);
    paintLegend(this.find('#legend'), 'diverging');
  }
}

/** @param {HTMLCanvasElement} canvas @param {Comparison} comparison @param {Orders} orders */
function paintMatrix(canvas, comparison, { rows, columns }) {
  const pixels = new Uint32Array(columns.length * rows.length);
  const table = colours('diverging');
  for (let y = 0; y < rows.length; y++) {
    for (let x = 0; x < columns.length; x++) {
      const step = Math.floor((scoreOf(comparison, columns[x], rows[y]) + 1) * 127.99);
      pixels[y * columns.length + x] = table[Math.min(255, step)];
    }
  }
  paintPixels(canvas, columns.length, pixels);
}

/** The histogram's bars. @param {number[]} best @param {number[] | undefined} chance @param {string[]} names */
function tableOfBins(best, chance, names) {
  const [own, other] = [histogram(best), chance && histogram(chance)];
  const percent = (/** @type {number | undefined} */ share) =>
    share === undefined ? '–' : `${(100 * share).toFixed(1)} %`;
  const edge = (/** @type {number} */ i) => (i / own.length).toFixed(2);
  const rows = [...own].map((share, i) => [`${edge(i)} – ${edge(i + 1)}`, percent(share), percent(other?.[i])]);
  return { head: ['|r|', ...names], rows };
}

define('gg-similarity', SimilarityView);

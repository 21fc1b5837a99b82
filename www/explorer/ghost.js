/** @file How a stage's ghost maps are made, and what happens without them. */
import { css, html, nothing } from 'lit';
import { decimal, parts, text } from '../view/language.js';
import { asTable, define, shared, styled, StageView } from './base.js';
import { channelsOf, mapOf, meanAndDeviation, statistics } from './maps.js';
import { paintOne } from './paint.js';
import { readPin } from './session.js';
import { stageNumber, stageOf } from './stage.js';
import './grid.js';

/**
 * @typedef {import('./state.js').Maps} Maps
 * @typedef {import('./state.js').StageInfo} StageInfo
 * @typedef {import('./state.js').AblationKind} AblationKind
 * @typedef {import('./state.js').Without} Without
 *
 * @typedef {object} Path the maps on the way to the ghosts
 * @property {Maps} source the maps of block 1 that the cheap operation reads
 * @property {number} from the first of them
 * @property {Maps} cheap
 * @property {Maps} [merge] one number a ghost map
 * @property {Maps} ghost
 * @property {Maps} [intrinsic] the raw maps of block 1
 * @property {Maps} [inner] what the inner blocks made of them
 *
 * @typedef {{ channel: number, weight: number, share: number }} Part of a ghost map: a map that it is mixed of
 */

/** What can be left out of a ghost stage, and `map`: one map that is pinned. @type {AblationKind[]} */
const ablations = ['ghost', 'merge', 'fit', 'map'];

/** So many of the maps that a ghost map is made of are shown. */
const SHOWN = 5;

/** @type {number[]} */
const none = [];

const styles = css`
  .lead { font-size: 15px; max-width: 60em; margin-bottom: 16px; }
  .flow {
    display: grid; grid-template-columns: minmax(0, 1.3fr) auto minmax(0, 1.3fr) auto minmax(0, 1.3fr) auto
    minmax(0, 1.3fr); gap: 0 12px; align-items: start;
  }
  figure h3 {
    display: flex; flex-direction: column; justify-content: end; min-height: 3.9em; line-height: 1.3;
    margin-bottom: 8px; font-size: 13px;
  }
  .inner figure h3 { min-height: 2.6em; }
  figure h3 span { display: block; font-weight: 400; color: var(--muted); }
  .arrow { align-self: center; text-align: center; font-size: 13px; color: var(--muted); white-space: nowrap; }
  .arrow b { display: block; font-size: 18px; font-weight: 400; color: var(--text); }
  .inner {
    display: grid; grid-template-columns: minmax(0, 1fr) auto minmax(0, 1fr); gap: 0 12px; align-items: start;
  }
  .lower {
    display: grid; grid-template-columns: minmax(0, 1fr) minmax(280px, 360px); gap: 24px 40px; margin-top:
    20px;
  }
  .recipe {
    display: flex; flex-wrap: wrap; align-items: center; gap: 8px 8px; min-height: 90px; font-size: 13px;
    margin: 6px 0 18px; font-variant-numeric: tabular-nums;
  }
  .product { display: flex; align-items: center; gap: 8px; }
  .term { text-align: center; font-size: 13px; }
  .term canvas {
    display: block; width: 44px; height: 44px; margin: 0 auto 2px; box-shadow: 0 0 0 2px var(--first);
  }
  .term.made canvas { width: 64px; height: 64px; box-shadow: 0 0 0 2px var(--ghost); }
  fieldset { border: 0; margin: 0; padding: 0; }
  legend { font-weight: 600; padding: 0; margin-bottom: 6px; }
  .radio { display: flex; align-items: center; gap: 8px; padding: 4px 0; font-size: 13px; cursor: pointer; }
  .radio input { accent-color: var(--text); margin: 0; }
  .outcome { min-height: 150px; margin-top: 10px; }
  .outcome td, .outcome th { padding: 4px 8px 4px 0; }
  .change { position: relative; }
  .track {
    display: block; height: 3px; width: 100%; background: var(--faint); border-radius: 2px; margin-top: 2px;
  }
  .track i { display: block; height: 100%; border-radius: 2px; background: var(--bar); }
  .track.after i { background: var(--ghost); }
  @media (max-width: 799px) {
    .flow, .inner, .lower { grid-template-columns: minmax(0, 1fr); gap: 12px; }
    .arrow b { display: inline; }
    .radio { min-height: 44px; }
    figure h3 { min-height: 0; }
  }
`;

class GhostPathView extends StageView {
  static properties = { ...StageView.properties, chosen: { state: true } };

  static styles = [shared, styles];

  /**
   * What the grids are given, while their maps are the same.
   * @type {Record<string, { maps: Maps } & Record<string, unknown>>}
   */
  #given = {};
  /** What the path was made of. @type {{ answer?: unknown, path?: Path }} */
  #made = {};

  constructor() {
    super();
    /** The ghost map that is taken apart; by itself the strongest. @type {number | undefined} */
    this.chosen = undefined;
  }

  willUpdate() {
    const {
      answers: { path },
      maps,
      stages,
    } = this.state;
    if (this.#made.answer === path) return;
    const stage = stageOf({ maps, stages });
    // The strongest ghost is the one to begin with.
    if (this.stageName !== stage.name) this.chosen = undefined;
    this.stageName = stage.name;
    this.#made = { answer: path, path: path && pathOf(stage, path) };
    if (!this.path || this.chosen !== undefined) return;
    const { energy } = statistics(this.path.ghost);
    this.chosen = energy.indexOf(Math.max(...energy));
  }

  /** @type {string | undefined} */
  stageName = undefined;

  get path() {
    return this.#made.path;
  }

  render() {
    const { state, path } = this;
    const stage = stageOf(state);
    if (!stage.ghostPath) {
      const words = stage.depth === 1 ? 'pathSingle' : 'pathPlain';
      return html`<p class="lead">${text(words, { number: stageNumber(state), n: stage.width })}</p>`;
    }
    if (!path || this.chosen === undefined) return html`<p class="lead">${text('looking')}</p>`;
    const { raw, cheap, width, depth } = stage;
    const values = {
      raw: html`<b>${raw}</b>`,
      cheap: html`<b class="ghost">${cheap}</b>`,
      width,
      inner: text('innerBlocks', { n: depth - 2 }),
    };
    const made = this.#parts(path, this.chosen);
    return html`
      <p class="lead">${parts('pathLead', values)}</p>
      ${this.#flow(stage, path, made)}
      <div class="lower">
        <div>
          <h3>${parts('recipeTitle', { channel: html`<span class="ghost">${this.chosen}</span>` })}</h3>
          ${this.#recipe(path, made)} ${path.inner ? this.#intrinsic(stage, path) : nothing}
        </div>
        ${this.#whatIf(stage)}
      </div>
      ${asTable(this, () => this.#table(path))}
    `;
  }

  /** From block 1 to the ghosts. @param {StageInfo} stage @param {Path} path @param {Part[]} made */
  #flow({ raw, width, ghostPath }, path, made) {
    if (!ghostPath) return nothing;
    const lit = this.chosen;
    const count = path.ghost.dims[0];
    const kernel = this.state.answers.weights?.dims[2] ?? 1;
    const [source] = path.source.dims;
    const read = source === width ? 'x0' : `x0[:, ${raw}:]`;
    const next = made.slice(1).map(({ channel }) => channel);
    const arrow = (/** @type {string} */ sign, words = '') =>
      html`<p class="arrow"><b aria-hidden="true">${sign}</b>${words}</p>`;
    const merge = path.merge
      ? this.#grid('merge', path.merge, parts('pathMerge'), ghostPath.merge, {
          lit,
          palette: 'diverging',
          common: true,
        })
      : html`<h3>${text('pathNoMerge')}</h3>`;
    return html`<div class="flow">
      ${this.#grid('source', path.source, parts('pathSource', { n: source }), read, {
        side: 'first',
        lit: made[0]?.channel,
        next,
      })}
      ${arrow('→', text('pathCheap', { kernel }))}
      ${this.#grid('cheap', path.cheap, parts('pathMade', { n: count }), ghostPath.cheap, { lit })}
      ${arrow('+')} ${merge} ${arrow('→', 'ReLU')}
      ${this.#grid('ghost', path.ghost, parts('pathGhost', { n: count }), ghostPath.ghost, { lit })}
    </div>`;
  }

  /** @param {StageInfo} stage @param {Path} path */
  #intrinsic({ raw, blocks, ghostPath }, { intrinsic, inner }) {
    const name = ghostPath?.intrinsic ?? '';
    if (!intrinsic || !inner) return nothing;
    const between = text('innerBlocks', { n: blocks.indexOf(name) });
    const titles = [parts('intrinsicFrom', { n: raw }), parts('intrinsicTo', { n: raw })];
    return html`
      <h3>${text('intrinsicTitle')}</h3>
      <p class="note">${text('intrinsicNote', { n: raw, inner: between })}</p>
      <div class="inner">
        ${this.#grid('intrinsic', intrinsic, titles[0], `x0[:, :${raw}]`, { side: 'first' })}
        <p class="arrow"><b aria-hidden="true">→</b>${between}</p>
        ${this.#grid('inner', inner, titles[1], name, { side: 'last' })}
      </div>`;
  }

  /**
   * @param {string} id
   * @param {Maps} maps
   * @param {unknown} title
   * @param {string | undefined} tap
   * @param {{ side?: 'first' | 'last' | 'ghost', lit?: number, next?: number[], palette?: string,
   *   common?: boolean }} options
   *   `common`: all maps have one range, zero in its middle
   */
  #grid(id, maps, title, tap, { side = 'ghost', lit = -1, next = none, palette = this.state.palette, common = false }) {
    const known = this.#given[id]?.maps === maps ? this.#given[id] : gridOf(maps, common);
    this.#given[id] = known;
    const choose = (/** @type {CustomEvent} */ { detail }) => {
      if (side === 'ghost') this.chosen = detail.channel;
    };
    return html`<figure>
      <h3><div>${title}</div><span>${tap}</span></h3>
      <gg-grid
        id="path-${id}"
        side=${side}
        .label=${`${tap}: ${maps.dims[0]}`}
        .maps=${maps}
        .order=${known.order}
        .palette=${palette}
        .range=${known.range}
        .blank=${known.blank}
        .describe=${known.describe}
        .lit=${lit}
        .next=${next}
        .room=${220}
        .theme=${this.state.theme}
        .language=${this.language}
        @point=${choose}
      ></gg-grid>
    </figure>`;
  }

  /**
   * The input maps that a ghost map is mixed of, by weight times the input's spread, largest first.
   * @param {Path} path
   * @param {number} ghost
   * @returns {Part[]}
   */
  #parts({ source }, ghost) {
    const { weights } = this.state.answers;
    if (!weights) return [];
    const {
      weight,
      dims: [, inputs, kernel],
    } = weights;
    const area = kernel * kernel;
    const found = Array.from({ length: inputs }, (_, channel) => {
      const at = (ghost * inputs + channel) * area;
      // A filter larger than 1 x 1 counts by its length.
      const size = area === 1 ? weight[at] : Math.hypot(...weight.subarray(at, at + area));
      return { channel, weight: size, share: Math.abs(size) * meanAndDeviation(mapOf(source, channel)).deviation };
    });
    const total = found.reduce((sum, { share }) => sum + share, 0) || 1;
    const largest = found.sort((a, b) => b.share - a.share).slice(0, SHOWN);
    return largest.map((one) => ({ ...one, share: one.share / total }));
  }

  /** @param {Path} path */
  #table(path) {
    const { energy } = statistics(path.ghost);
    const made = (/** @type {number} */ ghost) =>
      this.#parts(path, ghost)
        .slice(0, 3)
        .map(({ channel, weight }) => `${decimal(weight)} × ${path.from + channel}`);
    const aggregated = (/** @type {number} */ channel) => (path.merge ? decimal(path.merge.data[channel]) : '–');
    const rows = Array.from(energy, (value, channel) => {
      return [channel, made(channel).join(', '), aggregated(channel), decimal(value, 3)];
    });
    return { head: [text('map'), text('madeOf'), text('aggregated'), text('energy')], rows };
  }

  /** @param {Path} path @param {Part[]} made */
  #recipe({ merge, from, source }, made) {
    if (!made.length) return html`<p class="recipe note">${text('computing')}</p>`;
    const { chosen = 0 } = this;
    const share = made.reduce((sum, one) => sum + one.share, 0);
    const rest = { n: source.dims[0] - made.length, share: Math.round(100 * (1 - share)) };
    const term = (/** @type {Part} */ { channel, weight }, /** @type {number} */ i) => html`<span class="product">
      ${i ? html`<span>+</span>` : nothing}
      <span>${weight < 0 && i ? `(${decimal(weight)})` : decimal(weight)} ×</span>
      <span class="term"><canvas data-input=${channel} aria-hidden="true"></canvas>${from + channel}</span>
    </span>`;
    return html`<div class="recipe">
      <span class="term made"><canvas data-made aria-hidden="true"></canvas><b class="ghost">${chosen}</b></span>
      = ReLU (
      ${made.map(term)}
      <span class="note">${text('recipeRest', rest)}</span>
      ${merge ? html`<span>${parts('recipeMerge', { value: decimal(merge.data[chosen]) })}</span>` : nothing} )
    </div>`;
  }

  /** @param {StageInfo} stage */
  #whatIf(stage) {
    const {
      ablation,
      pin,
      maps,
      answers: { without },
    } = this.state;
    const kind = ablation?.stage === stage.name ? ablation.kind : '';
    const pinned = readPin(pin);
    const map = pinned
      ? { tap: maps.taps[pinned.side === 'first' ? 0 : 1], channel: pinned.channel }
      : { tap: stage.ghostPath?.ghost ?? '', channel: this.chosen ?? 0 };
    const words = { channel: map.channel, tap: map.tap, ...(kind === 'map' && ablation) };
    const choose = (/** @type {AblationKind | ''} */ chosen) =>
      this.actions.update({ ablation: { kind: chosen, stage: stage.name, ...(chosen === 'map' && map) } });
    const option = (/** @type {AblationKind | ''} */ one) => html`<label class="radio">
      <input type="radio" name="ablation" value=${one} .checked=${one === kind} @change=${() => choose(one)} />
      ${text(`whatIf_${one || 'nothing'}`, words)}
    </label>`;
    return html`<form class="what-if" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <fieldset><legend>${text('whatIf')}</legend>${/** @type {const} */ (['', ...ablations]).map(option)}</fieldset>
      <div class="outcome" role="status">
        ${kind ? outcome(without) : html`<p class="note">${text('whatIfNote')}</p>`}
      </div>
    </form>`;
  }

  updated() {
    const { path, chosen } = this;
    if (!path || chosen === undefined) return;
    for (const canvas of this.findAll('[data-input]')) this.#paint(canvas, path.source, Number(canvas.dataset.input));
    const made = this.find('[data-made]');
    if (made) this.#paint(made, path.ghost, chosen);
  }

  /** @param {HTMLCanvasElement} canvas @param {Maps} maps @param {number} channel */
  #paint(canvas, maps, channel) {
    const side = Math.round((canvas.clientWidth || 48) * devicePixelRatio);
    const { low, high } = statistics(maps);
    paintOne(canvas, side, maps, channel, { palette: this.state.palette, range: [low[channel], high[channel]] });
  }
}

/** @param {StageInfo} stage @param {Record<string, Maps>} maps @returns {Path | undefined} */
function pathOf({ blocks, raw, ghostPath }, maps) {
  if (!ghostPath) return undefined;
  const {
    reads: [from, count],
    cheap,
    ghost,
    merge,
    intrinsic,
  } = ghostPath;
  const base = maps[blocks[0]];
  return {
    source: channelsOf(base, from, count),
    from,
    cheap: maps[cheap],
    ghost: maps[ghost],
    merge: merge === undefined ? undefined : maps[merge],
    intrinsic: intrinsic === undefined ? undefined : channelsOf(base, 0, raw),
    inner: intrinsic === undefined ? undefined : maps[intrinsic],
  };
}

/** What stays the same for a grid while its maps do. @param {Maps} maps @param {boolean} common */
function gridOf(maps, common) {
  const { all, low, high, energy } = statistics(maps);
  const most = Math.max(...all.map(Math.abs));
  const constant = [...low.keys()].filter((channel) => low[channel] === high[channel]);
  return {
    maps,
    order: [...low.keys()],
    // Constant maps are blank, unless all are.
    blank: new Set(common ? [] : constant),
    range: common ? () => [-most, most] : (/** @type {number} */ channel) => [low[channel], high[channel]],
    describe: (/** @type {number} */ channel) =>
      text('mapEnergy', { channel, energy: decimal(common ? maps.data[channel] : energy[channel], 3) }),
  };
}

/** What the network answers with and without the part. @param {Without | undefined} without */
function outcome(without) {
  if (!without) return html`<p class="note">${text('computing')}</p>`;
  const { before = [], after = [], error } = without;
  if (error) return html`<p>${error}</p>`;
  const now = new Map(after.map(({ label, probability }) => [label, probability]));
  const rows = before.map(({ label, probability }) => ({ label, was: probability, is: now.get(label) ?? 0 }));
  for (const { label, probability } of after.slice(0, 5)) {
    if (!rows.some((row) => row.label === label)) rows.push({ label, was: 0, is: probability });
  }
  const same = after[0].label === before[0].label;
  const bar = (/** @type {number} */ value, /** @type {string} */ name) => html`<td class="number">
    ${(100 * value).toFixed(1)} %<span class="track ${name}"><i ${styled({ width: `${100 * value}%` })}></i></span>
  </td>`;
  return html`
    <p>${text(same ? 'sameAnswer' : 'otherAnswer', { before: before[0].label, after: after[0].label })}</p>
    <table id="outcome">
      <thead><tr>
        <th>${text('class')}</th><th class="number">${text('before')}</th><th class="number">${text('after')}</th>
      </tr></thead>
      <tbody>
        ${rows.map(({ label, was, is }) => html`<tr><td>${label}</td>${bar(was, '')}${bar(is, 'after')}</tr>`)}
      </tbody>
    </table>`;
}

define('gg-ghost-path', GhostPathView);

/** @file How a stage's ghost maps are made, and what happens without them. */
import { css, html, nothing } from 'lit';
import { decimal, parts, text } from '../view/language.js';
import { asTable, define, shared, styled, View } from './base.js';
import { paintOne, statistics } from './paint.js';
import { mapOf } from './pair.js';
import { ablations } from './whatif.js';
import './grid.js';

/** So many of the maps that a ghost map is made of are shown. */
const SHOWN = 5;

class GhostPath extends View {
  static properties = {
    ...View.properties,
    path: { attribute: false },
    stage: { attribute: false },
    number: { type: Number },
    palette: {},
    theme: {},
    ablation: { attribute: false },
    without: { attribute: false },
    /** The map that is pinned: `{ tap, channel }`. */
    pinned: { attribute: false },
    chosen: { state: true },
  };

  static styles = [
    shared,
    css`
      .lead { font-size: 15px; max-width: 60em; margin-bottom: 16px; }
      .flow { display: grid; grid-template-columns: minmax(0, 1.3fr) auto minmax(0, 1.3fr) auto minmax(0, 1.3fr) auto minmax(0, 1.3fr); gap: 0 12px; align-items: start; }
      figure h3 { display: flex; flex-direction: column; justify-content: end; min-height: 3.9em; line-height: 1.3; margin-bottom: 8px; font-size: 13px; }
      .inner figure h3 { min-height: 2.6em; }
      figure h3 span { display: block; font-weight: 400; color: var(--muted); }
      .arrow { align-self: center; text-align: center; font-size: 13px; color: var(--muted); white-space: nowrap; }
      .arrow b { display: block; font-size: 18px; font-weight: 400; color: var(--text); }
      .inner { display: grid; grid-template-columns: minmax(0, 1fr) auto minmax(0, 1fr); gap: 0 12px; align-items: start; }
      .lower { display: grid; grid-template-columns: minmax(0, 1fr) minmax(280px, 360px); gap: 24px 40px; margin-top: 20px; }
      .recipe { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 8px; min-height: 90px; font-size: 13px; margin: 6px 0 18px; font-variant-numeric: tabular-nums; }
      .product { display: flex; align-items: center; gap: 8px; }
      .term { text-align: center; font-size: 13px; }
      .term canvas { display: block; width: 44px; height: 44px; margin: 0 auto 2px; box-shadow: 0 0 0 2px var(--first); }
      .term.made canvas { width: 64px; height: 64px; box-shadow: 0 0 0 2px var(--ghost); }
      fieldset { border: 0; margin: 0; padding: 0; }
      legend { font-weight: 600; padding: 0; margin-bottom: 6px; }
      .radio { display: flex; align-items: center; gap: 8px; padding: 4px 0; font-size: 13px; cursor: pointer; }
      .radio input { accent-color: var(--text); margin: 0; }
      .outcome { min-height: 150px; margin-top: 10px; }
      .outcome td, .outcome th { padding: 4px 8px 4px 0; }
      .change { position: relative; }
      .track { display: block; height: 3px; width: 100%; background: var(--faint); border-radius: 2px; margin-top: 2px; }
      .track i { display: block; height: 100%; border-radius: 2px; background: var(--bar); }
      .track.after i { background: var(--ghost); }
      @media (max-width: 799px) {
        .flow, .inner, .lower { grid-template-columns: minmax(0, 1fr); gap: 12px; }
        .arrow b { display: inline; }
        .radio { min-height: 44px; }
        figure h3 { min-height: 0; }
      }
    `,
  ];

  render() {
    const { stage, path } = this;
    if (!stage) return nothing;
    if (stage.kind !== 'ghost') return html`<p class="lead">${text(stage.depth === 1 ? 'pathSingle' : 'pathPlain', { number: this.number, n: stage.width })}</p>`;
    const { raw, cheap, width, depth } = stage;
    if (!path) return html`<p class="lead">${text('looking')}</p>`;
    const contributions = this.#contributions();
    const wholeSource = path.from === 0;
    return html`
      <p class="lead">${parts('pathLead', { raw: html`<b>${raw}</b>`, cheap: html`<b class="ghost">${cheap}</b>`, width, inner: text('innerBlocks', { n: depth - 2 }) })}</p>
      <div class="flow">
        ${this.#grid('source', 'first', path.source, parts('pathSource', { n: path.source.dims[0] }), wholeSource ? 'x0' : `x0[:, ${raw}:]`, { lit: contributions[0]?.channel ?? -1, next: contributions.slice(1).map(({ channel }) => channel) })}
        <p class="arrow"><b aria-hidden="true">→</b>${text('pathCheap', { kernel: path.weights?.kernel ?? 1 })}</p>
        ${this.#grid('cheap', 'ghost', path.cheap, parts('pathMade', { n: cheap }), `${stage.name}.cheap`, { lit: this.chosen })}
        <p class="arrow"><b aria-hidden="true">+</b></p>
        ${path.merge ? this.#grid('merge', 'ghost', path.merge, parts('pathMerge', {}), `${stage.name}.merge`, { lit: this.chosen, palette: 'diverging', common: true }) : html`<h3>${text('pathNoMerge')}</h3>`}
        <p class="arrow"><b aria-hidden="true">→</b>ReLU</p>
        ${this.#grid('ghost', 'ghost', path.ghost, parts('pathGhost', { n: cheap }), `${stage.name}.ghost`, { lit: this.chosen })}
      </div>
      <div class="lower">
        <div>
          <h3>${parts('recipeTitle', { channel: html`<span class="ghost">${this.chosen}</span>` })}</h3>
          ${this.#recipe(contributions)}
          <h3>${text('intrinsicTitle')}</h3>
          <p class="note">${text('intrinsicNote', { n: raw, inner: text('innerBlocks', { n: depth - 2 }) })}</p>
          <div class="inner">
            ${this.#grid('intrinsic', 'first', path.intrinsic, parts('intrinsicFrom', { n: raw }), `x0[:, :${raw}]`, {})}
            <p class="arrow"><b aria-hidden="true">→</b>${text('innerBlocks', { n: depth - 2 })}</p>
            ${this.#grid('inner', 'last', path.inner, parts('intrinsicTo', { n: raw }), stage.blocks.at(-2), {})}
          </div>
        </div>
        ${this.#whatIf()}
      </div>
      ${asTable(this, () => this.#table())}
    `;
  }

  #grid(id, side, maps, title, tap, { lit = -1, next = none, palette = this.palette, common = false }) {
    const { all, low, high, energy } = statistics(maps);
    const most = Math.max(...all.map(Math.abs));
    const range = (this.#ranges[id] = this.#ranges[id]?.maps === maps ? this.#ranges[id] : { maps, order: orderOf(maps), blank: blankOf(low, high, common), range: common ? () => [-most, most] : (channel) => [low[channel], high[channel]] });
    const chooses = ['cheap', 'merge', 'ghost'].includes(id);
    const describe = (channel) => text('mapEnergy', { channel, energy: decimal(common ? maps.data[channel] : energy[channel], 3) });
    return html`<figure>
      <h3><div>${title}</div><span>${tap}</span></h3>
      <gg-grid id="path-${id}" side=${side} .label=${`${tap}: ${maps.dims[0]}`} .maps=${maps} .order=${range.order} .palette=${palette} .range=${range.range} .blank=${range.blank} .describe=${describe}
        .lit=${lit} .next=${next} .room=${220} .theme=${this.theme} .language=${this.language}
        @point=${({ detail }) => (chooses ? (this.chosen = detail.channel) : undefined)}
      ></gg-grid>
    </figure>`;
  }
  #ranges = {};

  /** The input maps that the chosen ghost map is made of, by weight times the input's spread, largest first. */
  #contributions(chosen = this.chosen) {
    const { path } = this;
    if (!path.weights) return none;
    const { data, dims: [, inputs] } = path.weights;
    const found = Array.from({ length: inputs }, (_, channel) => {
      const values = mapOf(path.source, channel);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      const weight = data[chosen * inputs + channel];
      return { channel, weight, share: Math.abs(weight) * spread };
    });
    const total = found.reduce((sum, { share }) => sum + share, 0) || 1;
    return found.sort((a, b) => b.share - a.share).slice(0, SHOWN).map((one) => ({ ...one, share: one.share / total }));
  }

  #table() {
    const { path } = this;
    const { energy } = statistics(path.ghost);
    const made = (channel) => this.#contributions(channel).slice(0, 3).map(({ channel: from, weight }) => `${decimal(weight)} × ${path.from + from}`).join(', ');
    const rows = [...energy].map((value, channel) => [channel, made(channel), path.merge ? decimal(path.merge.data[channel]) : '–', decimal(value, 3)]);
    return { head: [text('map'), text('madeOf'), text('aggregated'), text('energy')], rows };
  }

  #recipe(contributions) {
    const { path } = this;
    if (!path.weights) return html`<p class="recipe note">${text('noWeights')}</p>`;
    const rest = path.weights.dims[1] - contributions.length;
    const share = contributions.reduce((sum, one) => sum + one.share, 0);
    return html`<div class="recipe">
      <span class="term made"><canvas data-made aria-hidden="true"></canvas><b class="ghost">${this.chosen}</b></span> = ReLU (
      ${contributions.map(
        ({ channel, weight }, i) => html`<span class="product">${i ? html`<span>+</span>` : nothing}<span>${weight < 0 && i ? `(${decimal(weight)})` : decimal(weight)} ×</span><span class="term"><canvas data-input=${channel} aria-hidden="true"></canvas>${path.from + channel}</span></span>`,
      )}
      <span class="note">${text('recipeRest', { n: rest, share: Math.round(100 * (1 - share)) })}</span>
      ${path.merge ? html`<span>${parts('recipeMerge', { value: decimal(path.merge.data[this.chosen]) })}</span>` : nothing} )
    </div>`;
  }

  #whatIf() {
    const { ablation, without, stage } = this;
    const kind = ablation?.stage === stage.name ? ablation.kind : '';
    const map = this.pinned ?? { tap: `${stage.name}.ghost`, channel: this.chosen };
    const choose = (chosen) => this.actions.update({ ablation: { kind: chosen, stage: stage.name, ...(chosen === 'map' && map) }, ...(chosen === '' && { without: undefined }) });
    return html`<form class="what-if" @submit=${(event) => event.preventDefault()}>
      <fieldset>
        <legend>${text('whatIf')}</legend>
        ${['', ...ablations].map(
          (option) => html`<label class="radio"><input type="radio" name="ablation" value=${option} .checked=${option === kind} @change=${() => choose(option)} />${text(`whatIf_${option || 'nothing'}`, kind === 'map' ? ablation : map)}</label>`,
        )}
      </fieldset>
      <div class="outcome" role="status">${kind && without?.ablation === ablation ? this.#outcome(without) : html`<p class="note">${text('whatIfNote')}</p>`}</div>
    </form>`;
  }

  #outcome({ busy, error, before, after }) {
    if (busy) return html`<p class="note">${text('computing')}</p>`;
    if (error) return html`<p>${error}</p>`;
    const now = new Map(after.map(({ label, probability }) => [label, probability]));
    const rows = before.map(({ label, probability }) => ({ label, was: probability, is: now.get(label) ?? 0 }));
    for (const { label, probability } of after.slice(0, 5)) if (!rows.some((row) => row.label === label)) rows.push({ label, was: 0, is: probability });
    const percent = (value) => `${(100 * value).toFixed(1)} %`;
    const bar = (value, name) => html`<span class="track ${name}"><i ${styled({ width: `${100 * value}%` })}></i></span>`;
    const same = after[0].label === before[0].label;
    return html`
      <p>${text(same ? 'sameAnswer' : 'otherAnswer', { before: before[0].label, after: after[0].label })}</p>
      <table id="outcome">
        <thead><tr><th>${text('class')}</th><th class="number">${text('before')}</th><th class="number">${text('after')}</th></tr></thead>
        <tbody>${rows.map(({ label, was, is }) => html`<tr><td>${label}</td><td class="number">${percent(was)}${bar(was, '')}</td><td class="number">${percent(is)}${bar(is, 'after')}</td></tr>`)}</tbody>
      </table>`;
  }

  willUpdate(changed) {
    // The strongest ghost is the one to begin with.
    if (changed.has('stage')) this.chosen = undefined;
    if (this.path && this.chosen === undefined) {
      const { energy } = statistics(this.path.ghost);
      this.chosen = energy.indexOf(Math.max(...energy));
    }
  }

  updated() {
    const { path } = this;
    if (!path) return;
    const paint = (canvas, maps, channel) => {
      const side = Math.round((canvas.clientWidth || 48) * devicePixelRatio);
      const { low, high } = statistics(maps);
      paintOne(canvas, side, maps, channel, { palette: this.palette, range: [low[channel], high[channel]] });
    };
    for (const canvas of this.renderRoot.querySelectorAll('[data-input]')) paint(canvas, path.source, Number(canvas.dataset.input));
    const made = this.renderRoot.querySelector('[data-made]');
    if (made) paint(made, path.ghost, this.chosen);
  }
}

const none = [];
const orderOf = ({ dims: [channels] }) => Array.from({ length: channels }, (_, i) => i);
/** Constant maps, unless all are. */
const blankOf = (low, high, common) => new Set(common ? [] : [...low.keys()].filter((channel) => low[channel] === high[channel]));

define('gg-ghost-path', GhostPath);

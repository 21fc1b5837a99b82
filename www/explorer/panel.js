/** @file The opened stage: one sentence of live numbers, four tabs, and the pair that is lit. */
import { css, html, nothing } from 'lit';
import { decimal, parts, text } from '../view/language.js';
import { define, shared, View } from './base.js';
import { blankOf, comparisonKey, comparisons, countAbove, drawnOnDevice, isSingle, isWeak, orderOf, pairOf, rangeOf, readPin, stageNumber, stageOf } from './compare.js';
import { statistics } from './paint.js';
import './ghost.js';
import './numbers.js';
import './pair.js';
import './similarity.js';
import './twins.js';

const tabs = ['twins', 'ghost', 'similarity', 'numbers'];

class Panel extends View {
  static properties = { ...View.properties, /** The one view that is shown, without the sentence and the tabs. */ only: {}, state: { attribute: false, hasChanged: () => true } };

  static styles = [
    shared,
    css`
      :host { display: flex; flex-direction: column; min-height: inherit; font-variant-numeric: tabular-nums; }
      .body { flex: 1; padding: 16px 24px 14px; }
      h2 { font-size: clamp(20px, 1.9vw, 28px); font-weight: 400; line-height: 1.3; letter-spacing: -0.01em; max-width: 44em; text-wrap: pretty; }
      h2 b { font-weight: 650; }
      h2.weak b:not(.ghost) { color: var(--muted); font-weight: inherit; }
      .threshold { white-space: nowrap; }
      .threshold input { width: 110px; vertical-align: middle; accent-color: var(--text); margin: 0 2px 0 8px; }
      .sub { font-size: 15px; color: var(--muted); margin: 4px 0 0; min-height: 1.45em; }
      .bar { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 4px 20px; margin: 10px 0 12px; border-bottom: 1px solid var(--line); }
      [role='tablist'] { display: flex; gap: 4px; overflow-x: auto; scrollbar-width: none; }
      [role='tab'] { padding: 8px 12px; border: 0; border-bottom: 2px solid transparent; margin-bottom: -1px; background: none; cursor: pointer; color: var(--muted); white-space: nowrap; }
      [role='tab'][aria-selected='true'] { color: var(--text); border-color: var(--text); }
      :host(.embedded) kbd { display: none; }
      kbd { font: inherit; font-size: 11px; color: var(--muted); margin-left: 4px; }
      gg-pair { position: sticky; bottom: var(--dock, 0px); z-index: 5; }
      @media (max-width: 799px) {
        .body { padding: 16px; }
        .threshold input { height: 44px; }
        [role='tab'] { min-height: 44px; }
        kbd { display: none; }
        gg-pair { position: static; }
      }
    `,
  ];

  /** Draws a state; views that are not in sight are not told of it. */
  show(state) {
    this.state = steady(state);
    this.language = state.language;
  }

  /** The camera's maps are drawn at the screen's pace, while the net has the next picture already. */
  async scheduleUpdate() {
    if (this.state?.picture?.live) await new Promise(requestAnimationFrame);
    return super.scheduleUpdate();
  }

  willUpdate() {
    const { state } = this;
    if (!state?.maps) return;
    // Maps of a stage that is being left have no comparison yet.
    this.pair = isSingle(state) ? single(state) : state.comparison?.maps === state.maps ? pairOf(state) : undefined;
    this.view = this.#memo(
      [state.maps, state.comparison, state.sort, state.palette, state.scale, state.width, state.language, state.theme, state.metric],
      () => viewOf(state, this.#room(state.width), this.view),
    );
  }

  #last = [];
  #memo(values, make) {
    if (this.view && values.every((value, i) => Object.is(value, this.#last[i]))) return this.view;
    this.#last = values;
    return make();
  }

  /** What is left of the window for the maps, so that all are in view with the pair below them. */
  #room(width) {
    if (this.#measured?.width === width) return this.#measured.room;
    const top = this.getBoundingClientRect().top + scrollY;
    const room = width < 800 ? 400 : Math.min(640, Math.max(316, innerHeight - top - 440));
    this.#measured = { width, room };
    return room;
  }
  #measured;

  render() {
    const { state, view, pair } = this;
    if (!view || !state.maps) return nothing;
    const pinned = Boolean(state.pin) && !state.pointed ? true : Boolean(state.pin && pair?.asked && state.pin === [pair.asked.side, pair.asked.channel, ...(pair.asked.other === undefined ? [] : [pair.asked.other])].join('.'));
    if (this.only) return html`<div class="body">${view.single || state.tab === 'ghost' ? nothing : html`<div class="bar">${this.#compared()}</div>`}<div id="panel">${this.#tab()}</div></div>${this.#lit(pinned)}`;
    return html`
      <div class="body">
        ${this.#headline()}
        <div class="bar">
          <div role="tablist" aria-label=${text('views')} @keydown=${this.#tabKeys}>
            ${tabs.map(
              (tab, i) => html`<button type="button" role="tab" id="tab-${tab}" aria-controls="panel" aria-selected=${String(tab === state.tab)} tabindex=${tab === state.tab ? 0 : -1} @click=${() => this.actions.update({ tab })}>${text(`tab_${tab}`)}<kbd aria-hidden="true">${i + 1}</kbd></button>`,
            )}
          </div>
          ${view.single ? nothing : this.#compared()}
        </div>
        <div role="tabpanel" id="panel" aria-labelledby="tab-${state.tab}">${this.#tab()}</div>
      </div>
      ${this.#lit(pinned)}
    `;
  }

  /** The pair that is lit, and what a screen reader hears of it. */
  #lit(pinned) {
    const { state, view, pair } = this;
    return html`
      ${view.single || !['twins', 'similarity'].includes(state.tab)
        ? nothing
        : html`<gg-pair
            .pair=${pair}
            .maps=${view.maps}
            .names=${view.names}
            .palette=${view.palette}
            .range=${view.range}
            .pinned=${pinned}
            .theme=${state.theme}
            .language=${this.language}
            @pin=${() => this.actions.pin(pair.asked)}
            @choose=${({ detail }) => this.actions.point({ ...pair.asked, other: detail.channel })}
          ></gg-pair>`}
      <p class="hidden" role="status">${pair && !view.single ? this.#spoken() : ''}</p>
    `;
  }

  #spoken() {
    const { first, last, r } = this.pair;
    return first < 0 || last < 0 ? text('noTwin', { channel: Math.max(first, last) }) : text('spokenPair', { first, last, r: decimal(r) });
  }

  #tab() {
    const { state, view, pair } = this;
    switch (state.tab) {
      case 'twins':
        return html`<gg-twins .drawn=${drawnOnDevice(state) ? { net: this.net(), taps: state.maps.taps, picture: state.picture } : undefined} .view=${view} .pair=${pair} .pinned=${Boolean(state.pin) && !state.pointed} .actions=${this.actions} .language=${this.language}></gg-twins>`;
      case 'ghost':
        return html`<gg-ghost-path
          .path=${state.ghostPath?.of === state.maps ? state.ghostPath : undefined}
          .stage=${stageOf(state)}
          .number=${stageNumber(state)}
          .palette=${state.palette}
          .theme=${state.theme}
          .ablation=${state.ablation}
          .without=${state.without}
          .pinned=${pinnedTap(state)}
          .actions=${this.actions}
          .language=${this.language}
        ></gg-ghost-path>`;
      case 'similarity':
        return view.single
          ? html`<p>${text('numbersSingle')}</p>`
          : html`<gg-similarity
              .comparison=${state.comparison?.maps === state.maps ? state.comparison : undefined}
              .clusters=${state.clusters?.matrix === state.comparison?.matrix ? state.clusters : undefined}
              .pair=${pair}
              .names=${view.names}
              .threshold=${state.threshold}
              .taps=${state.maps.taps}
              .choices=${view.choices}
              .positions=${view.positions}
              .theme=${state.theme}
              .actions=${this.actions}
              .language=${this.language}
            ></gg-similarity>`;
      case 'numbers':
        return html`<gg-numbers
          .alone=${state.alone?.maps === state.maps ? state.alone : undefined}
          .study=${state.study?.info === state.info && state.study.taps.join() === state.maps.taps.join() ? state.study : undefined}
          .info=${state.info}
          .plain=${state.plain?.variant === state.info.variant ? state.plain : undefined}
          .times=${state.bothTimes?.info === state.info ? state.bothTimes : undefined}
          .dims=${view.dims}
          .threshold=${state.threshold}
          .single=${view.single}
          .sampleCount=${state.samples.length}
          .how=${state.how}
          .actions=${this.actions}
          .language=${this.language}
        ></gg-numbers>`;
      default:
        throw new Error(`there is no tab ${state.tab}`);
    }
  }

  #compared() {
    const { state } = this;
    const key = comparisonKey(state);
    return html`<span>
      <label class="choice"><span class="what">${text('compare')}</span>
        <select id="compare" @change=${({ target }) => this.actions.compare(target.value)}>
          ${comparisons(state).map((option) => html`<option value=${option.key === 'outputs' ? '' : option.taps.join()} .selected=${option.key === key}>${text(`compare_${option.key}`)}</option>`)}
          ${key === 'taps' ? html`<option value=${state.maps.taps.join()} selected>${state.maps.taps.join(' | ')}</option>` : nothing}
        </select>
      </label>
      <label class="choice"><span class="what">${text('metric')}</span>
        <select id="metric" @change=${({ target }) => this.actions.update({ metric: target.value })}>
          ${['pearson', 'cosine'].map((metric) => html`<option value=${metric} .selected=${metric === state.metric}>${text(`metric_${metric}`)}</option>`)}
        </select>
      </label>
    </span>`;
  }

  #headline() {
    const { state, view } = this;
    const { comparison, threshold, maps } = state;
    const stage = stageOf(state);
    const number = stageNumber(state);
    if (view.single) return html`<h2 id="headline">${text('singleBlock', { number })}</h2><p class="sub" id="stage-note">${text('singleBlockNote', { n: stage.width })}</p>`;
    const weak = isWeak(state);
    const count = comparison ? countAbove(comparison.bestOfB.score, threshold) : '…';
    const width = maps.last.dims[0];
    const chance = comparison?.other && countAbove(comparison.other.score, threshold);
    const slider = html`<span class="threshold"><output>${state.metric === 'cosine' ? '|cos|' : '|r|'} > ${threshold.toFixed(2)}</output><input id="threshold" type="range" min="0.5" max="0.95" step="0.05" .value=${String(threshold)} aria-label=${text('thresholdLabel')} @input=${({ target }) => this.actions.update({ threshold: Number(target.value) })} /></span>`;
    const key = comparisonKey(state);
    const saved = stage.kind === 'ghost' && key === 'outputs' ? parts('soCheap', { cheap: html`<b class="ghost">${stage.cheap}</b>` }) : nothing;
    const notes = [
      chance === undefined ? '' : text('chanceNote', { chance, width }),
      stage.kind === 'plain' ? text('plainNote', { number }) : '',
      weak ? text('weakNote', { size: `${maps.first.dims[1]} × ${maps.first.dims[2]}` }) : '',
      comparison?.deadB.length ? text('deadNote', { n: comparison.deadB.length }) : '',
    ];
    return html`
      <h2 id="headline" class=${weak ? 'weak' : ''}>${parts(`headline_${key}`, { number, count: html`<b>${text('ofMany', { count, width })}</b>`, slider, first: maps.taps[0], last: maps.taps[1] })} ${saved}</h2>
      <p class="sub"><span id="stage-note">${notes.filter(Boolean).join(' ')}</span> ${chance === undefined ? nothing : html`<button type="button" class="how" @click=${() => this.actions.update({ tab: 'numbers', how: state.metric })}>${text('how')}</button>`}</p>
    `;
  }

  #tabKeys(event) {
    const at = tabs.indexOf(this.state.tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    this.actions.update({ tab });
    this.updateComplete.then(() => this.renderRoot.querySelector(`#tab-${tab}`).focus());
  }
}

/** The camera's maps are shown once they are compared: what is lit would go out and on again with each picture. */
function steady(state) {
  const { picture, maps, comparison } = state;
  const before = comparison?.maps;
  return picture?.live && before && before !== maps && before.taps.join() === maps.taps.join() ? { ...state, maps: before } : state;
}

/** The pinned map as a tap's channel. */
function pinnedTap({ pin, maps }) {
  const found = readPin(pin);
  return found && { tap: maps.taps[found.side === 'first' ? 0 : 1], channel: found.channel };
}

/** A pointed map of a stage that has nothing to compare. */
const single = ({ pointed }) => pointed && { side: 'first', first: pointed.channel, last: -1, next: [], asked: pointed };

/** What the grids need, made once for all that stays the same while a pointer moves; what is as `before` stays the same object, so that no grid is painted twice. */
function viewOf(state, room, before) {
  const { maps, comparison, palette, scale, sort, theme } = state;
  const single = isSingle(state);
  const key = comparisonKey(state);
  const stage = stageOf(state);
  const current = comparison?.maps === maps ? comparison : undefined;
  const shown = { ...state, comparison: current };
  const both = (make) => ({ first: make('first'), last: make('last') });
  const all = statistics(maps.first).all;
  const value = (number) => decimal(number, Math.abs(number) < 10 ? 1 : 0);
  const stageRange = scale === 'stage' && [all, statistics(maps.last).all].reduce((a, b) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])]);
  const far = palette === 'diverging' && stageRange ? Math.max(...stageRange.map(Math.abs)) : 0;
  return {
    maps,
    single,
    palette,
    scale,
    sort,
    theme,
    room,
    names: { first: key === 'taps' ? maps.taps[0] : text('nameFirst'), last: key === 'taps' ? maps.taps[1] : text(`name_${key}`, { depth: stage.depth }) },
    titles: single
      ? { first: parts('titleSingle', { name: wide('first', text('onlyBlock')) }) }
      : { first: parts('titleFirst', { name: wide('first', key === 'taps' ? maps.taps[0] : text('nameFirst')) }), last: parts(`title_${key}`, { name: wide('last', key === 'taps' ? maps.taps[1] : text(`name_${key}`, { depth: stage.depth })) }) },
    orders: both((side) => kept(before?.orders[side], orderOf(side, shown))),
    blanks: both((side) => kept(before?.blanks[side], blankOf(side, shown))),
    ranges: before?.maps === maps && before.scale === scale && scale !== 'pair' ? before.ranges : both((side) => (channel) => rangeOf(side, channel, shown)),
    range: (side, channel) => rangeOf(side, channel, shown),
    legend: stageRange ? (far ? [value(-far), value(far)] : stageRange.map(value)) : [text(palette === 'diverging' ? 'lowestSymmetric' : 'lowest'), text(scale === 'pair' ? 'highestPair' : 'highestLocal')],
    describe: both((side) => (channel) => describe(side, channel, shown)),
    rows: () => rowsOf(shown),
    dims: [maps.first.dims, maps.last.dims],
    positions: maps.first.dims[1] * maps.first.dims[2],
    choices: state.info.taps.filter((tap) => tap.startsWith(`${maps.stage}.`) && !/\.(merge(\.\d)?|mean)$/.test(tap)),
  };
}

/** The earlier list or set, where the new one has the same members in the same order. */
function kept(before, now) {
  if (!before) return now;
  const [a, b] = [[...before], [...now]];
  return a.length === b.length && a.every((value, i) => value === b[i]) ? before : now;
}

const wide = (side, name) => html`<b class=${side}>${name}</b>`;

function describe(side, channel, { comparison }) {
  if (!comparison) return text('mapOnly', { channel });
  const { match, score } = side === 'last' ? comparison.bestOfB : comparison.bestOfA;
  return match[channel] < 0 ? text('noTwin', { channel }) : text('mapTwin', { channel, match: match[channel], r: decimal(score[channel]) });
}

/** One row a map of block n: what the exported table holds too. */
export function rowsOf({ maps, comparison }) {
  const { energy } = statistics(maps.last);
  return Array.from(energy, (value, channel) => ({
    channel,
    match: comparison?.bestOfB.match[channel] ?? -1,
    score: comparison?.bestOfB.score[channel] ?? Number.NaN,
    chance: comparison?.other ? Math.abs(comparison.other.score[channel]) : Number.NaN,
    shuffled: comparison?.shuffled ? Math.abs(comparison.shuffled.score[channel]) : Number.NaN,
    energy: value,
  }));
}

define('gg-panel', Panel);

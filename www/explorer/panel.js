/** @file The opened stage: one sentence of live numbers, a tab for each view, and the pair that is lit. */
import { css, html, nothing } from 'lit';
import { offered } from '../view/address.js';
import { decimal, parts, text } from '../view/language.js';
import { choice, define, shared, View } from './base.js';
import {
  blankOf,
  colourRange,
  comparisonKey,
  comparisons,
  countAbove,
  isSingle,
  isWeak,
  orderOf,
  pairOf,
  join,
  stageNumber,
  stageOf,
} from './stage.js';
import { statistics } from './maps.js';
import { SIDES, writePin } from './session.js';
import { viewNamed, views } from './views.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {import('./state.js').Side} Side
 * @typedef {import('./stage.js').Opened} Opened
 * @typedef {import('./stage.js').Pair} Pair
 */

/**
 * What the views show, made once for all that stays the same while a pointer moves.
 * @typedef {object} Shown
 * @property {import('./state.js').ComparedMaps} maps
 * @property {boolean} single
 * @property {number} room for the maps, in pixels of height
 * @property {{ [side in Side]: string }} names
 * @property {{ [side in Side]: unknown }} titles
 * @property {{ [side in Side]: number[] }} orders
 * @property {{ [side in Side]: Set<number> }} blanks
 * @property {{ [side in Side]: (channel: number) => [number, number] }} ranges
 * @property {{ [side in Side]: (channel: number) => string }} describe
 * @property {string[]} legend
 * @property {Pick<State, 'palette' | 'scale' | 'sort' | 'theme'>} choices
 * @property {number} positions
 */

/** What a view is made anew for. @type {(keyof State)[]} */
const reads = ['maps', 'comparison', 'sort', 'palette', 'scale', 'width', 'height', 'language', 'theme', 'metric'];

/** The titles above the maps with what is below them, and the strip of the tour, in pixels. */
const BELOW = 40;
const DOCK = 72;

const styles = css`
  :host { display: block; font-variant-numeric: tabular-nums; container-type: inline-size; }
  .body { padding: 8px 16px 12px; }
  h2 { font-size: 17px; font-weight: 400; line-height: 1.35; letter-spacing: -0.005em; text-wrap: pretty; }
  h2 b { font-weight: 650; }
  h2.weak b:not(.ghost) { color: var(--muted); font-weight: inherit; }
  .threshold { white-space: nowrap; }
  .threshold input { width: 84px; height: 16px; vertical-align: middle; accent-color: var(--text); margin: 0 2px 0 6px; }
  .sub { font-size: 13px; line-height: 1.45; color: var(--muted); margin: 1px 0 0; min-height: 2.9em; }
  .bar {
    display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0 16px;
    margin: 2px 0 8px; border-bottom: 1px solid var(--line);
  }
  .choices { display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px; }
  [role='tablist'] { display: flex; flex-wrap: wrap; }
  [role='tab'] {
    padding: 6px 10px; border: 0; border-bottom: 2px solid transparent; margin-bottom: -1px; background: none;
    cursor: pointer; color: var(--muted); white-space: nowrap;
  }
  [role='tab'][aria-selected='true'] { color: var(--text); border-color: var(--text); }
  :host(.embedded) kbd { display: none; }
  kbd { font: inherit; font-size: 11px; color: var(--muted); margin-left: 4px; }
  .settings { position: relative; margin: 0; }
  .settings summary { list-style: none; padding: 5px 8px; border-radius: 4px; color: var(--text); }
  .settings summary::-webkit-details-marker { display: none; }
  .settings summary::after { content: '▾'; margin-left: 6px; color: var(--muted); }
  .settings summary:hover { background: var(--faint); }
  .settings > div {
    position: absolute; right: 0; z-index: 6; display: grid; gap: 4px; padding: 10px 12px; background: var(--surface);
    border: 1px solid var(--line); border-radius: 6px;
  }
  .settings .choice { justify-content: space-between; }
  @container (max-width: 599px) {
    .body { padding-inline: 12px; }
    .threshold input { height: 44px; }
    [role='tab'] { min-height: 44px; padding-inline: 8px; }
    kbd { display: none; }
    .settings summary { min-height: 44px; align-content: center; }
    .settings > div { right: auto; left: 0; }
  }
  @media (forced-colors: active) { [role='tab'][aria-selected='true'] { border-bottom: 3px solid Highlight; } }
  @media print { .choices, .threshold input { display: none; } }
`;

class Panel extends View {
  static properties = {
    ...View.properties,
    only: {},
    state: { attribute: false, hasChanged: () => true },
  };

  static styles = [shared, styles];

  /** The elements of the views, by name: each is made when it is first opened. @type {Map<string, HTMLElement>} */
  #elements = new Map();
  /** @type {unknown[]} */
  #last = [];
  /** Where the view begins in the page, in pixels from its top. */
  #top = 210;

  constructor() {
    super();
    /** The one view that is shown, without the sentence and the tabs. @type {string | undefined} */
    this.only = undefined;
    /** @type {Opened} */
    this.state;
    /** @type {import('./base.js').Actions} */
    this.actions;
    /** @type {() => import('./state.js').Net} */
    this.net;
    /** @type {Shown | undefined} */
    this.shown = undefined;
    /** @type {Pair | undefined} */
    this.pair = undefined;
    /** Whether a strip lies over the lower edge of the window: the tour's. */
    this.docked = false;
  }

  /** Draws a state. @param {State} state */
  show(state) {
    this.state = /** @type {Opened} */ (current(steady(state)));
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
    this.pair = isSingle(state) ? single(state) : pairOf(state);
    const values = reads.map((name) => state[name]);
    if (this.shown && values.every((value, i) => Object.is(value, this.#last[i]))) return;
    this.#last = values;
    this.shown = shownOf(state, this.#room(state), this.shown);
  }

  /**
   * What is left of the window for the maps: all of them are in view at once, and nothing lies over them. Where the
   * grids stand one below the other, a screen has one of them.
   * @param {State} state
   */
  #room({ width, height }) {
    if (this.only || width < 600) return 420;
    const left = height - this.#top - BELOW - (this.docked ? DOCK : 0);
    return Math.max(260, left);
  }

  updated() {
    const panel = this.find('#panel');
    if (!panel || this.only) return;
    const top = Math.round(panel.getBoundingClientRect().top + scrollY);
    if (Math.abs(top - this.#top) < 2) return;
    this.#top = top;
    this.#last = [];
    this.requestUpdate();
  }

  render() {
    const { state, shown } = this;
    if (!shown || !state.maps) return nothing;
    const choices = html`<div class="choices">
      ${shown.single || (this.only && !viewNamed(this.only).compares) ? nothing : this.#compared()} ${this.#settings()}
    </div>`;
    if (this.only) {
      return html`<div class="body"><div class="bar">${choices}</div><div id="panel">${this.#view()}</div></div>
        ${this.#said()}`;
    }
    return html`
      <div class="body">
        ${headline(state, shown, this.actions)}
        <div class="bar">${this.#tabs()} ${choices}</div>
        <div role="tabpanel" id="panel" aria-labelledby="tab-${state.tab}">${this.#view()}</div>
      </div>
      ${this.#said()}
    `;
  }

  #tabs() {
    const { tab: open } = this.state;
    const tab = (/** @type {string} */ name, /** @type {number} */ i) => html`<button
      type="button"
      role="tab"
      id="tab-${name}"
      aria-controls="panel"
      aria-selected=${String(name === open)}
      tabindex=${name === open ? 0 : -1}
      @click=${() => this.actions.update({ tab: name })}
    >${text(`tab_${name}`)}<kbd aria-hidden="true">${i + 1}</kbd></button>`;
    return html`<div role="tablist" aria-label=${text('views')} @keydown=${this.#tabKeys}>
      ${views.map(({ name }, i) => tab(name, i))}
    </div>`;
  }

  /** @param {KeyboardEvent} event */
  #tabKeys(event) {
    const names = views.map(({ name }) => name);
    const at = names.indexOf(this.state.tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = names[(to + names.length) % names.length];
    this.actions.update({ tab });
    this.updateComplete.then(() => this.find(`#tab-${tab}`).focus());
  }

  /** The element of the view that is open, told what there is to show. */
  #view() {
    const { state, shown, pair, actions, net, language } = this;
    const { name, element, load } = viewNamed(state.tab);
    let view = this.#elements.get(name);
    if (!view) {
      load().catch((error) => this.dispatchEvent(new CustomEvent('failure', { detail: error })));
      view = document.createElement(`gg-${element}`);
      this.#elements.set(name, view);
    }
    return Object.assign(view, { state, shown, pair, pinned: this.#pinned, actions, net, language });
  }

  /** What the view that is open has besides the maps, to be taken away. @returns {object | undefined} */
  exported() {
    const view = /** @type {{ exported?: () => object } | undefined} */ (this.#elements.get(this.state.tab));
    return view?.exported?.();
  }

  /** Whether the pair that is lit is the one that is pinned. */
  get #pinned() {
    const {
      state: { pin, pointed },
      pair,
    } = this;
    return Boolean(pin) && (!pointed || (pair !== undefined && writePin(pair.asked) === pin));
  }

  /** What a screen reader hears of the pair that is lit. */
  #said() {
    const { shown, pair } = this;
    return html`<p class="hidden" role="status">${pair && !shown?.single ? spoken(pair) : ''}</p>`;
  }

  /** The side of the input that maps are made from. */
  #sides() {
    const { info, side } = this.state;
    const own = info.input.side;
    const all = [...new Set([own, ...SIDES, ...(side ? [side] : [])])].sort((a, b) => a - b);
    const rows = all.map((value) => {
      return {
        value: String(value),
        words: text(value === own ? 'ownSide' : 'pixels', { n: value }),
        selected: value === side,
      };
    });
    const sharp = { value: '0', words: text('sharpSide'), selected: side === 0 };
    return choice('side', [sharp, ...rows], (value) => this.actions.viewAt(Number(value)));
  }

  /** How the maps are shown. */
  #settings() {
    const single = this.shown?.single;
    const chosen = (/** @type {'sort' | 'palette' | 'scale'} */ name) => {
      const values = offered[name].filter((value) => !(single && value === 'pair'));
      const rows = values.map((value) => {
        return { value, words: text(`${name}_${value}`), selected: value === this.state[name] };
      });
      return choice(name, rows, (value) => this.actions.update({ [name]: value }));
    };
    return html`<details class="settings" id="settings" @keydown=${closeOnEscape}>
      <summary>${text('settings')}</summary>
      <div>${chosen('sort')} ${chosen('palette')} ${chosen('scale')} ${this.#sides()}</div>
    </details>`;
  }

  /** What is compared with what, and by which measure. */
  #compared() {
    const { state, actions } = this;
    const { maps } = state;
    const key = comparisonKey(state);
    const pairs = comparisons(stageOf(state)).map((one) => ({
      value: one.key === 'outputs' ? '' : one.taps.join(),
      words: text(`compare_${one.key}`),
      selected: one.key === key,
    }));
    const others = { value: maps.taps.join(), words: maps.taps.join(' | '), selected: true };
    const metrics = /** @type {const} */ (['pearson', 'cosine']).map((metric) => ({
      value: metric,
      words: text(`metric_${metric}`),
      selected: metric === state.metric,
    }));
    return html`
      ${choice('compare', [...pairs, ...(key === 'taps' ? [others] : [])], (value) => actions.compare(value))}
      ${choice('metric', metrics, (value) => actions.update({ metric: /** @type {State['metric']} */ (value) }))}
    `;
  }
}

/** @param {KeyboardEvent & { currentTarget: HTMLDetailsElement }} event */
function closeOnEscape(event) {
  const { key, currentTarget } = event;
  if (key !== 'Escape' || !currentTarget.open) return;
  event.stopPropagation();
  currentTarget.open = false;
  currentTarget.querySelector('summary')?.focus();
}

/** @param {Pair} pair */
function spoken({ first, last, r }) {
  const isBlank = first < 0 || last < 0;
  if (isBlank) return text('noTwin', { channel: Math.max(first, last) });
  return text('spokenPair', { first, last, r: decimal(r) });
}

/** @param {Opened} state @param {Shown} shown @param {import('./base.js').Actions} actions */
function headline(state, shown, actions) {
  const { comparison, threshold, maps } = state;
  const stage = stageOf(state);
  const number = stageNumber(state);
  if (shown.single) {
    return html`<h2 id="headline">${text('singleBlock', { number })}</h2>
      <p class="sub" id="stage-note">${text('singleBlockNote', { n: stage.width })}</p>`;
  }
  const count = comparison ? countAbove(comparison.bestOfB.score, threshold) : '…';
  const key = comparisonKey(state);
  const saved = stage.kind === 'ghost' && key === 'outputs';
  const values = {
    number,
    count: html`<b>${text('ofMany', { count, width: maps.last.dims[0] })}</b>`,
    slider: slider(state, actions),
    first: maps.taps[0],
    last: maps.taps[1],
  };
  const explain = html`<button
    type="button"
    class="how"
    @click=${() => actions.update({ tab: 'numbers', formula: state.metric })}
  >${text('how')}</button>`;
  return html`
    <h2 id="headline" class=${isWeak(state) ? 'weak' : ''}>
      ${parts(`headline_${key}`, values)}
    </h2>
    <p class="sub">${saved ? ghosts(state, stage) : nothing} <span id="stage-note">${notes(state).join(' ')}</span> ${comparison?.other ? explain : nothing}</p>
  `;
}

/** How many of block n's ghosts have a twin, and of the maps that the inner blocks made. @param {Opened} state @param {import('./state.js').StageInfo} stage */
function ghosts({ comparison, threshold }, { raw, cheap }) {
  const made = html`<b class="ghost">${text('ghostMaps', { n: cheap })}</b>`;
  if (!comparison) return parts('byDesign', { ghosts: made });
  const { score } = comparison.bestOfB;
  const n = countAbove(score.subarray(raw), threshold);
  return parts('byDesignTwins', { ghosts: made, n, raw, others: countAbove(score.subarray(0, raw), threshold) });
}

/** @param {Opened} state @param {import('./base.js').Actions} actions */
function slider({ metric, threshold }, actions) {
  const slide = (/** @type {{ target: HTMLInputElement }} */ { target }) =>
    actions.update({ threshold: Number(target.value) });
  return html`<span class="threshold">
    <output>${metric === 'cosine' ? '|cos|' : '|r|'} > ${threshold.toFixed(2)}</output>
    <input id="threshold" type="range" min="0.5" max="0.95" step="0.05" .value=${String(threshold)}
      aria-label=${text('thresholdLabel')} @input=${slide} />
  </span>`;
}

/** What has to be known with the sentence. @param {Opened} state */
function notes(state) {
  const { comparison, maps, threshold, info } = state;
  const [, height, width] = maps.first.dims;
  const chance = comparison?.other && countAbove(comparison.other.score, threshold);
  const blank = comparison?.deadB.length;
  return [
    chance === undefined ? '' : text('chanceNote', { chance, width: maps.last.dims[0] }),
    stageOf(state).kind === 'plain' ? text('plainNote', { number: stageNumber(state) }) : '',
    isWeak(state) ? text('weakNote', { size: `${height} × ${width}` }) : '',
    blank ? text('deadNote', { n: blank }) : '',
    maps.side ? text('sideNote', { side: maps.side, own: info.input.side }) : '',
  ].filter(Boolean);
}

/**
 * The camera's maps are shown once they are compared: what is lit would go out and on again with each picture.
 * @param {State} state
 */
function steady(state) {
  const { picture, maps, comparison } = state;
  const before = comparison?.maps;
  const isLate = picture?.live && before && before !== maps && before.taps.join() === maps?.taps.join();
  return isLate ? { ...state, maps: before } : state;
}

/** Maps of a stage that was just opened have no comparison yet. @param {State} state */
function current(state) {
  return state.comparison?.maps === state.maps ? state : { ...state, comparison: undefined };
}

/** A pointed map of a stage that has nothing to compare. @param {State} state @returns {Pair | undefined} */
const single = ({ pointed }) =>
  pointed && { side: 'first', first: pointed.channel, last: -1, r: Number.NaN, next: [], asked: pointed };

/**
 * What is as `before` stays the same object, so that no grid is painted twice.
 * @param {Opened} state
 * @param {number} room
 * @param {Shown} [before]
 * @returns {Shown}
 */
function shownOf(state, room, before) {
  const { maps, palette, scale, sort, theme } = state;
  const single = isSingle(state);
  const names = namesOf(state);
  const range = (/** @type {Side} */ side) => (/** @type {number} */ channel) => colourRange(side, channel, state);
  const sameRanges = before?.maps === maps && before.choices.scale === scale && scale !== 'pair';
  return {
    maps,
    single,
    room,
    names,
    titles: titlesOf(state, names),
    orders: both((side) => kept(before?.orders[side], orderOf(side, state))),
    blanks: both((side) => kept(before?.blanks[side], blankOf(side, state))),
    ranges: sameRanges ? before.ranges : both(range),
    describe: both((side) => (/** @type {number} */ channel) => describe(side, channel, state)),
    legend: legendOf(state),
    choices: { palette, scale, sort, theme },
    positions: maps.first.dims[1] * maps.first.dims[2],
  };
}

/** @template T @param {(side: Side) => T} make @returns {{ [side in Side]: T }} */
const both = (make) => ({ first: make('first'), last: make('last') });

/** @param {Opened} state */
function namesOf(state) {
  const key = comparisonKey(state);
  const {
    taps: [first, last],
  } = state.maps;
  if (key === 'taps') return { first, last };
  return { first: text('nameFirst'), last: text(`name_${key}`, { depth: stageOf(state).depth }) };
}

/** @param {Opened} state @param {{ [side in Side]: string }} names @returns {{ [side in Side]: unknown }} */
function titlesOf(state, names) {
  const wide = (/** @type {Side} */ side, /** @type {string} */ name) => html`<b class=${side}>${name}</b>`;
  if (isSingle(state)) return { first: parts('titleSingle', { name: wide('first', text('onlyBlock')) }), last: '' };
  return {
    first: parts('titleFirst', { name: wide('first', names.first) }),
    last: parts(`title_${comparisonKey(state)}`, { name: wide('last', names.last) }),
  };
}

/** Both ends of the colours. @param {Opened} state */
function legendOf({ maps, palette, scale }) {
  const value = (/** @type {number} */ number) => decimal(number, Math.abs(number) < 10 ? 1 : 0);
  if (scale === 'stage') {
    const range = join(statistics(maps.first).all, statistics(maps.last).all);
    const far = Math.max(...range.map(Math.abs));
    return palette === 'diverging' ? [value(-far), value(far)] : range.map(value);
  }
  const lowest = palette === 'diverging' ? 'lowestSymmetric' : 'lowest';
  return [text(lowest), text(scale === 'pair' ? 'highestPair' : 'highestLocal')];
}

/**
 * The earlier list or set, where the new one has the same members in the same order.
 * @template {Iterable<number>} T
 * @param {T | undefined} before
 * @param {T} now
 */
function kept(before, now) {
  if (!before) return now;
  const [a, b] = [[...before], [...now]];
  return a.length === b.length && a.every((value, i) => value === b[i]) ? before : now;
}

/** What a screen reader hears of a map. @param {Side} side @param {number} channel @param {Opened} state */
function describe(side, channel, { comparison }) {
  if (!comparison) return text('mapOnly', { channel });
  const { match, score } = side === 'last' ? comparison.bestOfB : comparison.bestOfA;
  if (match[channel] < 0) return text('noTwin', { channel });
  return text('mapTwin', { channel, match: match[channel], r: decimal(score[channel]) });
}

define('gg-panel', Panel);
export { Panel };

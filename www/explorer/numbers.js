/** @file Every measure with its controls, over one picture and over many; and what the ghosts save. */
import { css, html, nothing } from 'lit';
import { engineNames } from '../view/engine.js';
import { decimal, text } from '../view/language.js';
import { define, shared, styled, StageView } from './base.js';
import { figures, numbersOf, sets } from './figures.js';

/**
 * @typedef {import('./state.js').Study} Study
 * @typedef {import('./state.js').SetSimilarity} SetSimilarity
 * @typedef {import('./figures.js').Figure} Figure
 * @typedef {typeof sets[number]} SetName
 */

/** One picture has no column for random weights. */
const ofOne = sets.slice(0, 3);

const styles = css`
  .scroll { overflow-x: auto; }
  table { min-width: 720px; }
  th { vertical-align: bottom; }
  thead tr:first-child > * { border-bottom: 0; padding-bottom: 0; }
  td.number, .value { font-size: 18px; }
  .group + .group, .edge { padding-left: 20px; border-left: 1px solid var(--line); }
  .control { color: var(--muted); }
  .caveat { color: var(--muted); opacity: 1; font-style: italic; }
  td .how { display: block; }
  .formula { font-size: 13px; color: var(--text); max-width: 70em; }
  .actions {
    display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 14px 0 6px; min-height: 36px;
  }
  .actions input { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
  .actions:has(input:focus-visible) label { outline: 2px solid var(--text); outline-offset: 2px; }
  progress { width: 180px; accent-color: var(--text); }
  ul.reasons { margin: 6px 0 0; }
  h3 { margin: 28px 0 10px; }
  .cost {
    display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 4px 16px; align-items: center;
    max-width: 760px; font-size: 13px;
  }
  .cost b { grid-column: 1 / -1; margin-top: 10px; font-weight: 600; }
  .cost .track { height: 10px; background: var(--faint); border-radius: 2px; }
  .cost i { display: block; height: 100%; border-radius: 2px; background: var(--bar); }
  .cost .ghost-bar i { background: var(--ghost); }
  .cost .amount { text-align: right; }
  @media (max-width: 799px) { td.number { font-size: 15px; } }
`;

class Numbers extends StageView {
  static styles = [shared, styles];

  render() {
    const { shown } = this;
    if (!shown) return nothing;
    return html`${shown.single ? html`<p>${text('numbersSingle')}</p>` : this.#measures()} ${this.#cost()}`;
  }

  /** The measured set, where it is of the taps that are compared. @returns {(Study & { name: string }) | undefined} */
  get #set() {
    const { set, maps, answers } = this.state;
    if (!set || set.taps.join() !== maps.taps.join()) return undefined;
    return { total: set.pictures.length, ...answers.set, name: set.name };
  }

  /** What the JSON export has of it. */
  exported() {
    const {
      threshold,
      maps,
      answers: { alone },
    } = this.state;
    const set = this.#set;
    const own = set?.own;
    return {
      ...(alone && { measures: numbersOf(alone, threshold) }),
      ...(set &&
        own && {
          set: { name: set.name, pictures: own.images, taps: maps.taps, measures: numbersOf(set, threshold) },
        }),
    };
  }

  #measures() {
    const {
      answers: { alone },
    } = this.state;
    const set = this.#set;
    const of = set ? text('setTitle', { name: set.name, n: set.own?.images ?? set.total }) : text('noSet');
    const head = (/** @type {readonly SetName[]} */ names) =>
      names.map((name, i) => html`<th class="number ${i ? '' : 'edge'}">${text(`set_${name}`)}</th>`);
    return html`
      <div class="scroll" role="region" tabindex="0" aria-label=${text('measuresTitle')}>
        <table id="measures">
          <thead>
            <tr>
              <td></td>
              <th colspan="3" class="number group">${text('thisPicture')}</th>
              <th colspan="4" class="number group">${of}</th>
            </tr>
            <tr><th>${text('measure')}</th>${head(ofOne)}${head(sets)}</tr>
          </thead>
          <tbody>${Object.keys(figures).map((key) => this.#row(key, alone, set))}</tbody>
        </table>
      </div>
      ${this.#setBar(set)} ${caveatsOf([
        [text('thisPicture'), alone],
        [set?.name ?? '', set],
      ])}
      <p class="note">${text('randomNote')}</p>
    `;
  }

  /** @param {string} key @param {Study | undefined} alone @param {Study | undefined} set */
  #row(key, alone, set) {
    const { formula, threshold } = this.state;
    const open = formula === key;
    const toggle = () => this.actions.update({ formula: open ? undefined : key });
    const cells = (/** @type {readonly SetName[]} */ names, /** @type {Study | undefined} */ study, column = '') =>
      names.map((name, i) => this.#cell(study, name, key, `${column}-${name}-${key}`, i > 0));
    const how = html`<button type="button" class="how" aria-expanded=${String(open)} @click=${toggle}
      >${text('how')}</button>`;
    return html`<tr>
        <td>${text(`measure_${key}`, { threshold: threshold.toFixed(2) })}${how}</td>
        ${cells(ofOne, alone, 'alone')} ${cells(sets, set, 'set')}
      </tr>
      ${open ? html`<tr><td colspan="8" class="formula">${text(`how_${key}`, this.#shapes())}</td></tr>` : nothing}`;
  }

  /**
   * @param {Study | undefined} study
   * @param {SetName} name
   * @param {string} key
   * @param {string} id
   * @param {boolean} control
   */
  #cell(study, name, key, id, control) {
    const { of, caveat, percent } = figures[key];
    const set = study?.[name];
    const value = set && of(set, this.state.threshold);
    const reason = set?.caveats[caveat];
    const names = `number ${control ? 'control' : 'edge'} ${reason ? 'caveat' : ''}`;
    const number = value === undefined || Number.isNaN(value) ? undefined : value;
    const missing = !study ? '–' : set || study.running ? '…' : '';
    const shown = number === undefined ? missing : percent ? `${Math.round(100 * number)} %` : decimal(number);
    return html`<td class=${names} data-value=${id} title=${reason ?? nothing}>${shown}</td>`;
  }

  /** Sets to measure, and how far the measuring is. @param {Study | undefined} set */
  #setBar(set) {
    const { samples } = this.state;
    const { actions } = this;
    const progress = set?.running
      ? html`<progress max=${set.total ?? 1} value=${set.done ?? 0} aria-label=${text('measuring')}></progress>
          <span role="status">${text('measuredSoFar', { done: set.done ?? 0, n: set.total ?? 0 })}</span>
          <button type="button" class="button" id="cancel" @click=${actions.cancelSet}>${text('cancel')}</button>`
      : nothing;
    const failures = set?.failures ?? [];
    const unread = text('unreadable', { n: failures.length, names: failures.slice(0, 3).join(', ') });
    const measureSamples = () => actions.measureSamples(text('samples'));
    return html`<div class="actions">
      <button type="button" class="button" id="measure-samples" ?hidden=${!samples.length} ?disabled=${set?.running}
        @click=${measureSamples}>${text('measureSamples', { n: samples.length })}</button>
      <label class="button" for="folder">${text('measureFolder')}</label>
      <input type="file" id="folder" accept="image/*" multiple webkitdirectory @change=${this.#files} />
      <label class="button" for="several">${text('measureFiles')}</label>
      <input type="file" id="several" accept="image/*" multiple @change=${this.#files} />
      ${progress} ${set?.error ? html`<span role="alert">${set.error}</span>` : nothing}
      ${failures.length ? html`<span>${unread}</span>` : nothing}
    </div>`;
  }

  /** What the formulas speak of. */
  #shapes() {
    const { first, last } = this.shown.maps;
    const [a, height, width] = first.dims;
    return { a, b: last.dims[0], size: `${height} × ${width}`, positions: height * width };
  }

  /** @param {{ target: HTMLInputElement }} event */
  #files({ target }) {
    const files = [...(target.files ?? [])].filter(({ type }) => type.startsWith('image/'));
    const folder = target.id === 'folder' && files[0]?.webkitRelativePath.split('/')[0];
    const pictures = files.map((blob) => ({ blob, name: blob.name }));
    if (files.length) this.actions.measureSet(pictures, folder || text('yourPictures'));
    target.value = '';
  }

  #cost() {
    const {
      info,
      answers: { plain, times },
    } = this.state;
    if (!info.stages.some(({ kind }) => kind === 'ghost')) {
      return html`<h3>${text('costTitle')}</h3><p class="note">${text('costPlain')}</p>`;
    }
    const counted = /** @type {const} */ ([
      ['parameters', 'params'],
      ['multiplications', 'macs'],
      ['activations', 'activations'],
    ]);
    const rows = plain ? counted.map(([key, name]) => costRow(text(key), info[name], plain[name], millions)) : [];
    return html`
      <h3>${text('costTitle')}</h3>
      <p class="note">${text('costNote')}</p>
      <div class="cost" id="cost">${rows} ${(times?.found ?? []).map(timeRow)}</div>
      <div class="actions">
        <button type="button" class="button" id="time-both" ?disabled=${times?.running} @click=${this.actions.timeBoth}
        >${text('timeBoth')}</button>
        ${
          times?.running
            ? html`<span role="status">${text('timing', { engine: engineNames[times.running] })}</span>`
            : nothing
        }
        ${(times?.found ?? []).flatMap(({ backend, error }) =>
          error ? html`<span class="note">${engineNames[backend]}: ${error}</span>` : [],
        )}
      </div>
    `;
  }
}

/** Why numbers are worth little, with what they are of. @param {[string, Study | undefined][]} studies */
function caveatsOf(studies) {
  const all = studies.flatMap(([name, study]) => {
    const found = new Set(Object.values(study?.own?.caveats ?? {}).filter(Boolean));
    return [...found].map((caveat) => html`<li><i class="caveat">${name}</i>: ${caveat}</li>`);
  });
  return all.length ? html`<ul class="reasons note" id="reasons">${all}</ul>` : nothing;
}

/** @param {number} value */
const millions = (value) => (value >= 1e9 ? `${(value / 1e9).toFixed(2)} G` : `${(value / 1e6).toFixed(2)} M`);

/**
 * Bars of both networks.
 * @param {string} title
 * @param {number} ghost
 * @param {number} plain
 * @param {(value: number) => string} format
 */
function costRow(title, ghost, plain, format) {
  const bar = (/** @type {number} */ value) => styled({ width: `${(100 * value) / Math.max(ghost, plain)}%` });
  const saved = text('saved', { share: Math.round(100 * (1 - ghost / plain)) });
  return html`<b>${title}<span class="note"> ${saved}</span></b>
    <span>${text('withGhosts')}</span><span class="track ghost-bar"><i ${bar(ghost)}></i></span>
    <span class="amount">${format(ghost)}</span>
    <span>${text('withoutGhosts')}</span><span class="track"><i ${bar(plain)}></i></span>
    <span class="amount">${format(plain)}</span>`;
}

/** @param {import('./state.js').Timing} timing */
function timeRow({ backend, ghost, plain, adapter }) {
  if (ghost === undefined || plain === undefined) return nothing;
  const title = `${text('timeOn', { engine: engineNames[backend] })}${adapter ? ` (${adapter})` : ''}`;
  return costRow(title, ghost, plain, (value) => `${value.toFixed(1)} ms`);
}

define('gg-numbers', Numbers);

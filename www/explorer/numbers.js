/** @file Every measure with its controls, over one picture and over many; and what the ghosts save. */
import { css, html, nothing } from 'lit';
import { engineNames } from '../view/engine.js';
import { decimal, text } from '../view/language.js';
import { define, shared, styled, View } from './base.js';
import { median } from './similarity.js';

/** The measures: what is read of a `SetSimilarity`, and which of its warnings concerns it. */
const alive = ({ best }, dead) => [...best.keys()].filter((channel) => !dead.includes(channel)).map((channel) => Math.abs(best[channel]));
export const measures = {
  pearson: { of: (set) => median(alive(set.pearson, set.dead.y)), few: 'matches' },
  cosine: { of: (set) => median(alive(set.cosine, set.dead.y)), few: 'matches' },
  above: { of: (set, threshold) => share(alive(set.pearson, set.dead.y), threshold), few: 'matches', percent: true },
  r2: { of: (set) => set.r2?.median, few: 'r2' },
  cka: { of: (set) => set.cka, few: 'cka' },
};
const share = (values, threshold) => values.filter((value) => value > threshold).length / values.length;

/** The numbers of a study as they are exported. */
export const numbersOf = (study, threshold) =>
  Object.fromEntries(
    ['own', 'other', 'shuffled', 'random']
      .filter((name) => study?.[name])
      .map((name) => [name, Object.fromEntries(Object.entries(measures).map(([key, { of }]) => [key, of(study[name], threshold) ?? null]))]),
  );

class Numbers extends View {
  static properties = {
    ...View.properties,
    alone: { attribute: false },
    study: { attribute: false },
    info: { attribute: false },
    plain: { attribute: false },
    times: { attribute: false },
    dims: { attribute: false },
    threshold: { type: Number },
    single: { type: Boolean },
    sampleCount: { type: Number },
    /** The measure whose formula is open. */
    how: {},
  };

  static styles = [
    shared,
    css`
      .scroll { overflow-x: auto; }
      table { min-width: 720px; }
      th { vertical-align: bottom; }
      thead tr:first-child > * { border-bottom: 0; padding-bottom: 0; }
      td.number, .value { font-size: 18px; }
      .group + .group, .edge { padding-left: 20px; border-left: 1px solid var(--line); }
      .control { color: var(--muted); }
      .few { color: var(--muted); opacity: 1; font-style: italic; }
      td .how { display: block; }
      .formula { font-size: 13px; color: var(--text); max-width: 70em; }
      .actions { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 14px 0 6px; min-height: 36px; }
      .actions input { position: absolute; width: 1px; height: 1px; opacity: 0; }
      .actions:has(input:focus-visible) label { outline: 2px solid var(--text); outline-offset: 2px; }
      progress { width: 180px; accent-color: var(--text); }
      ul.reasons { margin: 6px 0 0; }
      h3 { margin: 28px 0 10px; }
      .cost { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 4px 16px; align-items: center; max-width: 760px; font-size: 13px; }
      .cost b { grid-column: 1 / -1; margin-top: 10px; font-weight: 600; }
      .cost .track { height: 10px; background: var(--faint); border-radius: 2px; }
      .cost i { display: block; height: 100%; border-radius: 2px; background: var(--bar); }
      .cost .ghost-bar i { background: var(--ghost); }
      .cost .amount { text-align: right; }
      @media (max-width: 799px) { td.number { font-size: 15px; } }
    `,
  ];

  render() {
    return html`${this.single ? html`<p>${text('numbersSingle')}</p>` : this.#measures()} ${this.#cost()}`;
  }

  #measures() {
    const { alone, study, sampleCount } = this;
    const sets = ['own', 'other', 'shuffled', 'random'];
    const reasons = (set) => (set?.few ? [...new Set(Object.values(set.few).filter(Boolean))] : []);
    const few = [...reasons(alone?.own).map((reason) => [text('thisPicture'), reason]), ...reasons(study?.own).map((reason) => [study.name, reason])];
    return html`
      <div class="scroll" role="region" tabindex="0" aria-label=${text('measuresTitle')}>
        <table id="measures">
          <thead>
            <tr><td></td><th colspan="3" class="number group">${text('thisPicture')}</th><th colspan="4" class="number group">${study ? text('setTitle', { name: study.name, n: study.own?.images ?? study.total }) : text('noSet')}</th></tr>
            <tr><th>${text('measure')}</th>
              ${sets.slice(0, 3).map((name, i) => html`<th class="number ${i ? '' : 'edge'}">${text(`set_${name}`)}</th>`)}
              ${sets.map((name, i) => html`<th class="number ${i ? '' : 'edge'}">${text(`set_${name}`)}</th>`)}</tr>
          </thead>
          <tbody>
            ${Object.entries(measures).map(
              ([key, measure]) => html`<tr>
                  <td>${text(`measure_${key}`, { threshold: this.threshold.toFixed(2) })}<button type="button" class="how" aria-expanded=${String(this.how === key)} @click=${() => this.actions.update({ how: this.how === key ? undefined : key })}>${text('how')}</button></td>
                  ${sets.slice(0, 3).map((name, i) => this.#cell(alone, name, measure, i, key, 'alone'))} ${sets.map((name, i) => this.#cell(study, name, measure, i, key, 'set'))}
                </tr>
                ${this.how === key ? html`<tr><td colspan="8" class="formula">${text(`how_${key}`, this.#shapes())}</td></tr>` : nothing}`,
            )}
          </tbody>
        </table>
      </div>
      <div class="actions">
        <button type="button" class="button" id="measure-samples" ?hidden=${!sampleCount} ?disabled=${study?.running} @click=${() => this.actions.measureSamples()}>${text('measureSamples', { n: sampleCount })}</button>
        <label class="button" for="folder">${text('measureFolder')}</label><input type="file" id="folder" accept="image/*" multiple webkitdirectory @change=${this.#folder} />
        <label class="button" for="several">${text('measureFiles')}</label><input type="file" id="several" accept="image/*" multiple @change=${this.#folder} />
        ${study?.running
          ? html`<progress max=${study.total} value=${study.done} aria-label=${text('measuring')}></progress><span role="status">${text('measuredSoFar', { done: study.done, n: study.total })}</span><button type="button" class="button" id="cancel" @click=${() => this.actions.cancelSet()}>${text('cancel')}</button>`
          : nothing}
        ${study?.error ? html`<span role="alert">${study.error}</span>` : nothing}
        ${study?.failures?.length ? html`<span>${text('unreadable', { n: study.failures.length, names: study.failures.slice(0, 3).join(', ') })}</span>` : nothing}
      </div>
      ${few.length ? html`<ul class="reasons note" id="reasons">${few.map(([name, reason]) => html`<li><i class="few">${name}</i>: ${reason}</li>`)}</ul>` : nothing}
      <p class="note">${text('randomNote')}</p>
    `;
  }

  #cell(sets, name, { of, few, percent }, i, key, column) {
    const set = sets?.[name];
    const value = set && of(set, this.threshold);
    const reason = set?.few?.[few];
    const shown = value === undefined || Number.isNaN(value) ? (sets && !set && !sets.running ? '' : sets ? '…' : '–') : percent ? `${Math.round(100 * value)} %` : decimal(value);
    return html`<td class="number ${i ? 'control' : 'edge'} ${reason ? 'few' : ''}" data-value="${column}-${name}-${key}" title=${reason ?? nothing}>${shown}</td>`;
  }

  #shapes() {
    const [first, last] = this.dims;
    return { a: first?.[0], b: last?.[0], size: first ? `${first[1]} × ${first[2]}` : '', positions: first ? first[1] * first[2] : '' };
  }

  #folder({ target }) {
    const files = [...target.files].filter(({ type }) => type.startsWith('image/'));
    if (files.length) this.actions.measureSet(files, target.id === 'folder' ? files[0].webkitRelativePath.split('/')[0] || text('yourPictures') : text('yourPictures'));
    target.value = '';
  }

  #cost() {
    const { info, plain, times } = this;
    if (!info.stages.some(({ kind }) => kind === 'ghost')) return html`<h3>${text('costTitle')}</h3><p class="note">${text('costPlain')}</p>`;
    const millions = (value) => (value >= 1e9 ? `${(value / 1e9).toFixed(2)} G` : `${(value / 1e6).toFixed(2)} M`);
    const rows = plain && [['parameters', 'params'], ['multiplications', 'macs'], ['activations', 'activations']].map(([key, name]) => [text(key), info[name], plain[name], millions]);
    const timed = (times?.found ?? []).filter(({ ghost }) => ghost).map(({ backend, ghost, plain: other, adapter }) => [`${text('timeOn', { engine: engineNames[backend] })}${adapter ? ` (${adapter})` : ''}`, ghost, other, (value) => `${value.toFixed(1)} ms`]);
    const failed = (times?.found ?? []).filter(({ ghost }) => !ghost);
    return html`
      <h3>${text('costTitle')}</h3>
      <p class="note">${text('costNote')}</p>
      <div class="cost" id="cost">
        ${[...(rows ?? []), ...timed].map(
          ([title, ghost, other, format]) => html`<b>${title}<span class="note"> ${text('saved', { share: Math.round(100 * (1 - ghost / other)) })}</span></b>
            <span>${text('withGhosts')}</span><span class="track ghost-bar"><i ${styled({ width: `${(100 * ghost) / Math.max(ghost, other)}%` })}></i></span><span class="amount">${format(ghost)}</span>
            <span>${text('withoutGhosts')}</span><span class="track"><i ${styled({ width: `${(100 * other) / Math.max(ghost, other)}%` })}></i></span><span class="amount">${format(other)}</span>`,
        )}
      </div>
      <div class="actions">
        <button type="button" class="button" id="time-both" ?disabled=${times?.running} @click=${() => this.actions.timeBoth()}>${text('timeBoth')}</button>
        ${times?.running ? html`<span role="status">${text('timing', { engine: engineNames[times.running] ?? '' })}</span>` : nothing}
        ${failed.map(({ backend, error }) => html`<span class="note">${engineNames[backend]}: ${error}</span>`)}
      </div>
    `;
  }
}

define('gg-numbers', Numbers);

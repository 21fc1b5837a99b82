/** @file Which engine runs, why, how fast, and on what; a report of it for bug reports. */
import { css, html, nothing } from 'lit';
import { engineNames, megabytes } from '../view/engine.js';
import { text } from '../view/language.js';
import { define, shared, View } from './base.js';

/** @typedef {import('./explorer.js').PageState} PageState */

/** @param {number} count */
const millions = (count) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} M`;
/** @param {number} [value] */
const milliseconds = (value) => (value === undefined ? undefined : `${value.toFixed(1)} ms`);

const styles = css`
  :host {
    position: absolute; right: 0; z-index: 4; width: min(400px, 92vw); margin-top: 6px; padding: 14px 16px;
    background: var(--surface); border: 1px solid var(--line); border-radius: 6px; font-size: 13px;
  }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 5px 16px; margin: 10px 0; }
  dt { color: var(--muted); }
  dd { text-align: right; overflow-wrap: anywhere; }
  fieldset { display: flex; gap: 4px; border: 0; margin: 0; padding: 0; align-items: center; }
  legend { float: left; margin-right: auto; color: var(--muted); }
  .actions { display: flex; gap: 8px; }
  @media (max-width: 799px) {
    :host { position: fixed; left: 16px; right: 16px; width: auto; max-height: 70vh; overflow: auto; }
  }
`;

export class Status extends View {
  static properties = {
    ...View.properties,
    state: { attribute: false, hasChanged: () => true },
    tested: { state: true },
    copied: { state: true },
  };

  static styles = [shared, styles];

  constructor() {
    super();
    /** @type {PageState | undefined} */
    this.state = undefined;
    /** @type {PageState['info']} */
    this.info = undefined;
    /** What the self-test said. @type {string | undefined} */
    this.tested = undefined;
    this.copied = false;
    /** @type {import('./explorer.js').PageActions} */
    this.actions;
    /** @type {() => import('./state.js').Net} */
    this.net;
  }

  /** @param {PageState} state */
  show(state) {
    if (state.info !== this.info) this.tested = undefined;
    this.info = state.info;
    this.state = state;
  }

  render() {
    const { state } = this;
    if (!state?.info) return nothing;
    const facts = rows(state, this.tested);
    const button = (/** @type {PageState['backend']} */ backend) => html`<button
      type="button"
      class="button"
      data-backend=${backend}
      aria-pressed=${String(state.backend === backend)}
      ?disabled=${state.busy}
      @click=${() => this.actions.useBackend(backend)}
    >${backend === 'auto' ? text('automatic') : engineNames[backend]}</button>`;
    return html`
      <fieldset>
        <legend>${text('engine')}</legend>
        ${/** @type {const} */ (['auto', 'webgpu', 'wasm']).map(button)}
      </fieldset>
      <dl>${facts.map(([key, value]) => html`<dt>${text(key)}</dt><dd id="fact-${key}">${value}</dd>`)}</dl>
      <p class="actions">
        <button type="button" class="button" id="self-test" @click=${this.#test}>${text('runSelfTest')}</button>
        <button type="button" class="button" id="report" @click=${() => this.#copy(state)}
        >${text(this.copied ? 'copied' : 'copyReport')}</button>
      </p>
    `;
  }

  async #test() {
    this.tested = text('running');
    try {
      const { passed, worstError } = await this.net().selfTest();
      this.tested = text(passed ? 'selfTestPassed' : 'selfTestFailed', { error: worstError.toExponential(1) });
    } catch (error) {
      this.tested = /** @type {Error} */ (error).message;
    }
  }

  /** @param {PageState} state */
  async #copy(state) {
    await navigator.clipboard?.writeText(report(state, this.tested)).catch(() => {});
    this.copied = true;
    setTimeout(() => (this.copied = false), 2000);
  }
}

/**
 * Names and values of what is known.
 * @param {PageState} state
 * @param {string | undefined} tested
 * @returns {[string, string][]}
 */
function rows({ info, result, times, offline, newer }, tested) {
  if (!info) return [];
  const { timings, backendReason, backend } = { backendReason: info.backendReason, backend: info.backend, ...result };
  const { threads, precision, precisionReason } = info;
  const flavour = backend === 'wasm' ? ` (${info.flavour})` : '';
  const ready = offline ? 'offlineReady' : 'offlineNot';
  const compile = times.phases?.['warm-up'];
  /** @type {[string, string | null | undefined][]} */
  const rows = [
    ['engineUsed', `${engineNames[backend]}${flavour}${info.worker ? text('inWorker') : ''}`],
    ['why', backendReason],
    ['precision', precisionReason ? `${precision}: ${precisionReason}` : precision],
    ['adapter', info.adapter],
    ['threads', `${threads}${globalThis.crossOriginIsolated ? '' : text('notIsolated')}`],
    ['selfTest', tested],
    ['loadTime', milliseconds(times.load)],
    ['compileTime', milliseconds(compile && compile - (times.phases?.compile ?? 0))],
    ['firstTime', milliseconds(times.first)],
    ['warmTime', milliseconds(times.warm)],
    ['readTime', milliseconds(timings && timings.decode + timings.preprocess)],
    ['modelName', text('modelFacts', { variant: info.variant, n: info.labels.length, side: info.input.side })],
    ['parameters', millions(info.params)],
    ['multiplications', millions(info.macs)],
    ['activations', millions(info.activations)],
    ['memory', megabytes(info.memoryBytes)],
    ['offline', offline === undefined ? undefined : text(newer ? 'offlineNewer' : ready)],
  ];
  return rows.flatMap(([name, value]) => (value ? [/** @type {[string, string]} */ ([name, value])] : []));
}

/**
 * The panel as text, with what a reader of a bug report asks next.
 * @param {PageState} state
 * @param {string} [tested]
 */
export function report(state, tested) {
  const facts = rows(state, tested).map(([key, value]) => `${text(key)}: ${value}`);
  const screen = `${innerWidth} × ${innerHeight} @ ${devicePixelRatio}, ${navigator.hardwareConcurrency} cores`;
  return ['g-ghostnet', ...facts, navigator.userAgent, screen].join('\n');
}

define('gg-status', Status);

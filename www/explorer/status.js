/** @file Which engine runs, why, how fast, and on what; a report of it for bug reports. */
import { css, html, nothing } from 'lit';
import { engineNames, megabytes } from '../view/engine.js';
import { text } from '../view/language.js';
import { define, shared, View } from './base.js';

const millions = (count) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} M`;
const milliseconds = (value) => (value === undefined ? undefined : `${value.toFixed(1)} ms`);

class Status extends View {
  static properties = { ...View.properties, state: { attribute: false, hasChanged: () => true }, tested: { state: true }, copied: { state: true } };

  static styles = [
    shared,
    css`
      :host { position: absolute; right: 0; z-index: 4; width: min(400px, 92vw); margin-top: 6px; padding: 14px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: 6px; font-size: 13px; }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 5px 16px; margin: 10px 0; }
      dt { color: var(--muted); }
      dd { text-align: right; overflow-wrap: anywhere; }
      fieldset { display: flex; gap: 4px; border: 0; margin: 0; padding: 0; align-items: center; }
      legend { float: left; margin-right: auto; color: var(--muted); }
      .actions { display: flex; gap: 8px; }
      @media (max-width: 799px) { :host { position: fixed; left: 16px; right: 16px; width: auto; max-height: 70vh; overflow: auto; } }
    `,
  ];

  show(state) {
    if (state.info !== this.info) this.tested = undefined;
    this.info = state.info;
    this.state = state;
  }

  render() {
    const { state } = this;
    if (!state?.info) return nothing;
    return html`
      <fieldset>
        <legend>${text('engine')}</legend>
        ${['auto', 'webgpu', 'wasm'].map(
          (backend) => html`<button type="button" class="button" data-backend=${backend} aria-pressed=${String(state.backend === backend)} ?disabled=${state.busy} @click=${() => this.actions.useBackend(backend)}>${engineNames[backend] ?? text('automatic')}</button>`,
        )}
      </fieldset>
      <dl>${rows(state, this.tested).map(([key, value]) => html`<dt>${text(key)}</dt><dd id="fact-${key}">${value}</dd>`)}</dl>
      <p class="actions">
        <button type="button" class="button" id="self-test" @click=${this.#test}>${text('runSelfTest')}</button>
        <button type="button" class="button" id="report" @click=${this.#copy}>${text(this.copied ? 'copied' : 'copyReport')}</button>
      </p>
    `;
  }

  async #test() {
    this.tested = text('running');
    try {
      const { passed, worstError } = await this.net().selfTest();
      this.tested = text(passed ? 'selfTestPassed' : 'selfTestFailed', { error: worstError.toExponential(1) });
    } catch (error) {
      this.tested = error.message;
    }
  }

  async #copy() {
    await navigator.clipboard?.writeText(report(this.state, this.tested)).catch(() => {});
    this.copied = true;
    setTimeout(() => (this.copied = false), 2000);
  }
}

function rows({ info, result, times, offline, newer }, tested) {
  const { timings, backendReason = info.backendReason, backend = info.backend } = result ?? {};
  const rows = [
    ['engineUsed', `${engineNames[backend]}${backend === 'wasm' ? ` (${info.flavour})` : ''}${info.worker ? text('inWorker') : ''}`],
    ['why', backendReason],
    ['precision', info.precision && `${info.precision}${info.precisionReason ? `: ${info.precisionReason}` : ''}`],
    ['adapter', info.adapter],
    ['threads', `${info.threads}${globalThis.crossOriginIsolated ? '' : text('notIsolated')}`],
    ['selfTest', tested],
    ['loadTime', milliseconds(times.load)],
    ['compileTime', times.phases?.['warm-up'] && milliseconds(times.phases['warm-up'] - (times.phases.compile ?? 0))],
    ['firstTime', milliseconds(times.first)],
    ['warmTime', milliseconds(times.warm)],
    ['readTime', timings && milliseconds(timings.decode + timings.preprocess)],
    ['modelName', text('modelFacts', { variant: info.variant, n: info.labels.length, side: info.input.side })],
    ['parameters', millions(info.params)],
    ['multiplications', millions(info.macs)],
    ['activations', millions(info.activations)],
    ['memory', megabytes(info.memoryBytes)],
    ['offline', offline === undefined ? undefined : text(newer ? 'offlineNewer' : offline ? 'offlineReady' : 'offlineNot')],
  ];
  return rows.filter(([, value]) => value);
}

/** The panel as text, with what a reader of a bug report asks next. */
export const report = (state, tested) =>
  ['g-ghostnet', ...rows(state, tested).map(([key, value]) => `${text(key)}: ${value}`), navigator.userAgent, `${innerWidth} × ${innerHeight} @ ${devicePixelRatio}, ${navigator.hardwareConcurrency} cores`].join('\n');

define('gg-status', Status);

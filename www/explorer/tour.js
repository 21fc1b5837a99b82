/** @file Eight steps that tell the paper's story with the picture that is shown; each moves the real controls. */
import { css, html, nothing } from 'lit';
import { parts, text } from '../view/language.js';
import { define, shared, View } from './base.js';
import { countAbove } from './compare.js';

const STEPS = 8;

/** What a step sets, given the state. */
const settings = [
  () => ({ stage: 'ghostliest', tab: 'twins', compare: '', sort: 'channel', pin: '' }),
  () => ({ stage: 'ghostliest', tab: 'twins', compare: '', sort: 'similarity' }),
  () => ({ stage: 'ghostliest', tab: 'similarity', compare: '' }),
  () => ({ stage: 'ghostliest', tab: 'twins', compare: 'added', sort: 'similarity' }),
  () => ({ stage: 'ghostliest', tab: 'ghost', compare: '' }),
  () => ({ stage: 'ghostliest', tab: 'ghost', compare: '', ablation: 'ghost' }),
  () => ({ stage: 'ghostliest', tab: 'numbers', compare: '' }),
  () => ({ stage: 'last', tab: 'twins', compare: '', sort: 'channel' }),
];

/** The tour's step as what it sets: the stage with the most ghosts that has enough positions, or the last one. */
export function settingsOf(step, { stages, info }) {
  const { stage, compare, ablation, ...rest } = settings[step]();
  const ghosts = stages.filter(({ kind }) => kind === 'ghost');
  const open = ghosts.filter(({ size }) => size[0] * size[1] >= 100).at(-1) ?? ghosts.at(-1) ?? stages.at(-1);
  const chosen = stage === 'last' ? stages.at(-1) : open;
  const added = [chosen.blocks[0], `${chosen.blocks.at(-1)}.conv3`];
  return {
    ...rest,
    stage: chosen.name,
    compare: compare && added.every((tap) => info.taps.includes(tap)) ? added.join() : '',
    ablation: ablation && { kind: ablation, stage: chosen.name },
  };
}

class Tour extends View {
  static properties = { ...View.properties, step: { type: Number }, state: { attribute: false, hasChanged: () => true } };

  static styles = [
    shared,
    css`
      :host { position: fixed; inset: auto 0 0 0; z-index: 10; background: var(--text); color: var(--surface); font-variant-numeric: tabular-nums; }
      .strip { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 24px; align-items: center; max-width: 1480px; margin: 0 auto; padding: 14px 24px; }
      p { font-size: 15px; max-width: 70em; }
      .count { font-size: 13px; white-space: nowrap; }
      button { padding: 6px 12px; border: 1px solid var(--surface); border-radius: 4px; background: none; color: inherit; font-size: 13px; cursor: pointer; white-space: nowrap; }
      button:disabled { opacity: 0.6; cursor: default; }
      button:focus-visible { outline-color: var(--surface); }
      .buttons { display: flex; gap: 6px; }
      @media (max-width: 799px) {
        .strip { grid-template-columns: auto 1fr; gap: 8px 16px; padding: 12px 16px; }
        p { grid-column: 1 / -1; grid-row: 1; }
        .buttons { justify-content: end; }
        button { min-height: 44px; }
      }
    `,
  ];

  render() {
    const { state, step } = this;
    if (!state?.info || step === undefined) return nothing;
    return html`<section class="strip" aria-label=${text('tourStart')}>
      <span class="count">${text('tourCount', { step: step + 1, n: STEPS })}</span>
      <p role="status">${parts(`tour_${step + 1}`, wordsOf(state))}</p>
      <span class="buttons">
        <button type="button" id="tour-back" ?disabled=${step === 0} @click=${() => this.actions.tour(step - 1)}>${text('back')}</button>
        <button type="button" id="tour-next" @click=${() => this.actions.tour(step + 1 < STEPS ? step + 1 : undefined)}>${text(step + 1 < STEPS ? 'next' : 'finish')}</button>
        <button type="button" id="tour-close" @click=${() => this.actions.tour(undefined)}>${text('close')}</button>
      </span>
    </section>`;
  }
}

/** The numbers of this very picture, for the sentences. */
function wordsOf(state) {
  const { maps, comparison, threshold, stages, without, plain, info } = state;
  const stage = stages.find(({ name }) => name === maps?.stage) ?? stages.at(-1);
  const current = comparison?.maps === maps ? comparison : undefined;
  const count = (best) => (best ? countAbove(best.score, threshold) : '…');
  return {
    number: stages.indexOf(stage) + 1,
    n: count(current?.bestOfB),
    width: stage.width,
    chance: count(current?.other),
    shuffled: count(current?.shuffled),
    raw: stage.raw,
    cheap: stage.cheap,
    inner: text('innerBlocks', { n: Math.max(0, stage.depth - 2) }),
    later: text('blocks', { n: stage.depth - 1 }),
    positions: `${stage.size[0]} × ${stage.size[1]}`,
    before: without?.before?.[0].label ?? '…',
    after: without?.after?.[0].label ?? '…',
    macs: plain ? Math.round(100 * (1 - info.macs / plain.macs)) : '…',
    activations: plain ? Math.round(100 * (1 - info.activations / plain.activations)) : '…',
  };
}

define('gg-tour', Tour);

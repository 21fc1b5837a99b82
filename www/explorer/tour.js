/** @file Eight steps that tell the paper's story with the picture that is shown; each moves the real controls. */
import { css, html, nothing } from 'lit';
import { parts, text } from '../view/language.js';
import { define, shared, View } from './base.js';
import { countAbove } from './stage.js';

/**
 * @typedef {import('./explorer.js').PageState} PageState
 * @typedef {Partial<Pick<PageState, 'tab' | 'sort' | 'pin'>>} Settings
 * @typedef {Settings & { last?: boolean, added?: boolean, without?: boolean }} Step
 *   on the last stage instead of the ghostliest, what the last block added, without ghosts
 */

/** @type {Step[]} */
const steps = [
  { tab: 'twins', sort: 'channel', pin: '' },
  { tab: 'twins', sort: 'similarity' },
  { tab: 'similarity' },
  { tab: 'twins', added: true, sort: 'similarity' },
  { tab: 'ghost' },
  { tab: 'ghost', without: true },
  { tab: 'numbers' },
  { last: true, tab: 'twins', sort: 'channel' },
];
export const STEPS = steps.length;

/**
 * The tour's step as what it sets: the stage with the most ghosts that has enough positions, or the last one.
 * @param {number} step
 * @param {PageState} state
 */
export function settingsOf(step, { stages }) {
  const { last, added, without, ...rest } = steps[step];
  const ghosts = stages.filter(({ kind }) => kind === 'ghost');
  const final = stages[stages.length - 1];
  const open = ghosts.findLast(({ size }) => size[0] * size[1] >= 100) ?? ghosts.at(-1) ?? final;
  const stage = last ? final : open;
  return {
    ...rest,
    stage: stage.name,
    compare: added ? [stage.blocks[0], stage.added.at(-1)].join() : '',
    ablation: without ? { kind: /** @type {const} */ ('ghost'), stage: stage.name } : undefined,
  };
}

const styles = css`
  :host {
    position: fixed; inset: auto 0 0 0; z-index: 10; background: var(--text); color: var(--surface);
    font-variant-numeric: tabular-nums;
  }
  .strip {
    display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 24px; align-items: center; max-width:
    1480px; margin: 0 auto; padding: 14px 24px;
  }
  p { font-size: 15px; max-width: 70em; }
  .count { font-size: 13px; white-space: nowrap; }
  button {
    padding: 6px 12px; border: 1px solid var(--surface); border-radius: 4px; background: none; color: inherit;
    font-size: 13px; cursor: pointer; white-space: nowrap;
  }
  button:disabled { opacity: 0.6; cursor: default; }
  button:focus-visible { outline-color: var(--surface); }
  .buttons { display: flex; gap: 6px; }
  @media (max-width: 799px) {
    .strip { grid-template-columns: auto 1fr; gap: 8px 16px; padding: 12px 16px; }
    p { grid-column: 1 / -1; grid-row: 1; }
    .buttons { justify-content: end; }
    button { min-height: 44px; }
  }
`;

export class Tour extends View {
  static properties = {
    ...View.properties,
    step: { type: Number },
    state: { attribute: false, hasChanged: () => true },
  };

  static styles = [shared, styles];

  constructor() {
    super();
    /** @type {number | undefined} */
    this.step = undefined;
    /** @type {PageState | undefined} */
    this.state = undefined;
    /** @type {{ tour: (step: number | undefined) => void }} */
    this.actions;
  }

  render() {
    const { state, step } = this;
    if (!state?.info || step === undefined) return nothing;
    const { tour } = this.actions;
    const more = step + 1 < STEPS;
    return html`<section class="strip" aria-label=${text('tourStart')}>
      <span class="count">${text('tourCount', { step: step + 1, n: STEPS })}</span>
      <p role="status">${parts(`tour_${step + 1}`, wordsOf(state))}</p>
      <span class="buttons">
        <button type="button" id="tour-back" ?disabled=${step === 0} @click=${() => tour(step - 1)}
        >${text('back')}</button>
        <button type="button" id="tour-next" @click=${() => tour(more ? step + 1 : undefined)}
        >${text(more ? 'next' : 'finish')}</button>
        <button type="button" id="tour-close" @click=${() => tour(undefined)}>${text('close')}</button>
      </span>
    </section>`;
  }
}

/** The numbers of this very picture, for the sentences. @param {PageState} state */
function wordsOf({ maps, comparison, threshold, stages, info, answers: { without, plain } }) {
  const stage = stages.find(({ name }) => name === maps?.stage) ?? stages[stages.length - 1];
  const current = comparison?.maps === maps ? comparison : undefined;
  const count = (/** @type {import('./state.js').BestMatch | undefined} */ best) =>
    best ? countAbove(best.score, threshold) : '…';
  const saved = (/** @type {'macs' | 'activations'} */ cost) =>
    plain && info ? Math.round(100 * (1 - info[cost] / plain[cost])) : '…';
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
    macs: saved('macs'),
    activations: saved('activations'),
  };
}

define('gg-tour', Tour);

/**
 * @file Other models made of one: with a part off, or with random weights. In the engine's realm, with the part `study`.
 */

/**
 * @typedef {object} Edit
 * @property {'ablated' | 'plain' | 'random'} kind
 * @property {import('./index.d.ts').Ablation[]} [ablations]
 * @property {number} [seed]
 * @property {string} [variant] of the model that is edited, as `load` was told
 * @property {string[]} [labels]
 */

/**
 * @param {any} study the script of the part
 * @param {Uint8Array} model
 * @param {Edit} edit
 * @returns {Uint8Array} a safetensors file
 */
export function edited(study, model, { kind, ablations = [], seed = 1, variant, labels }) {
  const editor = new study.ModelEditor(model, variant, labels);
  try {
    if (kind !== 'ablated') return editor.twin(kind === 'plain', seed);
    for (const { stage, ghost, merge, channels = [] } of ablations) {
      if (ghost === 'off') editor.ghostOff(stage);
      else if (ghost) editor.ghostFit(stage, ghost.weight, ghost.bias);
      if (merge === 'off') editor.mergeOff(stage);
      for (const { tap, channel } of channels) editor.channelOff(tap, channel);
    }
    return editor.ablated();
  } finally {
    editor.free();
  }
}

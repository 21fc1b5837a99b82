/**
 * @file Other models made of one: with a part off, or with random weights. In the engine's realm, with the part `edit`.
 */

import { fileOf } from './reader.js';

/**
 * @typedef {object} Edit
 * @property {'ablated' | 'plain' | 'random'} kind
 * @property {ReturnType<typeof import('./study.js').ablationsOf>} [ablations] with stages by name
 * @property {number} [seed]
 * @property {string[]} [labels] of the model that is edited, as `load` was told
 */

/**
 * @param {any} editor the script of the part
 * @param {any} bytes the model in the part's memory, which is taken
 * @param {Blob} file the model
 * @param {Edit} edit
 * @returns {Promise<Blob>} a safetensors file, most of it parts of the model's
 */
export async function edited(editor, bytes, file, edit) {
  const model = made(new editor.ModelEditor(bytes, edit.labels), edit);
  try {
    return await fileOf(model, file);
  } finally {
    model.free();
  }
}

/**
 * A convolution's weights as the network uses them.
 * @param {any} editor the script of the part
 * @param {any} bytes the model in the part's memory, which is taken
 * @param {string} step the convolution's key
 * @returns {{ weight: Float32Array, bias: Float32Array, dims: number[] }}
 */
export function foldedWeights(editor, bytes, step) {
  const model = new editor.ModelEditor(bytes);
  try {
    const folded = model.folded(step);
    const found = { weight: folded.takeWeight(), bias: folded.takeBias(), dims: Array.from(folded.dims()) };
    folded.free();
    return found;
  } finally {
    model.free();
  }
}

/** @param {any} editor a model in the part @param {Edit} edit */
function made(editor, { kind, ablations = [], seed = 1 }) {
  if (kind !== 'ablated') return editor.twin(kind === 'plain', seed);
  for (const { stage, ghost, merge, channels } of ablations) {
    if (ghost === 'off') editor.ghostOff(stage);
    else if (ghost) editor.ghostFit(stage, ghost.weight, ghost.bias);
    if (merge === 'off') editor.mergeOff(stage);
    for (const { tap, channel } of channels) editor.channelOff(tap, channel);
  }
  return editor.ablated();
}

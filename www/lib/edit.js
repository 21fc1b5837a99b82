/**
 * @file Other models made of one: with a part off, or with random weights. In the engine's realm, with the part `edit`.
 */

/**
 * @typedef {object} Edit
 * @property {'ablated' | 'plain' | 'random'} kind
 * @property {ReturnType<typeof import('./study.js').ablationsOf>} [ablations] with stages by name
 * @property {number} [seed]
 * @property {string} [variant] of the model that is edited, as `load` was told
 * @property {string[]} [labels]
 * @property {string} [weights]
 */

/**
 * @param {any} editor the script of the part
 * @param {any} bytes the model in the part's memory, which is taken
 * @param {Blob} file the model
 * @param {Edit} edit
 * @returns {Blob} a safetensors file, most of it parts of the model's
 */
export function edited(editor, bytes, file, edit) {
  const model = made(new editor.ModelEditor(bytes, edit.variant, edit.labels, edit.weights), edit);
  const parts = [model.header()];
  const [places, original] = [model.places(), model.ofOriginal()];
  for (let i = 0; i < places.length; i += 2) {
    const [begin, end] = places.slice(i, i + 2);
    parts.push(end <= original ? file.slice(begin, end) : model.bytes(begin, end));
  }
  model.free();
  return new Blob(parts);
}

/**
 * A convolution's weights as the network uses them.
 * @param {any} editor the script of the part
 * @param {any} bytes the model in the part's memory, which is taken
 * @param {Pick<Edit, 'variant' | 'labels' | 'weights'>} options as `load` was told
 * @param {string} step the convolution's key
 * @returns {{ weight: Float32Array, bias: Float32Array, dims: number[] }}
 */
export function foldedWeights(editor, bytes, { variant, labels, weights }, step) {
  const model = new editor.ModelEditor(bytes, variant, labels, weights);
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

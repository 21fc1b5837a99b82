/** @file What the network is asked: a picture, and which of its maps. */

/**
 * @typedef {import('../explorer/state.js').Picture} Picture
 * @typedef {import('../explorer/state.js').StageInfo} StageInfo
 */

/**
 * The input that a picture is for the library.
 * @param {Picture} picture
 * @returns {import('../lib/index.js').ImageInput}
 */
export function inputOf({ live, input, blob, sample }) {
  const found = live ?? input ?? blob ?? sample?.input;
  return found ?? new URL(`samples/${sample?.file}`, document.baseURI).href;
}

/**
 * A stage by its name; where there is none, the last.
 * @param {{ stages: StageInfo[] }} state
 * @param {string} [wanted]
 */
export const stageNamed = ({ stages }, wanted) =>
  /** @type {StageInfo} */ (stages.find(({ name }) => name === wanted) ?? stages.at(-1));

/**
 * The taps that are compared: what the visitor chose, or block 1 and block n.
 * @param {Pick<import('../explorer/state.js').State, 'stages' | 'stage' | 'compare' | 'info'>} state
 * @returns {[string, string]}
 */
export function comparedTaps({ stages, stage, compare, info }) {
  const [first, last, ...more] = compare.split(',');
  if (last && !more.length && [first, last].every((tap) => info?.taps.includes(tap))) return [first, last];
  const { blocks } = stageNamed({ stages }, stage);
  return [blocks[0], blocks[blocks.length - 1]];
}

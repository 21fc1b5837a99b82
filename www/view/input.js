/** @file What the network is asked: a picture, and which of its maps. */

/** The input that a picture is for the library. */
export const inputOf = ({ blob, live, sample }) => live ?? blob ?? sample.input ?? new URL(`samples/${sample.file}`, document.baseURI).href;

/** The taps that are compared: what the visitor chose, or block 1 and block n. */
export function comparedTaps({ stages, stage, compare, info }) {
  const chosen = compare.split(',');
  if (chosen.length === 2 && chosen.every((tap) => info.taps.includes(tap))) return chosen;
  const { blocks } = stages.find(({ name }) => name === stage);
  return [blocks[0], blocks.at(-1)];
}

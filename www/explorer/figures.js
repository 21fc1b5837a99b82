/** @file The numbers of a stage: rows of a table, and of what is exported. No document here. */
import { measures } from '../lib/measures.js';
import { countAbove } from './stage.js';

/**
 * @typedef {object} Figure a row of the numbers: a measure, or what the threshold makes of one
 * @property {(set: import('./state.js').SetSimilarity, threshold: number) => number | undefined} of
 * @property {'matches' | 'r2' | 'cka'} caveat
 * @property {boolean} [percent]
 */

/** @type {[string, Figure][]} */
const measured = Object.entries(measures).map(([name, { score, caveat }]) => [
  name,
  { of: (set) => (name in set ? score(set).score : undefined), caveat },
]);
/** @type {Figure} */
const above = {
  of({ pearson: { best, match } }, threshold) {
    const alive = best.filter((_, channel) => match[channel] >= 0);
    return countAbove(alive, threshold) / alive.length;
  },
  caveat: 'matches',
  percent: true,
};
const ofPairs = measured.filter(([, { caveat }]) => caveat === 'matches');

/** @type {Record<string, Figure>} */
export const figures = Object.fromEntries([
  ...ofPairs,
  ['above', above],
  ...measured.filter((one) => !ofPairs.includes(one)),
]);

/** What a study compares: the taps as they are, and their controls. */
export const sets = /** @type {const} */ (['own', 'other', 'shuffled', 'random']);

/** The numbers of a study as they are exported. @param {import('./state.js').Study} study @param {number} threshold */
export function numbersOf(study, threshold) {
  const numbers = (/** @type {import('./state.js').SetSimilarity} */ set) =>
    Object.fromEntries(Object.entries(figures).map(([key, { of }]) => [key, of(set, threshold) ?? null]));
  return Object.fromEntries(sets.flatMap((name) => (study[name] ? [[name, numbers(study[name])]] : [])));
}

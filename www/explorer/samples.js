/** @file Pictures beside the one that is shown. */
import { inputOf } from '../view/input.js';

/** What a set is by default. */
export const samplesOf = ({ samples }) => samples.map((sample) => inputOf({ sample }));

/** The input whose block 1 serves as a control: another sample, if there is one. */
export function otherInput({ samples, picture }) {
  const sample = samples.find((sample) => sample !== picture.sample);
  return sample && inputOf({ sample });
}

/** @file What has to be computed for what is shown: started when it is missing, dropped when it is not wanted any more. */
import { inputOf } from '../view/input.js';
import { isSingle } from './compare.js';

/** The samples whose block 1 serves as a control. */
const otherSample = ({ samples, picture }) => samples.find(({ file }) => file !== picture.sample?.file);

export function effects({ state, update, net, metrics }) {
  let wanted;

  /** How alike the compared maps are, then what chance would make of them. */
  async function compare({ maps, metric, picture }) {
    const mine = (wanted = {});
    const current = () => wanted === mine;
    try {
      const { correlate, control } = await metrics;
      const comparison = { maps, metric, ...(await correlate(maps.first, maps.last, { metric })) };
      if (!current()) return;
      update({ comparison });
      if (picture.live) return;
      const shuffled = await control(maps.first, maps.last, { kind: 'shuffled-positions', seed: 1, metric });
      if (!current()) return;
      update({ comparison: { ...comparison, shuffled: shuffled.bestOfB } });
      const [tap] = maps.taps;
      const other = await net().features(inputOf({ sample: otherSample(state) }), { taps: [tap] });
      const chance = await correlate(other.maps[tap], maps.last, { metric });
      if (current()) update({ comparison: { ...state.comparison, other: chance.bestOfB } });
    } catch (error) {
      if (current() && error.code !== 'disposed') update({ error: error.message });
    }
  }

  return (now) => {
    const { maps, metric, comparison } = now;
    if (!maps || isSingle(now)) return;
    if (comparison?.maps === maps && comparison.metric === metric) return;
    if (wanted?.maps === maps && wanted?.metric === metric) return;
    compare(now);
    Object.assign(wanted, { maps, metric });
  };
}

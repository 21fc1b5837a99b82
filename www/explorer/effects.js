/** @file What has to be computed for what is shown: started when it is missing, called off when it is not wanted any more. */
import { inputOf } from '../view/input.js';
import { isSingle, stageOf } from './compare.js';
import { otherInput } from './samples.js';
import { onePicture, plainCost } from './study.js';
import { cheapWeights } from './weights.js';
import { whatIf } from './whatif.js';

/**
 * @param {{ state: object, update: (change: object) => void, net: () => object, metrics: Promise<object>, closing?: AbortSignal }} page
 *   `closing` ends all of it
 * @returns {(state: object) => void}
 */
export function effects(page) {
  const { update, net, metrics, closing } = page;

  /** Runs once for each new set of values, while it is wanted. */
  function effect({ wanted, values, run }) {
    let last = [];
    let call;
    closing?.addEventListener('abort', () => call?.abort());
    return (state) => {
      if (!wanted(state)) return;
      const now = values(state);
      if (now.length === last.length && now.every((value, i) => Object.is(value, last[i]))) return;
      last = now;
      call?.abort();
      const { signal } = (call = new AbortController());
      const tell = (change) => signal.aborted || update(change);
      run(state, tell, signal).catch((error) => {
        if (signal.aborted || error.code === 'disposed' || error.code === 'aborted') return;
        update({ error: error.message });
      });
    };
  }

  /** How alike the compared maps are, then what chance would make of them. */
  const compare = effect({
    wanted: (state) => state.maps && !isSingle(state),
    values: ({ maps, metric }) => [maps, metric],
    async run({ maps, metric, picture, samples }, tell, signal) {
      const similarity = await metrics;
      let comparison = { maps, metric, ...(await similarity.correlate(maps.first, maps.last, { metric, signal })) };
      tell({ comparison });
      if (picture.live) return;
      const shuffled = await similarity.control(maps.first, maps.last, { kind: 'shuffled-positions', seed: 1, metric, signal });
      comparison = { ...comparison, shuffled: shuffled.bestOfB };
      tell({ comparison });
      const input = otherInput({ samples, picture });
      if (!input) return;
      const [tap] = maps.taps;
      const other = await net().features(input, { taps: [tap], signal });
      const chance = await similarity.correlate(other.maps[tap], maps.last, { metric, signal });
      tell({ comparison: { ...comparison, other: chance.bestOfB } });
    },
  });

  const order = effect({
    wanted: ({ tab, comparison, maps }) => tab === 'similarity' && comparison && comparison.maps === maps,
    values: ({ comparison }) => [comparison?.matrix],
    async run({ comparison: { matrix, dims } }, tell, signal) {
      tell({ clusters: { matrix, ...(await (await metrics).order(matrix, dims, { signal })) } });
    },
  });

  const ghostPath = effect({
    wanted: (state) => state.tab === 'ghost' && state.maps && stageOf(state)?.kind === 'ghost',
    values: ({ maps }) => [maps],
    async run(state, tell, signal) {
      const stage = stageOf(state);
      const { name, raw, cheap, width, blocks } = stage;
      const taps = [blocks[0], `${name}.cheap`, `${name}.ghost`, blocks.at(-2), ...[`${name}.merge`].filter((tap) => state.info.taps.includes(tap))];
      const { maps } = await net().features(inputOf(state.picture), { taps, signal });
      const base = maps[blocks[0]];
      const part = (from, to) => {
        const size = base.dims[1] * base.dims[2];
        return { data: base.data.subarray(from * size, to * size), dims: [to - from, base.dims[1], base.dims[2]] };
      };
      const merge = maps[`${name}.merge`];
      const path = { of: state.maps, stage, cheap: maps[`${name}.cheap`], ghost: maps[`${name}.ghost`], intrinsic: part(0, raw), inner: maps[blocks.at(-2)], merge: merge && { data: merge.data, dims: [cheap, 1, 1] } };
      const weights = await cheapWeights(net().model, name);
      // The paper's form reads the whole of block 1.
      const whole = weights && weights.dims[1] === width;
      tell({ ghostPath: { ...path, source: part(whole ? 0 : raw, width), from: whole ? 0 : raw, weights } });
    },
  });

  const all = [compare, order, ghostPath, whatIf(effect, page), onePicture(effect, page), plainCost(effect, page)];
  return (state) => {
    for (const start of all) start(state);
  };
}

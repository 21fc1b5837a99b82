/** @file The same picture through a network without a part of it. */
import { inputOf } from '../view/input.js';
import { stageOf } from './compare.js';

/** What can be left out of a ghost stage, and `map`: one map that is pinned. */
export const ablations = ['ghost', 'merge', 'fit', 'map'];

/** The effect that answers `state.ablation`: `{ kind, stage, tap?, channel? }`. */
export function whatIf(effect, { net, metrics }) {
  /** One changed network is kept, for the next picture. */
  let kept;

  async function changed(state, tell, signal) {
    const { ablation } = state;
    const of = net();
    if (kept?.ablation === ablation && kept.of === of) return kept.net;
    kept?.net.dispose();
    kept = undefined;
    const { kind, stage, tap, channel } = ablation;
    const edit = {
      ghost: async () => ({ stage, ghost: 'off' }),
      merge: async () => ({ stage, merge: 'off' }),
      fit: async () => ({ stage, ghost: await bestFit(of, await metrics, stageOf(state), state.samples, tell, signal) }),
      map: async () => ({ channels: [{ tap, channel }] }),
    }[kind];
    const made = await of.ablated(await edit(), { signal, backend: state.info.backend });
    if (signal.aborted) {
      made.dispose();
      signal.throwIfAborted();
    }
    kept = { ablation, of, net: made };
    return made;
  }

  return effect({
    wanted: ({ ablation, maps, tab, picture }) => ablation && maps && tab === 'ghost' && !picture.live,
    values: ({ ablation, result, info }) => [ablation, result, info],
    async run(state, tell, signal) {
      const { ablation, result } = state;
      if (!ablation.kind) return;
      tell({ without: { ablation, busy: true } });
      try {
        const other = await changed(state, tell, signal);
        const answer = await other.classify(inputOf(state.picture), { signal, topK: state.info.labels.length });
        tell({ without: { ablation, before: result.top, after: answer.top } });
      } catch (error) {
        tell({ without: { ablation, error: error.message } });
      }
    },
  });
}

/** The ridge 1x1 convolution from all of block 1 to the ghost maps, over the samples. */
async function bestFit(net, similarity, { name, blocks }, samples, tell, signal) {
  const sums = similarity.accumulate();
  try {
    for (const sample of samples) {
      const taps = [blocks[0], `${name}.ghost`];
      const { maps } = await net.features(inputOf({ sample }), { taps, signal });
      await sums.add(maps[taps[0]], maps[taps[1]]);
    }
    return (await sums.result({ signal })).fit;
  } finally {
    await sums.close();
  }
}

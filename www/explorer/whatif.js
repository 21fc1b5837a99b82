/** @file The same picture through a network without a part of it. */
import { inputOf } from '../view/input.js';
import { stageOf } from './compare.js';
import { samplesOf } from './samples.js';

/** What can be left out of a ghost stage, and `map`: one map that is pinned. */
export const ablations = ['ghost', 'merge', 'fit', 'map'];

/** The effect that answers `state.ablation`: `{ kind, stage, tap?, channel? }`. */
export function whatIf(effect, { net, metrics, closing }) {
  /** One changed network is kept, for the next picture. */
  let kept;
  closing?.addEventListener('abort', () => kept?.net.dispose());

  async function changed(state, signal) {
    const { ablation } = state;
    const of = net();
    if (kept?.ablation === ablation && kept.of === of) return kept.net;
    kept?.net.dispose();
    kept = undefined;
    const { kind, stage, tap, channel } = ablation;
    const edit = {
      ghost: async () => ({ stage, ghost: 'off' }),
      merge: async () => ({ stage, merge: 'off' }),
      fit: async () => ({ stage, ghost: await bestFit(of, await metrics, stageOf(state), samplesOf(state).length ? samplesOf(state) : [inputOf(state.picture)], signal) }),
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
        const other = await changed(state, signal);
        const answer = await other.classify(inputOf(state.picture), { signal, topK: state.info.labels.length });
        tell({ without: { ablation, before: result.top, after: answer.top } });
      } catch (error) {
        tell({ without: { ablation, error: error.message } });
      }
    },
  });
}

/** The ridge 1x1 convolution from all of block 1 to the ghost maps, over some pictures. */
async function bestFit(net, similarity, { name, blocks }, inputs, signal) {
  const sums = similarity.accumulate();
  try {
    for (const input of inputs) {
      const taps = [blocks[0], `${name}.ghost`];
      const { maps } = await net.features(input, { taps, signal });
      await sums.add(maps[taps[0]], maps[taps[1]]);
    }
    return (await sums.result({ signal })).fit;
  } finally {
    await sums.close();
  }
}

/** @file Measuring a set of pictures, with its controls, and the network against its plain twin. */
import { load } from '../lib/index.js';
import { inputOf } from '../view/input.js';
import { otherInput } from './samples.js';

/** Every fourth picture is kept from the fit and scored on; of fewer pictures the lowest quarter of each. */
const HELD = 4;

/** Sums over pictures, with a fit that is scored on what it has not seen. */
function sumsOf(similarity, count) {
  const whole = similarity.accumulate();
  const split = count < HELD ? similarity.accumulate() : undefined;
  return {
    /** Picture `i`. */
    async add(x, y, i, signal) {
      await whole.add(x, y, { heldOut: !split && i % HELD === HELD - 1, signal });
      if (!split) return;
      const height = x.dims[1];
      const cut = height - Math.max(1, Math.floor(height / 4));
      await split.add(rows(x, 0, cut), rows(y, 0, cut), { signal });
      await split.add(rows(x, cut, height), rows(y, cut, height), { heldOut: true, signal });
    },
    async result(signal) {
      const found = await whole.result({ fit: !split, signal });
      if (!split) return found;
      const { r2, few } = await split.result({ signal });
      return { ...found, r2, few: { ...found.few, r2: few.r2 } };
    },
    close() {
      for (const sums of [whole, split]) sums?.close().catch(() => {});
    },
  };
}

function rows({ data, dims: [channels, height, width] }, from, to) {
  const part = new Float32Array(channels * (to - from) * width);
  for (let c = 0; c < channels; c++) part.set(data.subarray((c * height + from) * width, (c * height + to) * width), c * (to - from) * width);
  return { data: part, dims: [channels, to - from, width] };
}

/**
 * Two taps over pictures: as they are, against block 1 of another picture, with shuffled positions, and, if asked for,
 * in a network of random weights.
 * @param {{ net: object, similarity: object, inputs: unknown[], other?: unknown, taps: [string, string], random: boolean,
 *   signal: AbortSignal, onProgress: (done: number, total: number) => void }} options
 *   `other` is the control's picture where there is only one
 */
export async function measure({ net, similarity, inputs, other, taps, random, signal, onProgress }) {
  const names = ['own', ...(other !== undefined || inputs.length > 1 ? ['other'] : []), 'shuffled', ...(random ? ['random'] : [])];
  const sums = Object.fromEntries(names.map((name) => [name, sumsOf(similarity, inputs.length)]));
  const twin = random ? await net.randomTwin({ signal }) : undefined;
  const failures = [];
  try {
    const see = async (input, from = net) => {
      const { maps } = await from.features(input, { taps: [...new Set(taps)], signal });
      return taps.map((tap) => maps[tap]);
    };
    const count = inputs.length;
    // Another picture is the one given, or else the next in the list, and for the last the first.
    const stranger = other === undefined ? undefined : (await see(other))[0];
    let start;
    let before;
    for (const [i, input] of inputs.entries()) {
      try {
        const [x, y] = await see(input);
        await sums.own.add(x, y, i, signal);
        if (stranger) await sums.other.add(stranger, y, i, signal);
        else if (before) await sums.other.add(x, before.y, before.i, signal);
        start ??= x;
        before = { y, i };
        await sums.shuffled.add(x, await similarity.shuffle(y, { seed: i + 1, signal }), i, signal);
        if (twin) await sums.random.add(...(await see(input, twin)), i, signal);
      } catch (error) {
        if (error.code !== 'bad-image') throw error;
        failures.push(input.name ?? String(i + 1));
      }
      onProgress(i + 1, count);
    }
    if (!stranger && count - failures.length > 1) await sums.other.add(start, before.y, before.i, signal);
    const results = {};
    for (const name of names) results[name] = await sums[name].result(signal);
    return { ...results, failures };
  } finally {
    twin?.dispose();
    for (const name of names) sums[name].close();
  }
}

/** What the page does with it. */
export function studies({ state, update, net, metrics }) {
  let call;
  return {
    /** Over a set: the samples or the visitor's own pictures. */
    async measureSet(inputs, name) {
      call?.abort();
      const { signal } = (call = new AbortController());
      const { taps } = state.maps;
      const study = { name, taps, info: state.info, running: true, done: 0, total: inputs.length };
      const tell = (change) => signal.aborted || update({ study: Object.assign({ ...study }, change) });
      tell({});
      try {
        const result = await measure({ net: net(), similarity: await metrics, inputs, taps, random: true, signal, onProgress: (done, total) => tell({ done, total }) });
        tell({ ...result, running: false, done: inputs.length });
      } catch (error) {
        tell({ running: false, error: error.message });
      }
    },
    cancelSet() {
      call?.abort();
      update({ study: undefined });
    },
  };
}

/** The picture that is shown, by every measure. */
export const onePicture = (effect, { net, metrics }) =>
  effect({
    wanted: ({ tab, maps, picture }) => tab === 'numbers' && maps && maps.taps[0] !== maps.taps[1] && !picture.live,
    values: ({ maps }) => [maps],
    async run(state, tell, signal) {
      const { maps } = state;
      const other = otherInput(state);
      const found = await measure({ net: net(), similarity: await metrics, inputs: [inputOf(state.picture)], other, taps: maps.taps, random: false, signal, onProgress() {} });
      tell({ alone: { maps, ...found } });
    },
  });

/** What the plain network of the same size costs. */
export const plainCost = (effect, { net }) =>
  effect({
    wanted: ({ tab, info }) => tab === 'numbers' && info?.stages.some(({ kind }) => kind === 'ghost'),
    values: ({ info }) => [info.variant, info.classes],
    async run({ info }, tell, signal) {
      const twin = await net().plainTwin({ signal, backend: 'wasm' });
      const { params, macs, activations } = twin.info;
      twin.dispose();
      tell({ plain: { variant: info.variant, params, macs, activations } });
    },
  });

const RUNS = 9;

/** Both networks in turn on each engine that this device has: the middle of several runs. */
export async function timeBoth({ net, state, signal, onProgress }) {
  const found = [];
  for (const backend of ['wasm', 'webgpu']) {
    onProgress(backend);
    const nets = [];
    try {
      nets.push(await load({ model: net.model, backend, signal }));
      nets.push(await net.plainTwin({ backend, signal }));
      const times = nets.map(() => []);
      const input = inputOf(state.picture);
      for (let run = 0; run <= RUNS; run++) {
        for (const [i, one] of nets.entries()) {
          const { milliseconds } = await one.classify(input, { signal });
          if (run > 0) times[i].push(milliseconds); // the first one warms up
        }
      }
      const [ghost, plain] = times.map((values) => values.sort((a, b) => a - b)[RUNS >> 1]);
      found.push({ backend, ghost, plain, adapter: nets[0].info.adapter });
    } catch (error) {
      signal.throwIfAborted();
      found.push({ backend, error: error.message });
    } finally {
      for (const one of nets) one.dispose();
    }
  }
  return found;
}

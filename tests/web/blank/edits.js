// Networks without a part, in a page.

const PICTURE = '/samples/cat.jpg';
const TAPS = ['layer3.base', 'layer3.merge', 'layer3.ghost', 'layer3.end', 'layer4.end', 'logits'];

/** The edits of a net that are tried, by name; `fit` is one from the whole output of block 1. */
function editsOf({ info }, fit) {
  const { cheap } = info.stages[2];
  const part = {
    weight: new Float32Array(cheap * cheap).map((_, i) => (i % (cheap + 1) === 0 ? 0.5 : 0)),
    bias: new Float32Array(cheap).fill(-0.1),
  };
  return {
    asIs: {},
    ghostOff: { stage: 3, ghost: 'off' },
    mergeOff: { stage: 'layer3', merge: 'off' },
    fitWhole: { stage: 3, ghost: fit },
    fitPart: { stage: 3, ghost: part },
    channelOff: [{ channels: [{ tap: 'layer3.base', channel: 1 }] }, { channels: [{ tap: 'layer4.end', channel: 7 }] }],
  };
}

async function mapsOf(net) {
  const { maps } = await net.features(PICTURE, { taps: TAPS });
  return Object.fromEntries(TAPS.map((tap) => [tap, Array.from(maps[tap].data)]));
}

/** Maps of every edit on both engines, what is known of the edited nets, and maps of a net that was edited twice. */
export async function resultsOf(load) {
  const whole = await load({ backend: 'wasm' });
  const options = { taps: ['layer3.base', 'layer3.ghost'], metric: 'r2', control: false };
  const { fit } = await whole.redundancy([PICTURE, '/samples/coffee.jpg'], options);
  const { width, cheap } = whole.info.stages[2];
  const edits = editsOf(whole, fit);
  const results = { wasm: {}, webgpu: {}, infos: [], isFitWhole: fit.weight.length === cheap * width };
  for (const backend of ['wasm', 'webgpu']) {
    const net = await whole.ablated({}, { backend });
    for (const [name, edit] of Object.entries(edits)) {
      const without = await net.ablated(edit);
      results.infos.push([without.info.edit, without.info.backend, without.info.labels.length].join(' '));
      results[backend][name] = await mapsOf(without);
      without.dispose();
    }
    net.dispose();
  }
  const once = await whole.ablated(edits.mergeOff);
  const twice = await once.ablated(edits.ghostOff);
  results.twice = await mapsOf(twice);
  for (const net of [once, twice, whole]) net.dispose();
  return results;
}

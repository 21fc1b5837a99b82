// Maps at another side than the model's own, and what speaks for a class: its sums are the logit.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { repository } from '../../tools/serve.mjs';
import { load } from '../../dist/site/lib/node.js';
import { defaultModel } from './support/site.mjs';

const photo = path.join(repository, 'www/samples/cat.jpg');
const models = [defaultModel, 'g_ghost_regnetx_008-imagenet-int8.safetensors'];
let nets;
before(async () => {
  nets = await Promise.all(models.map((model) => load({ model: path.join(repository, 'models', model) })));
});
after(() => nets?.forEach((net) => net.dispose()));

const sum = (values) => values.reduce((total, value) => total + value, 0);

test('maps are those of the side that is asked for, and the model’s own is what it is without', async () => {
  const [net] = nets;
  const { blocks } = net.info.stages[1];
  const own = net.info.input.side;
  const at = async (side) => net.features(photo, { taps: [blocks[0]], side });
  for (const side of [96, 320, 448]) {
    const [, height, width] = (await at(side)).maps[blocks[0]].dims;
    assert.deepEqual([height, width], [side / 8, side / 8]);
  }
  const [asked, unasked] = [await at(own), await at(undefined)];
  assert.deepEqual(asked.maps, unasked.maps);
  assert.deepEqual(asked.top, unasked.top);
  const list = await net.features([photo, photo], { taps: [blocks[0]], side: 96 });
  for (const { maps } of list) assert.deepEqual(maps[blocks[0]].dims.slice(1), [12, 12]);
  for (const side of [0, 31, 4097, 100.5, '320']) await assert.rejects(at(side), { code: 'bad-option' });
  const { samples } = await net.redundancy(photo, { stage: 2, side: 96, control: false });
  assert.equal(samples.positions, 12 * 12);
});

test('map and shares add up to the logit of the class, as the network computes it', async () => {
  for (const net of nets) {
    const { input, labels, stages } = net.info;
    for (const side of [undefined, 256]) {
      const { top } = await net.features(photo, { taps: ['avgpool'], side });
      const likeliest = await net.evidence(photo, { side });
      assert.equal(likeliest.class, top[0].index);
      assert.equal(likeliest.label, labels[likeliest.class]);
      assert.deepEqual(likeliest.top, top);
      const others = await Promise.all(
        [top[1].index, top[4].label].map((one) => net.evidence(photo, { class: one, side })),
      );
      for (const { logit, bias, map, shares } of [likeliest, ...others]) {
        const scale = Math.max(...likeliest.shares.map(Math.abs), Math.abs(logit));
        assert.ok(Math.abs(bias + sum(map.data) - logit) <= 1e-5 * scale);
        assert.ok(Math.abs(bias + sum(shares) - logit) <= 1e-5 * scale);
        assert.equal(shares.length, stages.at(-1).width);
        assert.equal(map.data.length, map.dims[0] * map.dims[1]);
        assert.equal(map.dims[0], Math.ceil((side ?? input.side) / 32));
      }
    }
  }
});

test('logits of the sums differ by class as those of the run do', async () => {
  const [net] = nets;
  const { side } = net.info.input;
  const { taps, logits } = await net.forward(
    { data: Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i)), dims: [1, 3, side, side] },
    { taps: ['avgpool'] },
  );
  const { weight, bias, dims } = await net.weights('fc');
  const made = logits.map(
    (_, row) => bias[row] + sum(taps.avgpool.data.map((mean, c) => mean * weight[row * dims[1] + c])),
  );
  const scale = Math.max(...logits.map(Math.abs));
  logits.forEach((logit, row) => assert.ok(Math.abs(made[row] - logit) <= 1e-5 * scale, `class ${row}`));
});

test('a class that there is not is refused, with what is offered', async () => {
  for (const wanted of [-1, 10, 1.5, 'fox']) {
    await assert.rejects(nets[0].evidence(photo, { class: wanted }), { code: 'bad-option', message: /0 to 9/ });
  }
  await assert.rejects(nets[0].evidence(photo, { classes: 3 }), { code: 'bad-option', message: /did you mean/ });
});

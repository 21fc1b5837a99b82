// What is said of logits in JavaScript: as in PyTorch, and of a model that can tell what it knows.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { repository } from '../../tools/serve.mjs';
import { confidenceOf } from '../../www/lib/engine.js';
import { load } from '../../dist/site/lib/node.js';
import { blankPages, inPage } from './support/blank.mjs';

blankPages({ webgpu: true });

const inRepository = (...names) => path.join(repository, ...names);
const model = inRepository('models/g_ghost_regnetx_006-imagenette.safetensors');

/** Rounding to f32 is off by half a unit in the last place, as in tests/it/confidence.rs. */
const isSame = (got, want) => Math.abs(got - want) <= Math.abs(want) * 2 ** -23 + 2 ** -126;

test('probabilities and known are PyTorch’s', async () => {
  const cases = JSON.parse(await readFile(inRepository('tests/golden/confidence.json'), 'utf8'));
  let compared = 0;
  for (const { logits, temperature, probabilities, known } of cases) {
    const all = Float32Array.from(logits.flat());
    for (const { rule, of } of known) {
      const got = confidenceOf(all, logits[0].length, { temperature, known: rule });
      probabilities
        .flat()
        .forEach((want, i) => assert.ok(isSame(got.probabilities[i], want), `${got.probabilities[i]}, not ${want}`));
      of.forEach((want, i) => assert.ok(isSame(got.known[i], want), `${rule.score}: ${got.known[i]}, not ${want}`));
      compared += of.length;
    }
    assert.equal(confidenceOf(all, logits[0].length, { temperature }).known, undefined);
  }
  assert.equal(compared, 24);
});

/** The bytes of a model whose config has been changed. */
async function changed(change) {
  const bytes = await readFile(model);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const config = JSON.parse(header.__metadata__['g-ghostnet']);
  change(config);
  header.__metadata__['g-ghostnet'] = JSON.stringify(config);
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(padded.length));
  return new Uint8Array(Buffer.concat([start, padded, bytes.subarray(8 + length)]));
}

const grey = { data: new Uint8Array(64 * 64 * 4).fill(128), width: 64, height: 64 };

test('a model that can tell says how known a picture is, with the numbers in its file', async () => {
  const net = await load({ model });
  const { known: rule, temperature } = net.info;
  assert.ok(rule.scale > 0 && rule.threshold > 0 && rule.threshold < 1 && temperature > 0);
  const church = inRepository('www/samples/pavilion.jpg');
  const [picture, plain] = await net.classify([church, grey]);
  assert.equal(picture.unsure, picture.known < rule.threshold);
  assert.equal(plain.unsure, plain.known < rule.threshold);
  assert.ok(picture.known > plain.known, `a building is known by ${picture.known}, a grey square by ${plain.known}`);
  assert.ok(plain.unsure, 'a grey square is nothing it knows');
  const { known, unsure, maps } = await net.features(church, { stage: 3 });
  assert.ok(maps);
  assert.deepEqual({ known, unsure }, { known: picture.known, unsure: picture.unsure });

  // The threshold alone decides what is unsure.
  for (const threshold of [0, 1]) {
    const other = await load({ model: await changed((config) => (config.known.threshold = threshold)) });
    assert.equal((await other.classify(church)).unsure, threshold === 1);
    other.dispose();
  }
});

test('a file without the rule says nothing of it, and a rule that makes no sense is refused', async () => {
  const net = await load({
    model: await changed((config) => ['known', 'temperature'].forEach((name) => delete config[name])),
  });
  const answer = await net.classify(grey);
  assert.ok(!('known' in answer) && !('unsure' in answer));
  assert.equal(net.info.known, undefined);
  assert.equal(net.info.temperature, 1);
  for (const spoil of [
    (config) => (config.known.scale = 0),
    (config) => (config.known.score = 'mood'),
    (config) => (config.temperature = -1),
  ]) {
    await assert.rejects(load({ model: await changed(spoil) }), { code: 'bad-model' });
  }
});

test('every engine says the same of a picture', async () => {
  const answers = await inPage(
    async ({ load }, _, model) => {
      const found = [];
      for (const options of [{ backend: 'wasm' }, { backend: 'webgpu' }, { backend: 'wasm', worker: false }]) {
        const net = await load({ model, ...options });
        const answers = await net.classify(['/samples/pavilion.jpg', '/samples/bricks.jpg']);
        found.push(answers.map(({ known, unsure }) => ({ known, unsure })));
        net.dispose();
      }
      return found;
    },
    `/models/${path.basename(model)}`,
  );
  for (const others of answers.slice(1)) {
    others.forEach(({ known, unsure }, i) => {
      // Logits of two engines differ by 2e-4 of the largest, some twenty, and `known` by a quarter of that over the
      // scale, which is not below a quarter.
      assert.ok(Math.abs(known - answers[0][i].known) < 0.004, `${known} and ${answers[0][i].known}`);
      assert.equal(unsure, answers[0][i].unsure);
    });
  }
});

// Models in several files with Hugging Face's index: in Node, by list and by path.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { repository } from '../../tools/serve.mjs';
import { load } from '../../www/lib/node.js';
import { modelOfFiles } from '../../www/lib/shards.js';
import { defaultModel } from '../../www/lib/default-model.js';
import { shardsOf } from './support/shards.mjs';

const INDEX = 'model.safetensors.index.json';

let folder;
let model;
let shards;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shards-'));
  model = await readFile(path.join(repository, 'models', defaultModel));
  shards = shardsOf(model, 3);
  await Promise.all(Object.entries(shards).map(([name, bytes]) => writeFile(path.join(folder, name), bytes)));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Files by name; a text is a file's content. */
const files = (contents) => Object.entries(contents).map(([name, content]) => new File([content], name));

/** Each tensor's bytes, by name. */
async function tensorsOf(blob) {
  const bytes = Buffer.from(await blob.arrayBuffer());
  const length = Number(bytes.readBigUInt64LE());
  const { __metadata__, ...tensors } = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const data = bytes.subarray(8 + length);
  const entry = ([name, { data_offsets, ...info }]) => [name, { ...info, bytes: data.subarray(...data_offsets) }];
  return { metadata: __metadata__['g-ghostnet'], tensors: Object.fromEntries(Object.entries(tensors).map(entry)) };
}

test('the files of an index become one with the same tensors, whatever lies beside them', async () => {
  const others = { 'README.md': '# Card', 'preprocessor_config.json': '{}', 'other.safetensors': 'not of this model' };
  const whole = await modelOfFiles(files({ ...others, ...shards }));
  assert.deepEqual(await tensorsOf(whole.model), await tensorsOf(new Blob([model])));
  assert.equal(whole.labels, undefined);
});

test('labels come from config.json, where it names the classes', async () => {
  const labelsWith = async (config) =>
    (await modelOfFiles(files({ 'model.safetensors': model, 'config.json': config }))).labels;
  assert.deepEqual(await labelsWith('{"id2label":{"1":"dog","0":"cat"}}'), ['cat', 'dog']);
  for (const config of [
    '{"id2label":{"0":"LABEL_0"}}',
    '{"id2label":{"0":"cat","2":"dog"}}',
    '{}',
    'null',
    'no JSON',
  ]) {
    assert.equal(await labelsWith(config), undefined, config);
  }
});

test('what does not fit together is said with the file’s name', async () => {
  const [first, second] = Object.keys(shards);
  const { weight_map } = JSON.parse(shards[INDEX].toString());
  const index = (change) => JSON.stringify({ weight_map: { ...weight_map, ...change } });
  const without = (name) => Object.fromEntries(Object.entries(shards).filter(([other]) => other !== name));
  const header = (text) => Buffer.concat([Buffer.from([text.length, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(text)]);
  for (const [contents, words] of [
    [without(second), `${second} is missing`],
    [{ ...shards, [first]: shards[first].subarray(0, -1) }, `${first} has .* bytes, its header says`],
    [{ ...shards, [first]: Buffer.concat([shards[first], Buffer.alloc(4)]) }, `${first} has .* bytes`],
    [{ ...shards, [first]: 'version https://git-lfs.github.com/spec/v1' }, `${first} is no safetensors file`],
    [{ ...shards, [first]: header('{"a":1}') }, `${first} has a header that is not one of safetensors`],
    [{ ...shards, [first]: shards[second] }, 'another of the model’s files has'],
    [{ ...shards, [INDEX]: index({ 'layer9.weight': first }) }, `${first} has not all tensors`],
    [
      { ...shards, [INDEX]: index({ 'layer9.weight': '../secret.safetensors' }) },
      'index of the model’s files is not one',
    ],
    [{ ...shards, [INDEX]: index({ 'layer9.weight': 'https://example.com/x.safetensors' }) }, 'is not one'],
    [{ ...shards, [INDEX]: index({ 'layer9.weight': 'pytorch_model.bin' }) }, 'is not one'],
    [{ ...shards, [INDEX]: '{"weight_map":[]}' }, 'is not one'],
    [{ ...shards, [INDEX]: 'null' }, 'is not one'],
    [{ ...shards, 'second.index.json': '{}' }, 'several .index.json files'],
    [without(INDEX), 'There are 3 model files'],
    [{ 'config.json': '{}' }, 'There are 0 model files'],
  ]) {
    await assert.rejects(modelOfFiles(files(contents)), (error) => {
      assert.equal(error.code, 'bad-model');
      assert.match(error.message, new RegExp(words));
      assert.ok(error.message.length < 300 && /[^.?]\.$|[^.?]\?$/.test(error.message), error.message);
      return true;
    });
  }
});

test('an index is loaded by path and as a list, with the labels beside it', async () => {
  const engine = { backend: 'wasm', wasmUrl: path.join(repository, 'dist/wasm') };
  const whole = await load({ ...engine, model: path.join(repository, 'models', defaultModel) });
  const byPath = await load({ ...engine, model: path.join(folder, INDEX) });
  const labels = whole.info.labels.map((label) => `my ${label}`);
  const config = JSON.stringify({ id2label: labels });
  const asList = await load({ ...engine, model: files({ ...shards, 'config.json': config }) });
  const plane = 3 * whole.info.input.side ** 2;
  const dims = [1, 3, whole.info.input.side, whole.info.input.side];
  const data = Float32Array.from({ length: plane }, (_, i) => Math.sin(i));
  const run = async (net) => (await net.forward({ data, dims })).logits;
  const logits = await run(whole);
  assert.deepEqual(await run(byPath), logits);
  assert.deepEqual(await run(asList), logits);
  assert.deepEqual(asList.info.labels, labels);
  for (const net of [whole, byPath, asList]) net.dispose();
  await rm(path.join(folder, Object.keys(shards)[1]));
  await assert.rejects(load({ ...engine, model: path.join(folder, INDEX) }), /model-00002-of-00003\.safetensors/);
});

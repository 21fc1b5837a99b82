// Checkpoints as people bring them, in Chromium on both engines: the answers of the plain state dict, two of one logit,
// and what was left out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { repository } from '../../tools/serve.mjs';
import { blankPages, inPage, page, server, withWebgpu } from './support/blank.mjs';
import { checkpoint } from './support/pth.mjs';

const run = promisify(execFile);

blankPages();

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const golden = (name) => readFile(path.join(repository, 'tests/golden/pth', `${name}.pth`));

/** Keys and shapes of a ResNet of one block a stage. */
function tiny(classes, prefix = '') {
  const keys = [];
  const conv = (name, norm, out, channels, side) => {
    keys.push([`${prefix}${name}.weight`, [out, channels, side, side]]);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
      keys.push([`${prefix}${norm}.${part}`, [out]]);
  };
  conv('conv1', 'bn1', 8, 3, 7);
  for (const stage of [0, 1, 2, 3]) {
    const [width, before] = [8 << stage, 8 << Math.max(0, stage - 1)];
    const block = `layer${stage + 1}.0`;
    conv(`${block}.conv1`, `${block}.bn1`, width, before, 3);
    conv(`${block}.conv2`, `${block}.bn2`, width, width, 3);
    if (stage > 0) conv(`${block}.downsample.0`, `${block}.downsample.1`, width, before, 1);
  }
  keys.push([`${prefix}fc.weight`, [classes, 64]], [`${prefix}fc.bias`, [classes]]);
  return keys;
}

/** Runs in the page: what each file answers to one input. */
const answersOf = async ({ load }, _, { files, options }) => {
  const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i));
  const answers = [];
  for (const text of files) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const net = await load({ model: bytes.buffer, ...options });
    const { logits } = await net.forward({ data, dims: [1, 3, 64, 64] });
    const { top } = await net.classify('/samples/cat.jpg');
    const { labels, weights, leftOut, classes } = net.info;
    answers.push({ logits: Array.from(logits), top, labels, weights, leftOut, classes });
    net.dispose();
  }
  return answers;
};

test('what lies beside the weights and among them changes no answer, and is listed', async () => {
  const files = [];
  for (const name of ['zip', 'beside', 'beside_legacy', 'attributes']) files.push(base64(await golden(name)));
  const options = { backend: 'wasm', worker: false };
  const [plain, ...others] = await inPage(answersOf, { files, options });
  assert.equal(new Set(plain.logits).size, 3);
  assert.deepEqual([plain.weights, plain.leftOut], ['', []]);
  for (const other of others) assert.deepEqual(other.logits, plain.logits);
  assert.deepEqual(
    others.map(({ weights }) => weights),
    ['model', 'model', 'state_dict'],
  );
  const names = others.map(({ leftOut }) => leftOut.map(({ name }) => name));
  for (const name of ['args', 'best_acc', 'optimizer', 'harm', 'complex'])
    assert.ok(names[0].includes(name), `${names[0]}`);
  assert.deepEqual(names[2].sort(), ['index', 'mask', 'note']);
  assert.ok(others[0].leftOut.every(({ reason }) => reason.length > 3));
});

test('one logit is two answers by the sigmoid, on both engines, with labels of two', async () => {
  const files = [base64(checkpoint(tiny(1))), base64(checkpoint(tiny(2)))];
  const engines = async (options) => (await inPage(answersOf, { files: files.slice(0, 1), options }))[0];
  const wasm = await engines({ backend: 'wasm', worker: false });
  assert.deepEqual(wasm.labels, ['class 0', 'class 1']);
  assert.equal(wasm.classes, 2);
  assert.equal(wasm.logits[0], 0);
  assert.ok(Math.abs(wasm.logits[1]) > 1e-3, 'the logit says something');
  const sum = wasm.top.reduce((sum, { probability }) => sum + probability, 0);
  assert.ok(
    wasm.top.length === 2 && Math.abs(sum - 1) < 1e-6 && wasm.top.every(({ probability }) => probability < 0.9999),
  );
  const named = await engines({ backend: 'wasm', labels: ['no', 'yes'] });
  assert.deepEqual(named.labels, ['no', 'yes']);
  assert.deepEqual(
    named.top.map(({ probability }) => probability),
    wasm.top.map(({ probability }) => probability),
  );
  await withWebgpu(async () => {
    const webgpu = await engines({ backend: 'webgpu', worker: false });
    assert.equal(webgpu.logits[0], 0);
    assert.ok(Math.abs(webgpu.logits[1] - wasm.logits[1]) <= 1e-4 * Math.max(1, Math.abs(wasm.logits[1])));
    const sigmoid = 1 / (1 + Math.exp(-webgpu.logits[1]));
    assert.ok(sigmoid > 0 && sigmoid < 1);
  });
});

test('of several weights those are read that are asked for', async () => {
  const both = [...tiny(3, 'model.'), ...tiny(3, 'model_ema.module.')];
  const files = [base64(checkpoint(both))];
  const read = async (weights) =>
    (await inPage(answersOf, { files, options: { backend: 'wasm', worker: false, weights } }))[0];
  const [plain, ema, named] = [await read(undefined), await read('ema'), await read('model')];
  assert.deepEqual([plain.weights, ema.weights, named.weights], ['model', 'model_ema', 'model']);
  assert.notDeepEqual(plain.logits, ema.logits);
  assert.deepEqual(plain.logits, named.logits);
  const codes = await inPage(async ({ load }, codeOf, [text]) => {
    const model = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return [
      await codeOf(load({ model, weights: 'nobody', backend: 'wasm' })),
      await codeOf(load({ model, weights: 7 })),
    ];
  }, files);
  assert.deepEqual(codes, ['bad-model', 'bad-option']);
});

test('the page tells a model from a picture by its first bytes, whatever it is called', async () => {
  await page.goto(server.url);
  await page.waitForSelector('.top li');
  for (const name of [
    'model_best.pth.tar',
    'last.ckpt',
    'pytorch_model.bin',
    'net.pyth',
    'weights.pkl',
    'no-extension',
  ]) {
    const classes = name.length % 2 ? 3 : 4;
    const buffer = checkpoint(tiny(classes, 'model.'));
    await page.setInputFiles('#file', { name, mimeType: 'application/octet-stream', buffer });
    await page.waitForFunction(
      (count) => document.querySelectorAll('.top li').length === count || !document.querySelector('#error').hidden,
      classes,
    );
    assert.equal(await page.locator('#error').isHidden(), true, `${name}: ${await page.textContent('#error')}`);
  }
  // And what has a model's name and is none is said for what it is.
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 46827520\n`;
  await page.setInputFiles('#file', {
    name: 'm.safetensors',
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(pointer),
  });
  await page.waitForSelector('#error:not([hidden])');
  assert.match(await page.textContent('#error'), /^m\.safetensors: .*Git LFS.*git lfs pull/s);
});

test('the command takes the weights that it is told', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'checkpoints-'));
  try {
    const file = path.join(folder, 'model_best.pth.tar');
    await writeFile(file, checkpoint([...tiny(1, 'model.'), ...tiny(1, 'ema.')]));
    const classify = async (...options) => {
      const command = [
        path.join(repository, 'dist/site/lib/cli.js'),
        'classify',
        '--json',
        '--model',
        file,
        ...options,
      ];
      const { stdout } = await run(process.execPath, [...command, path.join(repository, 'www/samples/cat.jpg')]);
      return JSON.parse(stdout)[0].top;
    };
    const [plain, ema] = [await classify(), await classify('--weights', 'ema')];
    assert.deepEqual([plain.length, ema.length], [2, 2]);
    assert.notDeepEqual(plain, ema);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

// The command line, against PyTorch and Pillow on the same weights and files.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { repository } from '../../tools/serve.mjs';
import { cat as answers, golden } from './support/golden.mjs';

const cat = path.join(repository, 'www/samples/cat.jpg');
const model = path.join(repository, golden.model);

let folder;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'classify-'));
  await writeFile(path.join(folder, 'note.jpg'), 'A text file, renamed.\n');
});
after(() => rm(folder, { recursive: true, force: true }));

/** @returns {Promise<{ code: number, out: string, err: string }>} */
const classify = (...options) =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [path.join(repository, 'tools/classify.mjs'), '--model', model, ...options],
      { cwd: repository },
      (error, out, err) => resolve({ code: error?.code ?? 0, out, err }),
    );
  });

test('every kind of picture gets the probabilities of PyTorch and Pillow', async () => {
  const { code, out, err } = await classify('--json', ...golden.files.map(({ file }) => file));
  assert.equal(code, 0, err);
  const answers = JSON.parse(out);
  assert.equal(answers.length, golden.files.length);
  answers.forEach(({ file, top }, i) => {
    assert.equal(file, golden.files[i].file);
    assert.deepEqual(Object.keys(top[0]), ['label', 'index', 'probability']);
    top.forEach(({ probability, index }, place) => {
      const expected = golden.files[i].top[place];
      assert.ok(
        Math.abs(probability - expected.probability) <= 1e-3,
        `${file}, place ${place + 1}: ${probability}, PyTorch has ${expected.probability}`,
      );
      const swapped = golden.files[i].top.some(
        (other) => other.index === index && Math.abs(other.probability - probability) <= 1e-3,
      );
      assert.ok(
        index === expected.index || swapped,
        `${file}, place ${place + 1}: class ${index}, in PyTorch ${expected.index}`,
      );
    });
  });
});

test('what cannot be read is said for each file, and the others are classified', async () => {
  const { code, out, err } = await classify(
    '--top',
    '2',
    path.join(folder, 'note.jpg'),
    cat,
    path.join(folder, 'missing.jpg'),
  );
  assert.equal(code, 1);
  assert.match(err, /note\.jpg: This is a text file, not a picture\./);
  assert.match(err, /missing\.jpg: There is no such file or folder\./);
  assert.match(err, /2 of 3 could not be read\.\n$/);
  const lines = answers
    .slice(0, 2)
    .map(({ label, probability }) => `  ${label} +${Math.floor(100 * probability)}\\.\\d %  █+\\n`);
  assert.match(out, new RegExp(`cat\\.jpg\\n${lines.join('')}\\n$`));
});

test('a folder is classified whole, in order', async () => {
  const { code, out } = await classify('--json', 'www/samples');
  assert.equal(code, 0);
  const files = JSON.parse(out).map(({ file }) => file);
  const samples = JSON.parse(await readFile(path.join(repository, 'www/samples/samples.json'), 'utf8'));
  assert.deepEqual(files, samples.map(({ file }) => `www/samples/${file}`).sort());
});

test('accuracy counts pictures in folders named by labels or by classes.tsv', async () => {
  const set = path.join(folder, 'set');
  const right = path.join(set, answers[0].label.replace(' ', '_'));
  await mkdir(right, { recursive: true });
  await mkdir(path.join(set, 'x'), { recursive: true });
  await cp(cat, path.join(right, 'right.jpg'));
  await cp(cat, path.join(set, 'x/second.jpg')); // its second answer
  const refused = await classify('--accuracy', set);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /the folder x is none of the model's classes/);
  await writeFile(path.join(set, 'classes.tsv'), `label\tfolder\n${answers[1].label}\tx\n`);
  const { code, out, err } = await classify('--accuracy', '--json', set);
  assert.equal(code, 0, err);
  const { pictures, top1, top5 } = JSON.parse(out);
  assert.deepEqual([pictures, top1.rate, top5.rate], [2, 0.5, 1]);
  // Wilson's interval of 1 in 2, by hand: (0.5 + z²/4 ± z sqrt(1/8 + z²/16)) / (1 + z²/2) with z = 1.959964
  assert.ok(
    Math.abs(top1.interval[0] - 0.094529) < 1e-5 && Math.abs(top1.interval[1] - 0.905471) < 1e-5,
    String(top1.interval),
  );
});

test('wrong options and files are explained', async () => {
  for (const [options, sentence] of [
    [[], /^usage: /],
    [['--top', '0', cat], /--top takes a number from 1 on/],
    [['--backend', 'cuda', cat], /--backend takes wasm or webgpu/],
    [['--model', 'missing.safetensors', cat], /The model was not found/],
    [['--model', cat, cat], /classify: /],
  ]) {
    const { code, err } = await classify(...options);
    assert.equal(code, 2, options.join(' '));
    assert.match(err, sentence);
    assert.doesNotMatch(err, /\n {4}at /, 'no stack');
  }
});

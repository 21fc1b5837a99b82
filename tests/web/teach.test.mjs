// Teaching new classes, as the library does it: in a page, where nothing that was added may be lost, and in Node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { repository } from '../../tools/serve.mjs';
import { blankPages, browser, chromiumOnly, inPage, server } from './support/blank.mjs';

blankPages();

const site = (...names) => path.join(repository, 'dist/site', ...names);
const inNode = () => import(pathToFileURL(site('lib/node.js')).href);

/** Pictures of a class: stripes of its direction, in colours that follow from a number. */
function striped(kind, seed, side = 64) {
  const data = new Uint8ClampedArray(4 * side * side);
  const colour = [0, 1, 2].map((i) => 60 + ((seed * 53 + i * 97) % 160));
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const along = { across: y, down: x, slope: x + y, plain: 0 }[kind];
      const on = Math.floor((along + seed) / 4) % 2;
      data.set([...colour.map((value) => (on ? value : 255 - value)), 255], 4 * (y * side + x));
    }
  return { data, width: side, height: side };
}
const kinds = ['across', 'down', 'slope'];
const several = (kind, count, first = 0) => Array.from({ length: count }, (_, i) => striped(kind, first + i));

test('taught classes are told, and the file is a model like any other that can be taught more', async () => {
  const { load } = await inNode();
  const net = await load({ backend: 'wasm' });
  const teacher = await net.teach({ classes: kinds });
  for (const kind of kinds) await teacher.add(kind, several(kind, 6));
  await teacher.add(null, several('plain', 8));
  const parts = [];
  const lesson = await teacher.fit({ onProgress: ({ done, total }) => parts.push(done / total) });
  assert.equal(parts.at(-1), 1);
  assert.equal(lesson.method, 'ridge');
  assert.deepEqual([lesson.accuracy.right, lesson.accuracy.of], [18, 18], 'stripes are easy');
  assert.deepEqual(
    lesson.confusion,
    [6, 6, 6].map((count, i) => [0, 1, 2].map((k) => (k === i ? count : 0))),
  );
  assert.equal(lesson.rejection.passed.of, 8);
  assert.ok(lesson.rejection.auroc > 0.9);
  assert.equal(lesson.hardest.length, 18);

  const unseen = striped('down', 90);
  const said = await teacher.classify(unseen);
  assert.equal(said.top[0].label, 'down');
  const taught = await teacher.net();
  const again = await taught.classify(unseen);
  assert.ok(Math.abs(again.top[0].probability - said.top[0].probability) < 1e-5);
  assert.ok(Math.abs(again.known - said.known) < 1e-4);

  const file = new Uint8Array(await (await teacher.save()).arrayBuffer());
  const opened = await load({ model: file, backend: 'wasm' });
  assert.deepEqual(opened.info.labels, kinds);
  assert.ok((await opened.selfTest()).passed, 'its golden logits are its own');
  assert.deepEqual((await opened.classify(unseen)).top, again.top);
  const more = await opened.teach({ classes: ['plain'] });
  assert.deepEqual(
    more.classes.map(({ label, examples }) => [label, examples]),
    [...kinds.map((kind) => [kind, 6]), ['plain', 0]],
  );
  for (const { id } of more.examples.filter(({ label }) => label === null)) await more.move(id, 'plain');
  await more.rename('plain', 'nothing');
  const { accuracy, classes } = await more.fit();
  assert.equal(classes.at(-1).label, 'nothing');
  assert.equal(accuracy.of, 26);
  await more.removeClass('nothing');
  assert.deepEqual((await more.fit()).confusion, lesson.confusion, 'as before');
  const curve = await more.curve({ sizes: [2, 6], draws: 2 });
  assert.deepEqual(
    curve.map(({ examples, accuracies }) => [examples, accuracies.length]),
    [
      [2, 2],
      [6, 2],
    ],
  );
  assert.equal(curve[1].accuracy, 1);

  const codeOf = (promise) =>
    promise.then(
      () => 'none',
      ({ code }) => code,
    );
  const other = await load({
    model: pathToFileURL(site('models/g_ghost_regnetx_008-everyday.safetensors')),
    backend: 'wasm',
  });
  assert.equal(await codeOf(other.teach({ file })), 'bad-model', 'pictures of another network');
  assert.equal(
    await codeOf(net.teach({ file: await readFile(site('models/g_ghost_regnetx_006-imagenette.safetensors')) })),
    'bad-model',
  );
  assert.equal(await codeOf(net.teach({ keep: 'here' })), 'unsupported', 'Node keeps nothing');
  const alone = await net.teach({ classes: ['one'] });
  await alone.add('one', unseen);
  assert.equal(await codeOf(alone.fit()), 'bad-option');
  await alone.addClass('two');
  assert.equal(await codeOf(alone.fit()), 'bad-option', 'a class without a picture');
  assert.equal(await codeOf(alone.add('three', unseen)), 'bad-option');
  await alone.add('two', striped('slope', 1));
  assert.equal((await alone.fit()).accuracy.of, 0, 'classes of one picture are not judged');
  assert.equal((await alone.classify(striped('slope', 1))).top[0].label, 'two');
});

test('a model of eight bits is taught too', async () => {
  const { load } = await inNode();
  const net = await load({ model: pathToFileURL(path.join(repository, 'tests/golden/int8/model.safetensors')) });
  assert.equal(net.info.precision, 'int8');
  const teacher = await net.teach({ classes: ['across', 'down'] });
  for (const kind of ['across', 'down']) await teacher.add(kind, several(kind, 5));
  const said = await teacher.classify(striped('down', 50));
  const opened = await load({ model: new Uint8Array(await (await teacher.save()).arrayBuffer()) });
  assert.equal(opened.info.precision, 'int8');
  assert.ok((await opened.selfTest()).passed);
  const { top } = await opened.classify(striped('down', 50));
  assert.ok(Math.abs(top[0].probability - said.top[0].probability) < 1e-4);
});

test('a tab that is killed in the middle of adding loses nothing that was told as kept', chromiumOnly, async () => {
  const context = await browser.newContext();
  const begun = await context.newPage();
  await begun.goto(`${server.url}blank/`);
  let kept = 0;
  await begun.exposeFunction('told', (done) => (kept = done));
  const pictures = (count) =>
    Array.from({ length: count }, (_, i) => striped('across', i, 32)).map(({ data, ...size }) => ({
      ...size,
      data: Array.from(data),
    }));
  const adding = begun.evaluate(async (pictures) => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const teacher = await net.teach({ classes: ['across', 'down'], keep: 'killed' });
    const list = pictures.map((one) => ({ ...one, data: Uint8ClampedArray.from(one.data) }));
    await teacher.add('down', list.slice(0, 1));
    for (let all = 0; ; all += list.length)
      await teacher.add('across', list, { onProgress: ({ done }) => globalThis.told(all + done) });
  }, pictures(24));
  adding.catch(() => {}); // it is killed
  while (kept < 16) await new Promise((resolve) => setTimeout(resolve, 20));
  const session = await context.newCDPSession(begun);
  const told = kept;
  session.send('Page.crash').catch(() => {});
  await begun.waitForEvent('crash');

  const fresh = await context.newPage();
  await fresh.goto(`${server.url}blank/`);
  const found = await fresh.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const teacher = await net.teach({ keep: 'killed' });
    const before = teacher.classes;
    const picture = new ImageData(32, 32);
    await teacher.add('down', picture, { thumbnail: 16 });
    const { accuracy } = await teacher.fit();
    const thumbnails = teacher.examples.filter(({ thumbnail }) => thumbnail?.size).length;
    const file = await teacher.save();
    // Exported and imported, small pictures too.
    const copy = await net.teach({ file });
    const copied = copy.examples.filter(({ thumbnail }) => thumbnail?.size).length;
    await teacher.forget();
    const after = await net.teach({ keep: 'killed' });
    return { before, of: accuracy.of, thumbnails, copied, after: after.classes };
  });
  await context.close();
  const [across, down] = found.before;
  assert.deepEqual([across.label, down.label, down.examples], ['across', 'down', 1]);
  assert.ok(across.examples >= told, `${across.examples} pictures are there, ${told} were told`);
  assert.equal(found.of, across.examples + 2);
  assert.deepEqual([found.thumbnails, found.copied], [1, 1]);
  assert.deepEqual(found.after, [], 'forgotten');
});

test('a report can be called off, and the page is told of each part', async () => {
  const { code, parts, again } = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const teacher = await net.teach({ classes: ['a', 'b'] });
    const picture = (shade) => {
      const image = new ImageData(16, 16);
      image.data.forEach((_, i, all) => (all[i] = i % 4 === 3 ? 255 : (shade * 37 + i * shade) % 256));
      return image;
    };
    for (const [label, first] of [
      ['a', 1],
      ['b', 7],
    ])
      await teacher.add(
        label,
        [0, 1, 2].map((i) => picture(first + i)),
      );
    const controller = new AbortController();
    controller.abort();
    const code = await codeOf(teacher.fit({ signal: controller.signal }));
    const parts = [];
    await teacher.fit({ onProgress: ({ done }) => parts.push(done) });
    // What ends with the teacher.
    teacher.close();
    return { code, parts, again: await codeOf(teacher.fit()) };
  });
  assert.equal(code, 'aborted');
  assert.equal(parts.at(-1), 1);
  assert.equal(again, 'disposed');
});

/** A folder of folders of pictures. */
async function withFolder(work) {
  const { default: sharp } = await import('sharp');
  const folder = await mkdtemp(path.join(tmpdir(), 'taught-'));
  try {
    for (const kind of [...kinds, 'plain']) {
      const place = path.join(folder, kind === 'plain' ? 'strangers' : `classes/${kind}`);
      await mkdir(place, { recursive: true });
      for (let i = 0; i < 4; i++) {
        const { data, width, height } = striped(kind, i);
        await sharp(data, { raw: { width, height, channels: 4 } })
          .png()
          .toFile(path.join(place, `${i}.png`));
      }
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const run = promisify(execFile);

test('the command makes a model and a report of a folder, and PyTorch computes the same logits', async (t) => {
  await withFolder(async (folder) => {
    const model = path.join(folder, 'model.safetensors');
    const floats = site('models/g_ghost_regnetx_006-imagenette.safetensors');
    const command = [site('lib/cli.js'), 'teach', path.join(folder, 'classes'), '-o', model, '--model', floats];
    const { stdout } = await run('node', [...command, '--strangers', path.join(folder, 'strangers')]);
    assert.match(stdout, /^Accuracy: 100\.0% \(12 of 12; 95% interval 75\.\d% to 100\.0%\)/);
    assert.match(stdout, /across +4 +100\.0% +100\.0%/);
    assert.match(stdout, /Strangers: .* of 4/);
    await writeFile(path.join(folder, 'classes/across/broken.png'), 'no picture');
    const failed = await run('node', [...command, '--json']).catch((error) => error);
    assert.equal(failed.code, 1, 'one could not be read');
    assert.match(failed.stderr, /broken\.png: .*\n.*1 of 13 could not be read/);
    assert.deepEqual(JSON.parse(failed.stdout).accuracy.of, 12);

    // The manual's script, on the network of train/.
    const python = process.env.PYTHON ?? 'python3';
    const torch = await run(python, ['-c', 'import torch, safetensors']).catch(() => undefined);
    if (!torch) {
      t.diagnostic('PyTorch is not here (PYTHON names another one): the manual’s script was not run');
      return;
    }
    const manual = await readFile(path.join(repository, 'www/lib/README.md'), 'utf8');
    const [, script] = manual.match(/```python\n([^]*?)```/);
    const compared = `${script}\nprint(json.dumps([logits[0].tolist(), config['golden']]))\n`;
    const printed = await run(python, ['-c', compared], {
      cwd: repository,
      env: { ...process.env, MODEL: model, PYTHONPATH: path.join(repository, 'train') },
    });
    const [logits, golden] = JSON.parse(printed.stdout);
    const largest = Math.max(...golden.map(Math.abs));
    logits.forEach((logit, i) => assert.ok(Math.abs(logit - golden[i]) <= 1e-5 * largest, `logit ${i}: ${logit}`));
  });
});

// The model that `load()` takes and the page begins with, on the site as it is shipped: what is fetched for it, what it
// says of the samples, and every view of the explorer on its integers.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { pageMounts, repository, serve } from '../../tools/serve.mjs';
import { defaultModel } from '../../www/lib/default-model.js';
import { load } from '../../dist/site/lib/node.js';

const inRepository = (...names) => path.join(repository, ...names);
const { files } = JSON.parse(await readFile(inRepository('tests/golden/default.json'), 'utf8'));
const samples = JSON.parse(await readFile(inRepository('www/samples/samples.json'), 'utf8'));
const goldenOf = (name) => files.find(({ file }) => path.basename(file) === name).top;

/**
 * Labels are those of the floats in PyTorch, where these put the first far enough before the second for eight bits to
 * keep them apart: the int8 file's logits are off by a third of a logit at most on these pictures.
 */
const CLEAR = Math.exp(0.7);
const isClear = ([first, second]) => first.probability > CLEAR * second.probability;

let server;
let browser;
let page;
const complaints = [];

before(async () => {
  server = await serve(null, { mounts: { ...pageMounts, '/blank/': inRepository('tests/web/blank') } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  await page?.context().close();
  page = undefined;
  assert.deepEqual(complaints.splice(0), [], 'the page complained in the console');
});

async function open(address) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${server.url}${address}`);
}

test('it has eight bits, a few megabytes, its own golden logits and a rule for what it knows', async () => {
  assert.ok((await stat(inRepository('models', defaultModel))).size <= 5.6e6);
  for (const options of [{}, { flavour: 'fixed-int8' }, { precision: 'f32' }]) {
    const net = await load(options);
    const { precision, labels, known, flavour } = net.info;
    assert.equal(labels.length, 498);
    assert.ok(known.threshold > 0);
    assert.equal(precision, options.precision ?? 'int8');
    if (precision === 'int8') {
      assert.match(flavour, /-int8$/);
      const { passed, worstError } = await net.selfTest();
      assert.ok(passed, `${flavour} is off by ${worstError}`);
    } else {
      // Golden logits are the integers'.
      await assert.rejects(net.selfTest(), { code: 'unsupported' });
    }
    net.dispose();
  }
});

test('it comes with one engine, and names the samples as its floats do in PyTorch', async () => {
  await open('blank/');
  const fetched = [];
  page.on('request', (request) => request.url().endsWith('.wasm') && fetched.push(request.url()));
  const answers = await page.evaluate(
    async (names) => {
      const { load } = await import('/lib/index.js');
      const net = await load();
      return net.classify(names.map((name) => `/samples/${name}`));
    },
    samples.map(({ file }) => file),
  );
  assert.equal(fetched.length, 1, String(fetched));
  let clear = 0;
  answers.forEach(({ top, known, unsure }, i) => {
    const { file } = samples[i];
    assert.ok(known >= 0 && known <= 1 && typeof unsure === 'boolean');
    if (!isClear(goldenOf(file))) return;
    assert.equal(top[0].label, goldenOf(file)[0].label, file);
    clear += 1;
  });
  assert.ok(clear >= 4, `${clear} samples are clear`);
});

test('every view of the page works on its integers', async () => {
  await open('');
  await page.locator('#stage-note', { hasText: 'By chance' }).waitFor();
  assert.equal(await page.locator('.top .label').first().textContent(), goldenOf('cat.jpg')[0].label);
  assert.equal(await page.textContent('#verdict'), goldenOf('cat.jpg')[0].label);
  for (const [key, tab, sign] of [
    ['2', 'ghost', '#path-ghost [role="grid"]'],
    ['3', 'similarity', 'gg-similarity canvas'],
    ['4', 'numbers', '#cost .amount'],
    ['1', 'twins', '#last [role="grid"]'],
  ]) {
    await page.keyboard.press(key);
    await page.locator(`#tab-${tab}[aria-selected="true"]`).waitFor();
    await page.locator(sign).first().waitFor();
  }
  const answers = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load();
    const { ghostPath, blocks } = net.info.stages[2];
    const { maps, top } = await net.features('/samples/cat.jpg', { stage: 3 });
    const { weight } = await net.weights(ghostPath.step);
    const others = [];
    for (const part of [{ stage: 3, ghost: 'off' }, { channels: [{ tap: blocks.at(-1), channel: 3 }] }]) {
      const other = await net.ablated(part);
      others.push((await other.classify('/samples/cat.jpg')).top[0].probability);
    }
    const random = await net.randomTwin();
    await random.classify('/samples/cat.jpg');
    const finite = [...Object.values(maps).map(({ data }) => data), weight].every((data) =>
      data.every(Number.isFinite),
    );
    return { finite, own: top[0].probability, others };
  });
  assert.ok(answers.finite);
  answers.others.forEach((other) => assert.ok(other > 0 && other !== answers.own, String(other)));
});

test('what it does not know is said kindly, in English and in Chinese', async () => {
  const strange = samples.find(({ file }) => file === 'bricks.jpg').file;
  for (const [language, words, note] of [
    ['en', 'Not sure I know this', /nothing this model learned/],
    ['zh', '这个我可能不认识', /不太像/],
  ]) {
    await open(`#sample=${strange}&language=${language}`);
    await page.locator('#verdict', { hasText: words }).waitFor();
    assert.match(await page.textContent('#answer-note'), note);
    await page.context().close();
  }
  page = undefined;
});

// Classifies pictures with the product's own engine, without a window.
//   node tools/classify.mjs [--model FILE] [--backend wasm|webgpu] [--top N] [--json] PHOTO|FOLDER...
//   node tools/classify.mjs --accuracy [--model FILE] [--backend wasm|webgpu] [--json] FOLDER
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { classifyAll, classifyPictures, openWasm, picturesIn, run, topOf, UsageError } from '../www/lib/cli.js';
import { defaultModel } from '../www/lib/default-model.js';
import { launch } from './browser.mjs';
import { repository, servePage } from './serve.mjs';

const usage = `usage: ./build.sh classify [--model FILE] [--backend wasm|webgpu] [--top N] [--json] PHOTO|FOLDER...
       ./build.sh accuracy [--model FILE] [--backend wasm|webgpu] [--json] FOLDER

classify prints the most probable classes of each picture; --json prints an array of { file, top: [{ label, index, probability }], known, unsure }.
accuracy takes a folder with one folder of pictures for each class, named by its label
(or by the columns "label" and "folder" of a file classes.tsv in it), and prints top-1 and top-5.`;

/** In Chromium, which decodes the pictures too. */
async function openWebgpu(model, topK) {
  const server = await servePage();
  const browser = await launch({ webgpu: true });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(new URL('samples/samples.json', server.url).href); // any document of the same origin
    const given = new Map([['model', model]]);
    await page.route('**/given/*', async (route) => {
      const body = await readFile(given.get(path.basename(new URL(route.request().url()).pathname)));
      await route.fulfill({ body, contentType: 'application/octet-stream' });
    });
    const labels = await page.evaluate(async () => {
      const { load } = await import('/lib/index.js');
      globalThis.net = await load({ model: '/given/model', backend: 'webgpu' });
      return globalThis.net.info.labels;
    });
    let count = 0;
    const classify = async (file) => {
      await stat(file);
      const name = String(++count);
      given.set(name, file);
      const answer = await page.evaluate(
        ([name, topK]) => globalThis.net.classify(`/given/${name}`, { topK }).catch(({ message }) => ({ message })),
        [name, topK],
      );
      given.delete(name);
      if (answer.message) throw new Error(answer.message);
      return { top: answer.top, known: answer.known, unsure: answer.unsure };
    };
    return { labels, classify, close };
  } catch (error) {
    await close();
    // The page's error arrives with its stack in the message.
    throw new Error(error.message.replace(/^page\.evaluate: (\w+Error: )?/, '').split('\n')[0], { cause: error });
  }
}

// --- Accuracy ---

const percent = (part) => `${(100 * part).toFixed(2)} %`;

/** File -> index of its class. */
async function classOfEachPicture(folder, labels) {
  const plain = (text) => text.toLowerCase().replaceAll('_', ' ').trim();
  const indices = new Map(labels.map((label, index) => [plain(label), index]));
  const named = existsSync(path.join(folder, 'classes.tsv')) ? await readTsv(path.join(folder, 'classes.tsv')) : [];
  const inside = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const truth = new Map();
  for (const name of inside.sort()) {
    const files = await picturesIn(path.join(folder, name));
    const label = named.find((row) => row.folder === name)?.label ?? name;
    const index = indices.get(plain(label)) ?? indices.get(plain(name));
    if (files.length && index === undefined) {
      throw new Error(
        `the folder ${name} is none of the model's classes: expected ${labels.join(', ')}, or a file classes.tsv with the columns label and folder`,
      );
    }
    for (const file of files) truth.set(file, index);
  }
  return truth;
}

async function readTsv(file) {
  const [head, ...rows] = (await readFile(file, 'utf8'))
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.split('\t'));
  return rows.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i]])));
}

/** Wilson's 95 % interval of a proportion. */
function interval(hits, n) {
  const z = 1.959964;
  const p = hits / n;
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  return [middle - half, middle + half];
}

async function measureAccuracy(classifier, folder, { json }) {
  const truth = await classOfEachPicture(folder, classifier.labels);
  if (truth.size === 0) throw new Error(`there are no pictures in the folders of ${folder}`);

  const counts = classifier.labels.map((label) => ({ label, pictures: 0, top1: 0, top5: 0 }));
  const failed = await classifyAll(classifier, [...truth.keys()], (file, { top }) => {
    const index = truth.get(file);
    const rank = top.findIndex((entry) => entry.index === index);
    counts[index].pictures += 1;
    counts[index].top1 += rank === 0;
    counts[index].top5 += rank >= 0 && rank < 5;
  });
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  const n = sum('pictures');
  const rate = (key) => ({ rate: sum(key) / n, interval: interval(sum(key), n) });
  const result = {
    pictures: n,
    top1: rate('top1'),
    top5: rate('top5'),
    classes: counts.filter(({ pictures }) => pictures),
  };
  if (json) console.log(JSON.stringify(result, null, 2));
  else {
    const width = Math.max(...result.classes.map(({ label }) => label.length));
    for (const { label, pictures, top1 } of result.classes) {
      console.log(
        `${label.padEnd(width)}  ${String(pictures).padStart(5)} pictures  top-1 ${percent(top1 / pictures)}`,
      );
    }
    for (const [name, { rate, interval }] of [
      ['top-1', result.top1],
      ['top-5', result.top5],
    ]) {
      console.log(
        `${name} ${percent(rate)} of ${n} pictures (95 % interval ${percent(interval[0])} to ${percent(interval[1])})`,
      );
    }
  }
  return failed ? 1 : 0;
}

// --- Command line ---

run('classify', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      accuracy: { type: 'boolean', default: false },
      backend: { type: 'string', default: 'wasm' },
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'boolean', default: false },
      model: { type: 'string', default: path.join(repository, 'models', defaultModel) },
      top: { type: 'string', default: '5' },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const top = topOf(values.top);
  if (!['wasm', 'webgpu'].includes(values.backend))
    throw new UsageError(`--backend takes wasm or webgpu, not ${values.backend}`);
  if (positionals.length === 0 || (values.accuracy && positionals.length > 1)) throw new UsageError(usage);
  const model = path.resolve(values.model);
  const wasmUrl = path.join(repository, 'dist/wasm');
  const open = () => (values.backend === 'wasm' ? openWasm(model, top, { wasmUrl }) : openWebgpu(model, top));
  if (!values.accuracy) return classifyPictures(open, positionals, values);
  const classifier = await open();
  try {
    return await measureAccuracy(classifier, positionals[0], values);
  } finally {
    await classifier.close();
  }
});

#!/usr/bin/env node
/**
 * @file The command `g-ghostnet`: pictures classified in a terminal.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load, readImage } from './node.js';

const usage = `usage: g-ghostnet classify [--model FILE [--weights NAME]] [--top N] [--json] PHOTO|FOLDER...
       g-ghostnet shard --model FILE [--megabytes N] FOLDER

classify prints the most probable classes of each picture; --weights ema takes a moving average first.
--json prints an array of { file, top: [{ label, index, probability }] }.
shard splits a model into parts (20 megabytes by default) and writes them and their manifest into a folder.`;

/** A command line that is not understood; `message` is what to print. */
export class UsageError extends Error {}

const pictureNames = /\.(jpe?g|png|webp|gif|avif|bmp|tiff?)$/i;
/** Pictures that are read and decoded while another is classified. */
const AHEAD = 4;

// --- Pictures ---

/** The pictures below a folder, sorted. */
export async function picturesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && pictureNames.test(entry.name));
  return files.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name)).sort();
}

/** @returns {Promise<{ files: string[], problems: { file: string, message: string }[] }>} */
async function expand(names) {
  const files = [];
  const problems = [];
  for (const name of names) {
    const found = await stat(name).catch(() => null);
    if (!found) problems.push({ file: name, message: 'There is no such file or folder.' });
    else if (!found.isDirectory()) files.push(name);
    else {
      const inside = await picturesIn(name);
      if (inside.length === 0) problems.push({ file: name, message: 'The folder has no pictures.' });
      files.push(...inside);
    }
  }
  return { files, problems };
}

// --- Classifiers: { labels, classify(file) -> top, close() } ---

/** The engine in this process. */
export async function openWasm(model, topK, { wasmUrl, weights } = {}) {
  const net = await load({ model, weights, backend: 'wasm', wasmUrl });
  return {
    labels: net.info.labels,
    classify: async (file) => (await net.classify(await readImage(file), { topK })).top,
    close: () => net.dispose(),
  };
}

// --- Output ---

const printable = (text) => text.replace(/[\x00-\x1f\x7f]/g, '?');

function table(file, top) {
  const width = Math.max(...top.map(({ label }) => label.length));
  const lines = top.map(({ label, probability }) => {
    const bar = '█'.repeat(Math.round(probability * 30));
    return `  ${label.padEnd(width)}  ${(100 * probability).toFixed(1).padStart(5)} %  ${bar}`;
  });
  return [printable(file), ...lines, ''].join('\n');
}

/** A bar on a terminal's standard error; nothing elsewhere. */
function progressBar(total) {
  const shown = process.stderr.isTTY && total > 1;
  const begin = Date.now();
  const clear = () => shown && process.stderr.write('\r\x1b[K');
  return {
    clear,
    at(done) {
      if (!shown) return;
      const filled = Math.round((30 * done) / total);
      const left = done ? Math.round(((Date.now() - begin) / 1000 / done) * (total - done)) : 0;
      process.stderr.write(`\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${done} of ${total}, ${left} s left`);
    },
  };
}

/**
 * Classifies files in order.
 * @param {(file: string, top: object[]) => void} onTop
 * @returns {Promise<number>} how many could not be read; each was reported on standard error
 */
export async function classifyAll(classifier, files, onTop) {
  const bar = progressBar(files.length);
  const begun = [];
  let failed = 0;
  for (let i = 0; i < files.length; i++) {
    while (begun.length < Math.min(files.length, i + AHEAD)) {
      const answer = classifier.classify(files[begun.length]);
      answer.catch(() => {}); // reported in its turn
      begun.push(answer);
    }
    const answer = begun[i];
    begun[i] = undefined;
    try {
      const top = await answer;
      bar.clear();
      onTop(files[i], top);
    } catch (error) {
      bar.clear();
      report(files[i], readable(error));
      failed += 1;
    }
    bar.at(i + 1);
  }
  bar.clear();
  return failed;
}

const readable = (error) =>
  ({ EACCES: 'It may not be read: check its permissions.', EISDIR: 'It is a folder.', ENOENT: 'It is not there any more.' })[error.code] ?? error.message;

const report = (file, message) => console.error(`${printable(file)}: ${message}`);

/** @returns {Promise<number>} the exit code */
export async function classifyPictures(classifier, names, { json }) {
  const { files, problems } = await expand(names);
  for (const { file, message } of problems) report(file, message);
  const answers = [];
  const failed = await classifyAll(classifier, files, (file, top) => (json ? answers.push({ file, top }) : console.log(table(file, top))));
  if (json) console.log(JSON.stringify(answers, null, 2));
  const unread = failed + problems.length;
  if (unread) console.error(`${unread} of ${files.length + problems.length} could not be read.`);
  return unread ? 1 : 0;
}

/** Writes a model's parts, named by their hashes, and the manifest that `load` takes. */
async function shard(model, folder, megabytes) {
  if (!(megabytes > 0)) throw new UsageError('--megabytes takes a number above zero');
  const bytes = await readFile(model);
  const name = path.basename(model).replace(/\.[^.]*$/, '');
  const step = Math.ceil(megabytes * 1e6);
  await mkdir(folder, { recursive: true });
  const files = [];
  for (let offset = 0; offset < bytes.length; offset += step) {
    const part = bytes.subarray(offset, offset + step);
    const sha256 = createHash('sha256').update(part).digest('hex');
    files.push({ path: `${name}.${sha256.slice(0, 12)}.bin`, bytes: part.length, sha256 });
    await writeFile(path.join(folder, files.at(-1).path), part);
  }
  const manifest = path.join(folder, `${name}.json`);
  await writeFile(manifest, `${JSON.stringify({ files }, null, 2)}\n`);
  console.log(manifest);
  return 0;
}

/** `--top`'s number. */
export function topOf(text) {
  const top = Number(text);
  if (!Number.isInteger(top) || top < 1) throw new UsageError(`--top takes a number from 1 on, not ${text}`);
  return top;
}

/** Runs a command line to its exit code. */
export function run(name, main) {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  main().then(
    (code) => (process.exitCode = code),
    (error) => {
      console.error(error instanceof UsageError ? error.message : `${name}: ${error.message}`);
      process.exitCode = 2;
    },
  );
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'boolean', default: false },
      megabytes: { type: 'string', default: '20' },
      model: { type: 'string' },
      top: { type: 'string', default: '5' },
      weights: { type: 'string' },
    },
  });
  const [command, ...names] = positionals;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (command === 'shard' && values.model && names.length === 1) return shard(values.model, names[0], Number(values.megabytes));
  if (command !== 'classify' || names.length === 0) throw new UsageError(usage);
  const classifier = await openWasm(values.model, topOf(values.top), { weights: values.weights });
  try {
    return await classifyPictures(classifier, names, values);
  } finally {
    classifier.close();
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) run('g-ghostnet', main);

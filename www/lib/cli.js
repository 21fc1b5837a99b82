#!/usr/bin/env node
/**
 * @file The command `g-ghostnet`: pictures classified, and classes taught, in a terminal.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { caught } from './errors.js';
import { openPool, threadsFor } from './pool.js';

const usage = `usage: g-ghostnet classify [--model FILE [--weights NAME]] [--top N] [--jobs N] [--json] PHOTO|FOLDER...
       g-ghostnet teach FOLDER -o MODEL [--model FILE] [--strangers FOLDER] [--jobs N] [--json]
       g-ghostnet shard --model FILE [--megabytes N] FOLDER

classify prints the most probable classes of each picture; --json prints an array of
{ file, top: [{ label, index, probability }], known, unsure }.
It says "not sure" where a picture may well show none of the model's classes.
--weights ema takes a moving average first.
It uses every core, or as many as --jobs says. Of folders it takes what is named as a picture, and follows links.
teach makes a model of a folder that has a folder of pictures for each class, on the features of another model, and prints
what it is worth: accuracy, confusion, learning curve, and how many strangers pass.
shard splits a model into parts (20 megabytes by default) and writes them and their manifest into a folder.`;

/** A command line that is not understood; `message` is what to print. */
export class UsageError extends Error {}

/** Names of pictures. One that cannot be read is reported, which is better than to leave it out. */
const pictureNames = /\.(jpe?g|jpe|jfif|png|apng|webp|gif|avif|bmp|ico|tiff?|hei[cf]|jxl)$/i;

// --- Pictures ---

/**
 * The files below a folder. Links are followed, and each folder is read once. Hidden files are left out, because systems
 * keep files of their own there (macOS its `._` files).
 * @param {string} folder
 * @returns {Promise<{ pictures: string[], others: string[] }>} both sorted
 */
async function filesIn(folder) {
  /** @type {{ pictures: string[], others: string[] }} */
  const found = { pictures: [], others: [] };
  const seen = new Set();
  const walk = async (/** @type {string} */ place) => {
    const real = await realpath(place);
    if (seen.has(real)) return;
    seen.add(real);
    for (const entry of await readdir(place, { withFileTypes: true })) {
      const file = path.join(place, entry.name);
      if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
      const kind = entry.isSymbolicLink() ? await stat(file).catch(() => undefined) : entry;
      if (kind?.isDirectory()) await walk(file);
      else (kind?.isFile() && pictureNames.test(entry.name) ? found.pictures : found.others).push(file);
    }
  };
  await walk(folder);
  return { pictures: found.pictures.sort(), others: found.others.sort() };
}

/** The pictures below a folder, sorted. @param {string} folder */
export const picturesIn = async (folder) => (await filesIn(folder)).pictures;

/**
 * Files, and those of folders; what is left out is said.
 * @param {string[]} names
 */
async function expand(names) {
  const files = [];
  /** @type {{ file: string, message: string }[]} */
  const problems = [];
  for (const name of names) {
    const found = await stat(name).catch(() => null);
    if (!found) problems.push({ file: name, message: 'There is no such file or folder.' });
    else if (!found.isDirectory()) files.push(name);
    else {
      const { pictures, others } = await filesIn(name);
      const left = others.length ? ` ${leftOut(others)}` : '';
      if (pictures.length === 0) problems.push({ file: name, message: `The folder has no pictures.${left}` });
      else if (left) report(name, left.trim());
      for (const picture of pictures) files.push(picture);
    }
  }
  return { files, problems };
}

/** Files by their endings, most first. @param {string[]} files */
function leftOut(files) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const file of files) {
    const ending = path.extname(file).toLowerCase() || 'without an ending';
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  const [first, ...rest] = [...counts].sort((a, b) => b[1] - a[1]).map(([ending, count]) => `${count} ${ending}`);
  const shown = [first, ...rest.slice(0, 4)].join(', ');
  const more = rest.length > 4 ? ', …' : '';
  return `${files.length} ${files.length === 1 ? 'file is' : 'files are'} left out: ${shown}${more}.`;
}

// --- Classifiers ---

/**
 * @typedef {import('./pool.js').Answer} Answer
 *
 * @typedef {object} Classifier
 * @property {number} [ahead] files that it may be given before it has answered
 * @property {(file: string) => Promise<Answer>} classify
 * @property {() => Promise<unknown>} close
 */

/**
 * The engine in threads of this process.
 * @param {string | undefined} model
 * @param {number} topK
 * @param {{ wasmUrl?: string, weights?: string, jobs?: number }} [options] `jobs` is how many
 */
export const openWasm = (model, topK, { wasmUrl, weights, jobs = threadsFor(Infinity) } = {}) =>
  openPool(jobs, { model, weights, wasmUrl, topK });

// --- Output ---

/** @param {string} text */
const printable = (text) => text.replace(/[\x00-\x1f\x7f]/g, '?');

/** @param {string} file @param {Answer} answer */
function table(file, { top, unsure }) {
  const width = Math.max(...top.map(({ label }) => label.length));
  const lines = top.map(({ label, probability }) => {
    const bar = '█'.repeat(Math.round(probability * 30));
    return `  ${label.padEnd(width)}  ${(100 * probability).toFixed(1).padStart(5)} %  ${bar}`;
  });
  const doubt = unsure ? '  (not sure: it may be none of the classes)' : '';
  return [printable(file) + doubt, ...lines, ''].join('\n');
}

/** A bar on a terminal's standard error; nothing elsewhere. @param {number} total */
function progressBar(total) {
  const shown = process.stderr.isTTY && total > 1;
  const begin = Date.now();
  const clear = () => shown && process.stderr.write('\r\x1b[K');
  return {
    clear,
    /** @param {number} done */
    at(done) {
      if (!shown) return;
      const filled = Math.round((30 * done) / total);
      const left = done ? Math.round(((Date.now() - begin) / 1000 / done) * (total - done)) : 0;
      process.stderr.write(
        `\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${done} of ${total}, ${left} s left`,
      );
    },
  };
}

/**
 * Classifies files in order, as many beside each other as the classifier takes.
 * @param {Classifier} classifier
 * @param {string[]} files
 * @param {(file: string, answer: Answer) => void} onAnswer
 * @returns {Promise<number>} how many could not be read; each was reported on standard error
 */
export async function classifyAll(classifier, files, onAnswer) {
  const bar = progressBar(files.length);
  const { ahead = 4 } = classifier;
  /** @type {Promise<Answer>[]} */
  const begun = [];
  let next = 0;
  let failed = 0;
  for (const [i, file] of files.entries()) {
    for (; next < Math.min(files.length, i + ahead); next++) {
      const answer = classifier.classify(files[next]);
      answer.catch(() => {}); // reported in its turn
      begun.push(answer);
    }
    try {
      const answer = await /** @type {Promise<Answer>} */ (begun.shift());
      bar.clear();
      onAnswer(file, answer);
    } catch (error) {
      bar.clear();
      report(file, caught(error).message);
      failed += 1;
    }
    bar.at(i + 1);
  }
  bar.clear();
  return failed;
}

/** @param {string} file @param {string} [message] */
const report = (file, message) => console.error(`${printable(file)}: ${message}`);

/** Prints a JSON array one element after the other, so that nothing is held. */
function jsonArray() {
  let count = 0;
  return {
    /** @param {object} value */
    add(value) {
      process.stdout.write(`${count++ ? ',' : '['}\n${JSON.stringify(value, null, 2).replace(/^/gm, '  ')}`);
    },
    end: () => console.log(count ? '\n]' : '[]'),
  };
}

/**
 * Classifies and prints.
 * @param {(pictures: number) => Promise<Classifier>} open
 * @param {string[]} names of files and folders
 * @param {{ json: boolean }} options
 * @returns {Promise<number>} the exit code
 */
export async function classifyPictures(open, names, { json }) {
  const { files, problems } = await expand(names);
  for (const { file, message } of problems) report(file, message);
  const classifier = await open(files.length);
  const array = jsonArray();
  let failed;
  try {
    failed = await classifyAll(classifier, files, (file, answer) =>
      json ? array.add({ file, ...answer }) : console.log(table(file, answer)),
    );
  } finally {
    await classifier.close();
  }
  if (json) array.end();
  const unread = failed + problems.length;
  if (unread) console.error(`${unread} of ${files.length + problems.length} could not be read.`);
  return unread ? 1 : 0;
}

/**
 * Writes a model's parts, named by their hashes, and the manifest that `load` takes.
 * @param {string} model
 * @param {string} folder
 * @param {number} megabytes of a part
 */
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
    const file = `${name}.${sha256.slice(0, 12)}.bin`;
    files.push({ path: file, bytes: part.length, sha256 });
    await writeFile(path.join(folder, file), part);
  }
  const manifest = path.join(folder, `${name}.json`);
  await writeFile(manifest, `${JSON.stringify({ files }, null, 2)}\n`);
  console.log(manifest);
  return 0;
}

/** An option's number. @param {string} name @param {string} text */
function countOf(name, text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`${name} takes a number from 1 on, not ${text}`);
  return count;
}

/** `--top`'s number. */
export const topOf = (/** @type {string} */ text) => countOf('--top', text);

/** Runs a command line to its exit code. @param {string} name @param {() => Promise<number>} main */
export function run(name, main) {
  // Decoding has as many threads, of which libuv starts four by itself.
  process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, threadsFor(Infinity)));
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
    process.exit(error.code === 'EPIPE' ? 0 : 1),
  );
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
      jobs: { type: 'string' },
      json: { type: 'boolean', default: false },
      megabytes: { type: 'string', default: '20' },
      model: { type: 'string' },
      output: { type: 'string', short: 'o' },
      strangers: { type: 'string' },
      top: { type: 'string', default: '5' },
      weights: { type: 'string' },
    },
  });
  const [command, ...names] = positionals;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (command === 'shard' && values.model && names.length === 1)
    return shard(values.model, names[0], Number(values.megabytes));
  if (command === 'teach' && values.output && names.length === 1) {
    const { teachFolder } = await import('./cli-teach.js');
    const { output, model, strangers, json } = values;
    const jobs = values.jobs === undefined ? undefined : countOf('--jobs', values.jobs);
    return teachFolder(names[0], { output, model, strangers, jobs, json, picturesIn, report, progressBar });
  }
  if (command !== 'classify' || names.length === 0) throw new UsageError(usage);
  const top = topOf(values.top);
  const jobs = values.jobs === undefined ? undefined : countOf('--jobs', values.jobs);
  return classifyPictures(
    (pictures) => openWasm(values.model, top, { weights: values.weights, jobs: threadsFor(pictures, jobs) }),
    names,
    values,
  );
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) run('g-ghostnet', main);

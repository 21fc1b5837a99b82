// Prints what a visitor of the page downloads besides the model, and fails above a budget.
//   node tools/sizes.mjs BUDGET MODULE...   the budget in bytes after gzip, for the page with a flavour of the CPU
//                                           engine with integers, as the default model has them; those without, and
//                                           the parts that are fetched when they are needed, are listed
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { flavours } from '../www/lib/flavours.js';
import { scriptsFrom, whenNeeded } from './imports.mjs';
import { repository } from './serve.mjs';

const [budget, ...modules] = process.argv.slice(2);
const www = path.join(repository, 'dist/site');
const engines = path.join(www, 'wasm');

/** What the explorer adds after the first answer, in bytes after gzip: its scripts, packages and English words. */
const explorerBudget = 100000;

async function sizes(files) {
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  return [
    sum(contents.map((bytes) => bytes.length)),
    sum(contents.map((bytes) => gzipSync(bytes, { level: 9 }).length)),
  ];
}

const row = (...cells) =>
  console.log(cells.map((cell, i) => (i ? String(cell).padStart(12) : cell.padEnd(16))).join(''));
const app = path.join(www, 'app.js');
const first = await scriptsFrom([app], { workers: true });
const page = await sizes(first);
// Parts of the bundle, with the views and the English words.
const isExplorer = (name) => /-[A-Z0-9]{8}\.js$/.test(name) && !name.startsWith('./zh-');
/** Parts of the bundle that are imported when they are needed, and by those in turn. */
const explorer = new Set();
for (let parts = first; parts.length;) {
  const texts = await Promise.all(parts.map((file) => readFile(file, 'utf8')));
  const named = [...new Set(texts.flatMap(whenNeeded))].filter(isExplorer).map((name) => path.join(www, name));
  parts = (await scriptsFrom(named, { workers: true })).filter((file) => !first.includes(file) && !explorer.has(file));
  for (const file of parts) explorer.add(file);
}
const later = await sizes([...explorer]);
const tooLarge = later[1] > explorerBudget ? [`the explorer (its budget is ${explorerBudget})`] : [];

row('', 'raw', 'gzip', 'with page');
row('page scripts', ...page);
row('explorer', ...later);
for (const name of modules) {
  const folder = path.join(engines, name);
  const engine = await sizes([path.join(folder, 'g_ghostnet.js'), path.join(folder, 'g_ghostnet_bg.wasm')]);
  const total = engine[1] + page[1];
  const isFlavour = flavours.some((flavour) => flavour.name === name && flavour.integers);
  row(name, ...engine, isFlavour ? total : '');
  if (isFlavour && total > Number(budget)) tooLarge.push(name);
}
if (tooLarge.length) {
  console.error(
    `sizes: larger than the budget (${budget} bytes after gzip for the page with an engine): ${tooLarge.join(', ')}`,
  );
  process.exitCode = 1;
}

// Runs the benchmarks and writes docs/benchmarks.md: ./build.sh bench [MODELS] [--only SECTION,...]
// MODELS is a folder written by benches/export.py. What is not run again keeps its last numbers and their date
// (target/benchmarks.json).
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { findChromium } from './browser.mjs';
import { repository } from './serve.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const models = positionals[0] ?? 'target/bench';

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const block = (text) => `\`\`\`text\n${text.trim()}\n\`\`\``;

/** Each: what it is about, its command, and how its output becomes Markdown. */
const sections = {
  first: {
    title: 'From nothing to the first answer',
    words:
      'An empty cache, a line of 10 Mbit/s with 40 ms of latency (Chromium’s own throttling), scripts and engines compressed, the same weights in 32 bits, one thread.\n' +
      'The model is most of it; the bundled one has 7.1 MB, and weights in 16 bits halve the others too.',
    command: ['benches/first_answer.mjs', models, '--variants', '002', '--json'],
    format: (output) =>
      table(
        ['network', 'engine', 'first answer', 'engine and scripts', 'model'],
        JSON.parse(output).map(({ variant, engine, seconds, code, model }) => [
          variant,
          engine === 'ours' ? 'g-ghostnet, WebAssembly' : 'ONNX Runtime Web 1.30.0, WebAssembly',
          `${seconds.toFixed(1)} s`,
          `${(code / 1e3).toFixed(0)} kB`,
          `${(model / 1e6).toFixed(1)} MB`,
        ]),
      ),
  },
  wasm: {
    title: 'WebAssembly',
    words:
      'All engines in turn in one Chromium, five runs each, on the same weights and input, all logits checked against PyTorch’s; `ratio` is the median of the peer’s time over ours, run by run.\n' +
      'TensorFlow.js has no grouped convolution: one is made of a convolution for each group, of slices and a concatenation. tract is compiled with SIMD (`benches/tract`).',
    command: [
      'benches/wasm.mjs',
      models,
      '--variants',
      '002,008,032',
      '--threads',
      '1',
      '--runs',
      '9',
      '--peers',
      'ort,tensorflow,tract',
    ],
    format: block,
  },
  threads: {
    title: 'WebAssembly on two threads',
    words:
      'As before; the engines take turns of five runs, so that the threads of one do not look for work while the other computes.',
    command: ['benches/wasm.mjs', models, '--variants', '002,008,032', '--threads', '1,2', '--runs', '15'],
    format: block,
  },
  webgpu: {
    title: 'WebGPU',
    words:
      'On the software adapter of headless Chromium, which says little of a card: `cargo run --release --example gpu_bench -- 080 --batches 1,64` measures the card of a machine.',
    command: ['benches/webgpu.mjs', models, '--variants', '008', '--runs', '3'],
    format: block,
  },
};

const kept = path.join(repository, 'target/benchmarks.json');
const results = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : {};
const chosen = values.only?.split(',') ?? Object.keys(sections);
const unknown = chosen.filter((name) => !sections[name]);
if (unknown.length > 0) throw new Error(`there is no section ${unknown}: expected some of ${Object.keys(sections)}`);
if (!existsSync(path.join(repository, models))) {
  console.error(
    `bench: there is no folder ${models}: make one with \`python benches/export.py ${models}\` (it needs PyTorch), or name another`,
  );
  process.exit(2);
}
const chromium = spawnSync(findChromium(), ['--version'], { encoding: 'utf8' }).stdout.trim();
for (const name of chosen) {
  const { title, command } = sections[name];
  console.log(`== ${title}`);
  const { status, stdout } = spawnSync(process.execPath, command, {
    cwd: repository,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  });
  if (status !== 0) {
    console.error(`bench: node ${command.join(' ')} failed`);
    process.exit(1);
  }
  console.log(stdout);
  const machine = `${os.cpus().length} x ${os.cpus()[0].model.trim()}, ${os.type()}, ${chromium}`;
  results[name] = { output: stdout, machine, date: new Date().toISOString().slice(0, 10) };
  writeFileSync(kept, JSON.stringify(results, null, 1));
}

const page = [
  '# Benchmarks',
  'Written by `./build.sh bench`; each section names the command that repeats it, the machine and the day.\nTimes of different machines or days are not to be compared, ratios within a section are.',
  'Accuracy is on the page of [models](models.md), with its own commands.',
];
for (const [name, { title, words, command, format }] of Object.entries(sections)) {
  if (!results[name]) continue;
  const { output, machine, date } = results[name];
  page.push(`## ${title}`, words, format(output), `\`node ${command.join(' ')}\` on ${machine}, ${date}.`);
}
page.push('## Peers that are not here', 'LiteRT needs the network in a format of its own and was not measured.');
writeFileSync(path.join(repository, 'docs/benchmarks.md'), `${page.join('\n\n')}\n`);
console.log('docs/benchmarks.md is written.');

// Times the CPU engine against ONNX Runtime Web, TensorFlow.js and tract in WebAssembly, in turn in one worker of one
// headless Chromium, some runs each, on the same weights and input; checks all logits.
//
//   node benches/wasm.mjs MODELS [--variants 002,008,032,040] [--threads 1,2] [--runs 15] [--flavour relaxed]
//                         [--peers ort,tensorflow,tract] [--no-peer] [--int8] [--profile]
//
// MODELS is a folder written by benches/export.py. The peers need `npm ci --prefix benches`, tract
// (which has one thread) `./build.sh bench`; --int8 needs NAME-int8.safetensors of examples/quantize.rs beside the models.
// The peak is that of ten independent chains of multiply-adds in the same worker; it and the times of steps come from
// a module of their own (`./build.sh bench`), which computes floats by the same kernels.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { launch } from '../tools/browser.mjs';
import { repository, serve } from '../tools/serve.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    variants: { type: 'string', default: '002,008,032,040' },
    threads: { type: 'string', default: '1,2' },
    runs: { type: 'string', default: '15' },
    flavour: { type: 'string', default: 'relaxed' },
    peers: { type: 'string', default: 'ort' },
    'no-peer': { type: 'boolean', default: false },
    int8: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const models = path.resolve(positionals[0] ?? 'target/bench');
const runs = Number(values.runs);
const against = values['no-peer'] ? [] : values.peers.split(',');
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const fixed = (number, digits = 1) => number.toFixed(digits).padStart(7);
const names = { ort: 'ONNX Runtime', tensorflow: 'TensorFlow.js', tract: 'tract' };
const title = (name) => name[0].toUpperCase() + name.slice(1);

/** Milliseconds of warm-up an engine: the optimising compiler has threads of its own, which two cores would share. */
const WARM_UP = 1500;
/**
 * Runs of an engine before it is the next one's turn, after one that does not count: it wakes the engine's threads,
 * which may take Linux several milliseconds on two cores, and ends the other engine's looking for work.
 */
const IN_A_ROW = 5;
/** Largest error of logits, of the largest logit, that a float engine may have. */
const LIMIT = 1e-4;

const tensorflow = path.join(repository, 'target/tensorflow');
if (against.includes('tensorflow')) {
  await build({
    entryPoints: [path.join(repository, 'benches/tensorflow.js')],
    outdir: tensorflow,
    bundle: true,
    format: 'esm',
    logLevel: 'error',
  });
}

const server = await serve(path.join(repository, 'benches'), {
  mounts: {
    '/wasm/': path.join(repository, 'dist/wasm'),
    '/lib/': path.join(repository, 'www/lib'),
    '/models/': models,
    '/tensorflow/': tensorflow,
    '/tract/': path.join(repository, 'dist/tract'),
    '/node_modules/': path.join(repository, 'benches/node_modules'),
  },
});
const browser = await launch();

async function openPage() {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(String(error)));
  page.on('console', (message) => message.type() === 'error' && console.error(message.text()));
  await page.goto(new URL('wasm.html', server.url).href);
  await page.waitForFunction(() => window.ready);
  return { page, call: (...message) => page.evaluate((message) => window.call(...message), message) };
}

/** Runs of ours and each peer, after the optimising compilers are through. */
async function compare(variant, threads, { int8 = false } = {}) {
  const { page, call } = await openPage();
  await call('prepare', variant);
  const ending = threads > 1 ? '-threads' : '';
  const file = int8 ? `${variant}-int8` : variant;
  const info = await call('loadOurs', `${values.flavour}${int8 ? '-int8' : ''}${ending}`, file, threads);
  for (const peer of against) await call(`load${title(peer)}`, variant, threads);
  const engines = ['ours', ...against];
  const times = Object.fromEntries(engines.map((name) => [name, []]));
  const errors = Object.fromEntries(engines.map((name) => [name, 0]));
  const take = async (name) => {
    const { milliseconds, error } = await call(`run${title(name)}`);
    errors[name] = Math.max(errors[name], error);
    return milliseconds;
  };
  for (const name of engines) {
    for (const start = performance.now(); performance.now() < start + WARM_UP;) await take(name);
  }
  while (times.ours.length < runs) {
    for (const name of engines) {
      await take(name);
      for (let i = 0; i < IN_A_ROW; i++) times[name].push(await take(name));
    }
  }
  const peak = await call('peak', 'relaxed-profile');
  const ours = median(times.ours);
  const gflops = (2 * info.macs) / ours / 1e6;
  console.log(
    `${variant} x${threads} ${int8 ? 'int8' : 'f32 '}${fixed(ours)} ms (${fixed(gflops)} GFLOP/s of the direct form, ${((100 * gflops) / peak / threads).toFixed(0)}% of ${threads} x ${peak.toFixed(1)}), ` +
      `load ${info.milliseconds.toFixed(0)} + ${info.first.toFixed(0)} ms, memory ${(info.memory / 1e6).toFixed(1)} MB, ${(info.memoryBytes / 1e6).toFixed(1)} MB in use, off by ${errors.ours.toExponential(1)}` +
      against
        .map(
          (peer) =>
            `\n      ${names[peer].padEnd(14)}${fixed(median(times[peer]))} ms, ratio${fixed(median(times[peer].map((time, i) => time / times.ours[i])), 2)}, off by ${errors[peer].toExponential(1)}`,
        )
        .join(''),
  );
  // Weights of eight bits are another network; its accuracy is measured on pictures.
  for (const name of int8 ? against : engines) {
    if (errors[name] > LIMIT)
      throw new Error(`${variant}: the logits of ${name} are off by ${errors[name]} of the largest`);
  }
  await page.close();
  if (values.profile) printProfile(await profileOf(variant, `relaxed-profile${ending}`, file, threads), peak);
  return ours;
}

async function profileOf(variant, flavour, file, threads) {
  const { page, call } = await openPage();
  await call('prepare', variant);
  await call('loadOurs', flavour, file, threads);
  for (let i = 0; i < 6; i++) await call('runOurs');
  const profile = await call('profileOurs', runs);
  await page.close();
  return profile;
}

function printProfile(profile, peak) {
  const total = profile.reduce((sum, step) => sum + step.milliseconds, 0);
  const kinds = new Map();
  const line = (name, kernel, dims, macs, milliseconds) => {
    const rate = (2 * macs) / milliseconds / 1e6;
    console.log(
      `${name.padEnd(28)} ${kernel.padEnd(12)} ${dims.padEnd(16)} ${fixed(macs / 1e6)} MMAC ${fixed(milliseconds, 3)} ms ${fixed(rate)} GFLOP/s ${((100 * rate) / peak).toFixed(0).padStart(4)}%`,
    );
  };
  for (const { name, kernel, dims, macs, milliseconds } of profile) {
    const kind = kinds.get(kernel) ?? { macs: 0, milliseconds: 0 };
    kinds.set(kernel, { macs: kind.macs + macs, milliseconds: kind.milliseconds + milliseconds });
    line(name, kernel, dims.join(' x '), macs, milliseconds);
  }
  for (const [kernel, { macs, milliseconds }] of kinds)
    line('all', kernel, `${((100 * milliseconds) / total).toFixed(0)}% of the time`, macs, milliseconds);
}

try {
  for (const variant of values.variants.split(',')) {
    const alone = {};
    for (const threads of values.threads.split(',').map(Number)) {
      for (const int8 of values.int8 ? [false, true] : [false]) {
        const milliseconds = await compare(variant, threads, { int8 });
        if (threads === 1) alone[int8] = milliseconds;
        else if (alone[int8])
          console.log(`      ${threads} threads in 1/${(alone[int8] / milliseconds).toFixed(2)} of one's time`);
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}

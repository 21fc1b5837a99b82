// Times the WebGPU engine against ONNX Runtime Web's, in turn in one headless Chromium, on the same weights
// and input, and checks both logits.
//
//   node benches/webgpu.mjs MODELS [--variants 008,032] [--runs 5] [--flavour webgpu] [--hardware] [--no-peer]
//
// MODELS is a folder written by benches/export.py; the peer needs `npm ci --prefix benches`.
// Load and first run is what a visitor waits for once the files are there: weights, shaders and the first answer.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../tools/browser.mjs';
import { repository, serve } from '../tools/serve.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    variants: { type: 'string', default: '008,032' },
    runs: { type: 'string', default: '5' },
    flavour: { type: 'string', default: 'webgpu' },
    hardware: { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
  },
});
const models = path.resolve(positionals[0] ?? 'target/bench');
const runs = Number(values.runs);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const fixed = (number, digits = 0) => number.toFixed(digits).padStart(7);

const server = await serve(path.join(repository, 'benches'), {
  mounts: {
    '/wasm/': path.join(repository, 'dist/wasm'),
    '/lib/': path.join(repository, 'www/lib'),
    '/models/': models,
    '/node_modules/': path.join(repository, 'benches/node_modules'),
  },
});
const browser = await launch({ webgpu: values.hardware ? 'hardware' : true });

// Each engine has a page of its own, so that neither keeps the other's memory.
async function open(variant) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(String(error)));
  await page.goto(new URL('webgpu.html', server.url).href);
  await page.waitForFunction(() => window.ready);
  await page.evaluate((name) => window.prepare(name), variant);
  return page;
}

try {
  for (const variant of values.variants.split(',')) {
    const engines = [];
    const ours = await open(variant);
    const load = await ours.evaluate((args) => window.loadOurs(...args), [values.flavour, variant]);
    const run = () => ours.evaluate(() => window.runOurs());
    engines.push({ name: 'ours', page: ours, run, load: load.milliseconds, first: await run(), times: [], error: 0 });
    if (!values['no-peer']) {
      const peer = await open(variant);
      const { milliseconds } = await peer.evaluate((name) => window.loadPeer(name), variant);
      const runPeer = () => peer.evaluate(() => window.runPeer());
      engines.push({
        name: 'peer',
        page: peer,
        run: runPeer,
        load: milliseconds,
        first: await runPeer(),
        times: [],
        error: 0,
      });
    }
    for (let i = 0; i < runs; i++) {
      for (const engine of engines) {
        const { milliseconds, error } = await engine.run();
        engine.times.push(milliseconds);
        engine.error = Math.max(engine.error, error, engine.first.error);
      }
    }
    console.log(
      `${variant} at ${await ours.evaluate(() => window.sideOf())}, ${load.info.adapter}, median of ${runs} runs in turn`,
    );
    for (const { name, load, first, times, error } of engines) {
      console.log(
        `  ${name}: run ${fixed(median(times))} ms (fastest ${fixed(Math.min(...times))}), load ${fixed(load)} ms, ` +
          `load and first run ${fixed(load + first.milliseconds)} ms, error ${error.toExponential(1)}`,
      );
    }
    if (engines.length === 2) {
      const [a, b] = engines;
      console.log(
        `  peer / ours: run ${fixed(median(b.times) / median(a.times), 1)}, ` +
          `load and first run ${fixed((b.load + b.first.milliseconds) / (a.load + a.first.milliseconds), 1)}`,
      );
    }
    for (const { page, name, error } of engines) {
      await page.close();
      // The peer's own errors on some variants are shown above, ours are not allowed.
      if (name === 'ours' && !(error <= 1e-4)) throw new Error(`${variant}: logits are off by ${error} of the largest`);
    }
  }
} finally {
  await browser.close();
  await server.close();
}

// Times the CPU engine in Chromium, Firefox and WebKit on this machine, in turn, and says what each of them has:
// SIMD, relaxed SIMD, shared memory, WebGPU. Logits are checked against the fixed flavour in Node first.
//
//   node benches/engines.mjs [--model FILE] [--side 224] [--runs 15] [--rounds 3]
//
// WebKit has shared memory switched on here for the runs with two threads: its driver leaves it off, Safari has it.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../tools/browser.mjs';
import { pageMounts, repository, serve } from '../tools/serve.mjs';
import { load } from '../dist/site/lib/node.js';
import { launchEngine } from '../tests/web/support/webdriver.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(repository, 'models/g_ghost_regnetx_008-everyday.safetensors') },
    side: { type: 'string', default: '224' },
    runs: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
  },
});
const [side, runs, rounds] = [values.side, values.runs, values.rounds].map(Number);
/** Of the largest logit. */
const LIMIT = 1e-4;

const mounts = {
  ...pageMounts,
  '/blank/': path.join(repository, 'tests/web/blank'),
  '/measured/': path.dirname(path.resolve(values.model)),
};
const browsers = {
  Chromium: () => launch(),
  Firefox: () => launchEngine('Firefox'),
  WebKit: () => launchEngine('WebKit', { env: { JSC_useSharedArrayBuffer: '1' } }),
};

/** In the page: what the engine has. */
async function features() {
  const { flavours } = await import('/lib/flavours.js');
  const has = (name) => WebAssembly.validate(flavours.find((flavour) => flavour.name === name).probe);
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return {
    simd: has('fixed'),
    relaxed: has('relaxed'),
    isolated: globalThis.crossOriginIsolated === true,
    shared: typeof SharedArrayBuffer === 'function',
    webgpu: navigator.gpu ? (adapter ? 'adapter' : 'no adapter') : 'none',
    processors: navigator.hardwareConcurrency,
  };
}

/** In the page: milliseconds of some runs, after a second of them that does not count. */
async function measure({ model, side, runs, threads, flavour }) {
  const { load } = await import('/lib/index.js');
  const net = await load({ model, backend: 'wasm', threads, flavour });
  const { info } = net;
  const input = () => ({
    data: Float32Array.from({ length: 3 * side * side }, (_, i) => ((i * 7919) % 1024) / 256 - 2),
    dims: [1, 3, side, side],
  });
  let logits;
  for (const end = performance.now() + 1500; performance.now() < end;) ({ logits } = await net.forward(input()));
  const times = [];
  for (let i = 0; i < runs; i++) {
    const given = input();
    const begin = performance.now();
    await net.forward(given);
    times.push(performance.now() - begin);
  }
  net.dispose();
  return { times, logits, flavour: info.flavour, threads: info.threads };
}

async function reference() {
  const net = await load({ model: values.model, backend: 'wasm', flavour: 'fixed' });
  const data = Float32Array.from({ length: 3 * side * side }, (_, i) => ((i * 7919) % 1024) / 256 - 2);
  const { logits } = await net.forward({ data, dims: [1, 3, side, side] });
  net.dispose();
  return logits;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const expected = await reference();
const largest = Math.max(...expected.map(Math.abs));
const server = await serve(null, { mounts });
const found = new Map();
const opened = [];
try {
  for (const [name, start] of Object.entries(browsers)) {
    const browser = await start();
    opened.push(browser);
    const page = await browser.newPage();
    await page.goto(`${server.url}blank/`);
    found.set(name, { page, version: browser.version(), features: await page.evaluate(features), rows: new Map() });
    console.log(`${name} ${browser.version()}: ${JSON.stringify(found.get(name).features)}`);
  }
  const model = `/measured/${path.basename(values.model)}`;
  for (let round = 0; round < rounds; round++) {
    for (const [name, { page, rows, features }] of found) {
      for (const [threads, flavour] of [
        [1, 'fixed'],
        ...(features.relaxed ? [[1, 'relaxed']] : []),
        ...(features.shared ? [[2, undefined]] : []),
      ]) {
        const { times, logits, ...how } = await page.evaluate(measure, { model, side, runs, threads, flavour });
        const worst = Math.max(...logits.map((logit, i) => Math.abs(logit - expected[i])));
        if (worst > LIMIT * largest) throw new Error(`${name}, ${how.flavour}: logits are ${worst} off`);
        const row = `${how.flavour}, ${how.threads} thread${how.threads === 1 ? '' : 's'}`;
        rows.set(row, [...(rows.get(row) ?? []), ...times]);
      }
    }
  }
  for (const [name, { rows }] of found)
    for (const [row, times] of rows)
      console.log(
        `${name.padEnd(9)} ${row.padEnd(28)} ${median(times).toFixed(1)} ms, least ${Math.min(...times).toFixed(1)}`,
      );
} finally {
  for (const browser of opened) await browser.close();
  await server.close();
}

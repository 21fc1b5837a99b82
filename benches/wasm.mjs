// Times the CPU engine against ONNX Runtime Web's WASM back end, in turn in one headless Chromium, on the
// same weights and input, and checks both logits.
//
//   node benches/wasm.mjs MODELS [--variants 002,008,032,040] [--threads 1,2] [--runs 15]
//                         [--flavour relaxed] [--profile] [--no-peer]
//
// MODELS is a folder written by benches/export.py; the peer needs `npm ci --prefix benches`.
// The peak is that of 8 independent chains of multiply-adds in one page of the same browser.
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { launch } from '../tools/browser.mjs';
import { repository, serve } from '../tools/serve.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    variants: { type: 'string', default: '002,008,032,040' },
    threads: { type: 'string', default: '1,2' },
    runs: { type: 'string', default: '15' },
    flavour: { type: 'string', default: 'relaxed' },
    profile: { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
  },
});
const models = path.resolve(positionals[0] ?? 'target/bench');
const runs = Number(values.runs);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const fixed = (number, digits = 1) => number.toFixed(digits).padStart(8);

const server = await serve(path.join(repository, 'benches'), {
  mounts: {
    '/wasm/': path.join(repository, 'dist/wasm'),
    '/models/': models,
    '/node_modules/': path.join(repository, 'benches/node_modules'),
  },
});
const browser = await launch();
try {
  for (const threads of values.threads.split(',').map(Number)) {
    for (const variant of values.variants.split(',')) {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(String(error)));
      await page.goto(new URL('wasm.html', server.url).href);
      await page.waitForFunction(() => window.ready);
      await page.evaluate((name) => window.prepare(name), variant);
      const flavour = threads > 1 ? `${values.flavour}-threads` : values.flavour;
      const load = await page.evaluate((args) => window.loadOurs(...args), [flavour, variant, threads]);
      const info = await page.evaluate(() => window.infoOurs());
      if (!values['no-peer']) await page.evaluate((args) => window.loadPeer(...args), [variant, threads]);
      const times = { ours: [], peer: [], ratio: [] };
      let errors = [0, 0];
      // Warm-up runs of each until the optimising compiler is through, then pairs.
      for (let i = -6; i < runs; i++) {
        const ours = await page.evaluate(() => window.runOurs());
        const peer = values['no-peer'] ? { milliseconds: NaN, error: 0 } : await page.evaluate(() => window.runPeer());
        errors = [Math.max(errors[0], ours.error), Math.max(errors[1], peer.error)];
        if (i < 0) continue;
        times.ours.push(ours.milliseconds);
        times.peer.push(peer.milliseconds);
        times.ratio.push(peer.milliseconds / ours.milliseconds);
      }
      const peak = await page.evaluate(() => window.peak());
      const gflops = (2 * info.macs) / median(times.ours) / 1e6;
      console.log(
        `${variant} x${threads} ours${fixed(median(times.ours))} ms (${fixed(gflops)} GFLOP/s of the direct form, ${((100 * gflops) / peak / threads).toFixed(0)}% of ${threads} x ${peak.toFixed(1)}), ` +
          `peer${fixed(median(times.peer))} ms, ratio${fixed(median(times.ratio), 2)}, errors ${errors.map((e) => e.toExponential(1)).join(' ')}, ` +
          `load ${load.milliseconds.toFixed(0)} ms, memory ${(load.memory / 1e6).toFixed(0)} MB of which ${(info.memoryBytes / 1e6).toFixed(0)} MB in use`,
      );
      if (Math.max(...errors) > 1e-4) throw new Error(`${variant}: logits are off by ${errors} of the largest`);
      if (values.profile && threads === 1) {
        const profile = await page.evaluate((count) => window.profileOurs(count), runs);
        const total = profile.reduce((sum, step) => sum + step.milliseconds, 0);
        const kinds = new Map();
        for (const { name, kernel, dims, macs, milliseconds } of profile) {
          const kind = kinds.get(kernel) ?? { macs: 0, milliseconds: 0 };
          kinds.set(kernel, { macs: kind.macs + macs, milliseconds: kind.milliseconds + milliseconds });
          console.log(
            `${name.padEnd(28)} ${kernel.padEnd(10)} ${dims.join(' x ').padEnd(16)} ${fixed(macs / 1e6)} MMAC ` +
              `${fixed(milliseconds, 3)} ms ${fixed((2 * macs) / milliseconds / 1e6)} GFLOP/s`,
          );
        }
        for (const [kernel, { macs, milliseconds }] of kinds) {
          console.log(`= ${kernel.padEnd(10)} ${fixed(milliseconds, 2)} ms of ${fixed(total, 2)}, ${fixed((2 * macs) / milliseconds / 1e6)} GFLOP/s`);
        }
      }
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
}

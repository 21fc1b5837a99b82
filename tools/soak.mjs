// Classifies thousands of times in one page, on both engines, with lost devices in between: ./build.sh soak [N]
//   node tools/soak.mjs [N] [--webgpu PART]   PART of the calls go to the software GPU (default: 0.05, it is slow)
// Every answer must be the first one's, and memory, the page's heap and the engines' together, must stay within 5 % of
// what it was after the warm-up.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { launch } from './browser.mjs';
import { repository, serve, pageMounts } from './serve.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { webgpu: { type: 'string', default: '0.05' } },
});
const total = Number(positionals[0] ?? 10_000);
const gpuPart = Number(values.webgpu);
if (!(Number.isInteger(total) && total >= 100) || !(gpuPart >= 0 && gpuPart <= 1)) {
  console.error('usage: ./build.sh soak [N] [--webgpu PART]: N from 100 on, PART from 0 to 1');
  process.exit(2);
}
/** Devices are lost this often among the calls to the GPU. */
const LOSS_EVERY = 10;
const GROWTH = 1.05;
/**
 * After so many every path was compiled. What the page's heap grows by later is the machine code of its compiler alone:
 * heap snapshots before and after 200 calls differ in nothing else.
 */
const WARM_LOSSES = 5;
/** A model in floats: in eight bits the engines compute differently. */
const MODEL = '/models/g_ghost_regnetx_006-imagenette.safetensors';
/** Probabilities of one input differ by no more than this between the two engines: 1e-3, as in the page's tests. */
const AGREEMENT = 1e-3;

const samples = (await readdir(path.join(repository, 'www/samples')))
  .filter((file) => file.endsWith('.jpg'))
  .map((file) => `/samples/${file}`);
const photos = (await readdir(path.join(repository, 'tests/golden/photos'))).map((file) => `/photos/${file}`);
const server = await serve(null, {
  mounts: {
    ...pageMounts,
    '/blank/': path.join(repository, 'tests/web/blank'),
    '/photos/': path.join(repository, 'tests/golden/photos'),
    '/tools/': path.join(repository, 'tools'),
  },
});
const browser = await launch({ webgpu: true });
const failures = [];
try {
  const page = await browser.newPage();
  await page.goto(`${server.url}blank/`);
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.enable');
  await page.evaluate(
    async ([pictures, options]) => {
      const { Soak } = await import('/tools/soak-page.mjs');
      globalThis.soak = await Soak.open(pictures, options);
    },
    [[...samples, ...photos], { model: MODEL, gpuPart, agreement: AGREEMENT, lossEvery: LOSS_EVERY }],
  );

  /** The page's heap after a collection, and what the engines say they hold. */
  const memory = async (bytes) => {
    await client.send('HeapProfiler.collectGarbage');
    const { metrics } = await client.send('Performance.getMetrics');
    return { heap: metrics.find(({ name }) => name === 'JSHeapUsedSize').value, engines: bytes };
  };
  const start = performance.now();
  const step = Math.max(50, Math.ceil(total / 20));
  let base;
  let last;
  for (let done = 0; done < total && failures.length === 0;) {
    const times = Math.min(step, total - done);
    const result = await page.evaluate((times) => globalThis.soak.run(times), times);
    done += times;
    failures.push(...result.failures);
    const now = { ...(await memory(result.bytes)), done };
    const { calls, webgpu, losses, bad } = result.counts;
    // Every kind of input has passed, and every path through a lost device was compiled, before memory is compared.
    const warm =
      done >= Math.max(total / 10, 4 * (samples.length + photos.length)) && (losses >= WARM_LOSSES || gpuPart === 0);
    if (warm) base ??= now;
    const minutes = ((performance.now() - start) / 60e3).toFixed(1);
    console.log(
      `${calls} calls (${webgpu} on WebGPU, ${losses} lost devices, ${bad} bad files), ${minutes} min, heap ${(now.heap / 1e6).toFixed(2)} MB, engines ${(now.engines / 1e6).toFixed(2)} MB`,
    );
    if (base) {
      const [before, after] = [base, now].map(({ heap, engines }) => heap + engines);
      if (after > before * GROWTH) failures.push(`memory grew from ${before} to ${after} bytes`);
    }
    last = now;
  }
  if (!base) failures.push('too few calls to compare memory');
  else if (last.done > base.done)
    console.log(
      `The page's heap changed by ${((last.heap - base.heap) / (last.done - base.done)).toFixed(0)} bytes a call, the engines' memory by ${last.engines - base.engines} bytes in all.`,
    );
} finally {
  await browser.close();
  await server.close();
}
for (const failure of failures) console.error(`soak: ${failure}`);
console.log(
  failures.length === 0
    ? `All answers of ${total} calls equal the first ones, and memory is flat within 5 %.`
    : `soak: FAILED: ${failures.length} findings`,
);
process.exit(failures.length === 0 ? 0 : 1);

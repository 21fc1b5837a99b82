// Times `load()` on a warm HTTP cache to the first logits of the bundled model, on one thread in a worker, in headless
// Chromium: the whole, and the times of its phases.
//
//   node benches/load.mjs [--runs 15] [--flavour relaxed-int8] [--model FILE] [--json]
//
// The library is the shipped one in dist/site (./build.sh wasm). Each run is a page of its own; the first ones fill the
// caches, that of compiled code too.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../tools/browser.mjs';
import { pageMounts, repository, serve } from '../tools/serve.mjs';
import { defaultModel } from '../www/lib/default-model.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    flavour: { type: 'string', default: 'relaxed-int8' },
    model: { type: 'string', default: `models/${defaultModel}` },
    json: { type: 'boolean', default: false },
  },
});
const WARM_UP = 2;
const model = path.resolve(values.model);
const mounts = { ...pageMounts, '/blank/': path.join(repository, 'tests/web/blank'), '/given/': path.dirname(model) };
const server = await serve(null, { mounts, maxAge: 3600 });
const browser = await launch();
const times = [];
try {
  const context = await browser.newContext();
  for (let run = -WARM_UP; run < Number(values.runs); run++) {
    const page = await context.newPage();
    await page.goto(`${server.url}blank/`);
    // A new tab keeps the browser itself busy.
    await page.waitForTimeout(1000);
    const marks = await page.evaluate(
      async ({ model, flavour, stay }) => {
        const { load } = await import('/lib/index.js');
        const start = performance.now();
        const marks = {};
        const mark = (name) => (marks[name] ??= performance.now() - start);
        const net = await load({ model, flavour, backend: 'wasm', threads: 1, onProgress: ({ phase }) => mark(phase) });
        mark('loaded');
        const { side } = net.info.input;
        await net.forward({ data: new Float32Array(3 * side * side), dims: [1, 3, side, side] });
        mark('logits');
        if (stay) {
          // The optimised code is kept once there was none anew for two seconds.
          for (let run = 0; run < 40; run++)
            await net.forward({ data: new Float32Array(3 * side * side), dims: [1, 3, side, side] });
          await new Promise((resolve) => setTimeout(resolve, 3000));
        }
        net.dispose();
        return marks;
      },
      { model: `/given/${path.basename(model)}`, flavour: values.flavour, stay: run < 0 },
    );
    if (run >= 0) times.push(marks);
    await page.close();
  }
} finally {
  await browser.close();
  await server.close();
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const middle = (name) => median(times.map((marks) => marks[name]));
const row = {
  milliseconds: middle('logits'),
  started: middle('download'),
  fetched: middle('compile'),
  instance: middle('warm-up'),
  loaded: middle('loaded'),
};
if (values.json) console.log(JSON.stringify(row));
else {
  const part = (from, to) => (to - from).toFixed(0);
  console.log(
    `${row.milliseconds.toFixed(0)} ms from load() to the first logits: worker and scripts ${part(0, row.started)}, model and engine fetched and compiled ${part(row.started, row.fetched)}, ` +
      `instance ${part(row.fetched, row.instance)}, weights packed ${part(row.instance, row.loaded)}, first run ${part(row.loaded, row.milliseconds)}; ` +
      `all runs ${times.map(({ logits }) => logits.toFixed(0)).join(' ')}`,
  );
}

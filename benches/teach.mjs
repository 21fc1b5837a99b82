// How long classifiers take that are taught, and how much memory: made features, in Node, on one thread.
//   node benches/teach.mjs [--json]     after ./build.sh wasm
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { repository } from '../tools/serve.mjs';

const shipped = (name) => import(pathToFileURL(path.join(repository, 'dist/site', name)).href);
const { fetchOrRead } = await shipped('lib/disk.js');
await shipped('lib/node.js'); // it knows the modules' scripts
const { teachMethods } = await shipped('lib/teach-engine.js');
const glue = await shipped('wasm/teach/g_ghostnet.js');

/** Classes, pictures of each, features: those of the smallest and of a wide network. */
const sets = [
  [5, 10, 672],
  [50, 40, 672],
  [50, 40, 1008],
  [50, 200, 672],
];

let state = 1;
const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;

/** Features about a centre of the class, positive as those behind a ReLU are. */
function picture(centre) {
  return Float32Array.from(centre, (value) => Math.max(0, value + next() - 0.5));
}

const rows = [];
for (const [classes, each, width] of sets) {
  const progress = [];
  const teaching = teachMethods({ fetch: fetchOrRead, onProgress: () => progress.push(performance.now()) });
  await teaching.open({ width });
  const centres = Array.from({ length: classes }, () => Float32Array.from({ length: width }, () => next() * 0.6));
  const keys = centres.map((_, key) => key);
  let id = 0;
  for (let i = 0; i < each; i++)
    for (const [key, centre] of centres.entries())
      await teaching.add({ entries: [{ id: ++id, class: key }], features: picture(centre) });
  const timed = async (work) => {
    const begin = performance.now();
    const result = await work();
    return [performance.now() - begin, result];
  };
  const best = async (work) => Math.min(...[await timed(work), await timed(work), await timed(work)].map(([ms]) => ms));
  const [first] = await timed(() => teaching.fit({ classes: keys, penalty: 0.1 }));
  const anew = await best(async () => {
    await teaching.add({ entries: [{ id: ++id, class: 0 }], features: picture(centres[0]) });
    return teaching.fit({ classes: keys, penalty: 0.1 });
  });
  const report = await best(() => teaching.study({ classes: keys }));
  const { memory } = await glue.default();
  const longest = progress.slice(1).reduce((most, time, i) => Math.max(most, time - progress[i]), 0);
  rows.push({
    classes,
    pictures: classes * each,
    features: width,
    'first classifier, ms': Math.round(first),
    'anew after a picture, ms': Math.round(anew),
    'report, ms': Math.round(report),
    'longest step, ms': Math.round(Math.min(longest, report)),
    'memory, MB': Math.round(memory.buffer.byteLength / 1e6),
  });
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
else console.table(rows);

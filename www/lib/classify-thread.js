/**
 * @file A thread of the command: a net of its own. It tells its labels once, `{ labels }` or `{ error }`, and answers
 * `{ id, file }` with `{ id, answer }` or `{ id, error }`.
 */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { caught } from './errors.js';
import { load } from './node.js';
import { limitSharp } from './sharp.js';

/** @type {import('./pool.js').PoolOptions} */
const { topK, ...options } = workerData;
const parent = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

/** @param {unknown} error */
function told(error) {
  const { code, message } = caught(error);
  return { code, message };
}

// Each thread decodes one picture; more threads for one would take each other's cores.
await limitSharp();
const net = await load({ ...options, backend: 'wasm' }).catch((error) => {
  parent.postMessage({ error: told(error) });
});
if (net) {
  parent.on('message', async ({ id, file }) => {
    try {
      const { top, known, unsure } = await net.classify(pathToFileURL(file), { topK });
      parent.postMessage({ id, answer: { top, known, unsure } });
    } catch (error) {
      parent.postMessage({ id, error: told(error) });
    }
  });
  parent.postMessage({ labels: net.info.labels });
}

/**
 * @file A thread of the command: a net of its own. It tells its labels once, `{ labels }` or `{ error }`, and answers
 * `{ id, method, file }` with `{ id, answer }` or `{ id, error }`.
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
  /** @type {Record<string, (picture: URL) => Promise<unknown>>} */
  const methods = {
    async classify(picture) {
      const { top, known, unsure } = await net.classify(picture, { topK });
      return { top, known, unsure };
    },
    embed: (picture) => net.embed(picture),
  };
  parent.on('message', async ({ id, method, file }) => {
    try {
      parent.postMessage({ id, answer: await methods[method](pathToFileURL(file)) });
    } catch (error) {
      parent.postMessage({ id, error: told(error) });
    }
  });
  parent.postMessage({ labels: net.info.labels });
}

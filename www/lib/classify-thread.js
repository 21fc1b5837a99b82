/**
 * @file A thread of the command: a net of its own. It tells its labels once, `{ labels }` or `{ error }`, and answers
 * `{ id, file }` with `{ id, answer }` or `{ id, error }`.
 */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { limitSharp, load } from './node.js';

const { topK, ...options } = workerData;
const told = ({ code, message }) => ({ code, message });

// Each thread decodes one picture; more threads for one would take each other's cores.
await limitSharp();
const net = await load({ ...options, backend: 'wasm' }).catch((error) => {
  parentPort.postMessage({ error: told(error) });
});
if (net) {
  parentPort.on('message', async ({ id, file }) => {
    try {
      const { top, known, unsure } = await net.classify(pathToFileURL(file), { topK });
      parentPort.postMessage({ id, answer: { top, known, unsure } });
    } catch (error) {
      parentPort.postMessage({ id, error: told(error) });
    }
  });
  parentPort.postMessage({ labels: net.info.labels });
}

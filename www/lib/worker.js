/**
 * @file The worker: one engine, asked by messages `{ id, method, argument }`, answering `{ id, result }`,
 * `{ id, error }` or, while it loads, `{ progress }`.
 */
import { engineMethods } from './engine.js';

const methods = engineMethods({ onProgress: (progress) => postMessage({ progress }), ownWorker: true });

/** The buffers of a result, which move instead of being copied. */
const buffersOf = ({ logits, probabilities, taps = [] }) =>
  [logits, probabilities, ...taps.map((tap) => tap.data)].flatMap((array) => array?.buffer ?? []);

addEventListener('message', async ({ data: { id, method, argument } }) => {
  try {
    const result = await methods[method](argument);
    postMessage({ id, result }, buffersOf(result));
  } catch ({ code, message, stack }) {
    postMessage({ id, error: { code, message, stack } });
  }
});

postMessage({ started: true });

/**
 * @file The inside of a worker: answers messages `{ id, method, argument }` with `{ id, result }` or `{ id, error }`.
 */

import { caught } from './errors.js';

/** This realm, which is a worker's and no window. */
const port = /** @type {Pick<Worker, 'postMessage'>} */ (/** @type {unknown} */ (globalThis));

/** @param {import('./host.js').Methods} methods */
export function serve(methods) {
  addEventListener('message', async ({ data: { id, method, argument } }) => {
    try {
      const result = await methods[method](argument);
      port.postMessage({ id, result }, [...buffersOf(result)]);
    } catch (error) {
      const { code, message, stack } = caught(error);
      port.postMessage({ id, error: { code, message, stack } });
    }
  });
  port.postMessage({ started: true });
}

/**
 * The buffers and bitmaps of a result, which move instead of being copied.
 * @param {unknown} value
 * @param {Set<Transferable>} [found]
 */
function buffersOf(value, found = new Set()) {
  if (ArrayBuffer.isView(value)) found.add(/** @type {ArrayBuffer} */ (value.buffer));
  else if (typeof ImageBitmap === 'function' && value instanceof ImageBitmap) found.add(value);
  else if (Object.getPrototypeOf(value ?? 0) === Object.prototype || Array.isArray(value))
    for (const part of Object.values(/** @type {object} */ (value))) buffersOf(part, found);
  return found;
}

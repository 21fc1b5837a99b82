/**
 * @file The inside of a worker: answers messages `{ id, method, argument }` with `{ id, result }` or `{ id, error }`.
 */

/** @param {Record<string, (argument: any) => any>} methods */
export function serve(methods) {
  addEventListener('message', async ({ data: { id, method, argument } }) => {
    try {
      const result = await methods[method](argument);
      postMessage({ id, result }, [...buffersOf(result)]);
    } catch ({ code, message, stack }) {
      postMessage({ id, error: { code, message, stack } });
    }
  });
  postMessage({ started: true });
}

/** The buffers and bitmaps of a result, which move instead of being copied. */
function buffersOf(value, found = new Set()) {
  if (ArrayBuffer.isView(value)) found.add(value.buffer);
  else if (typeof ImageBitmap === 'function' && value instanceof ImageBitmap) found.add(value);
  else if (Object.getPrototypeOf(value ?? 0) === Object.prototype || Array.isArray(value))
    for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}

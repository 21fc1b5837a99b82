/**
 * @file A thread of the engine: an instance of its module on the shared memory. It answers once, `{}` or `{ error }`,
 * and then takes part in whatever the engine computes until it is terminated.
 */
import { caught } from './errors.js';
import { importScript } from './script.js';

addEventListener(
  'message',
  async ({ data: { script, flavour, module, memory } }) => {
    let glue;
    try {
      glue = await importScript(new URL(script), flavour);
      await glue.default({ module_or_path: module, memory });
    } catch (error) {
      postMessage({ error: caught(error).message });
      return;
    }
    postMessage({});
    try {
      glue.runThread();
    } finally {
      // It ends by a trap only, and then the engine must not wait for it.
      glue.threadFailed();
    }
  },
  { once: true },
);

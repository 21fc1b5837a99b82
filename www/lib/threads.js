/** @file The engine's threads: workers that share its memory. */
import { caught, sentence } from './errors.js';
import { workerAt } from './workers.js';

/** What a worker may take until it answers, in milliseconds. */
const PATIENCE = 5000;

/**
 * Starts workers; all of them, or none and why. A worker that fails is not waited for.
 * @param {{ script: string, flavour: string, packageUrl?: string, module: WebAssembly.Module, glue: any,
 *   count: number }} engine `script` is the address of the flavour's script, `glue`
 * @returns {Promise<{ threads: number, reason?: string, end: () => void }>} all threads, the caller's own too
 */
export async function startThreads({ script, flavour, packageUrl, module, glue, count }) {
  /** @type {Worker[]} */
  const workers = [];
  const end = () => workers.forEach((worker) => worker.terminate());
  try {
    const started = Array.from({ length: count }, () => {
      const worker = openThread(packageUrl);
      workers.push(worker);
      return answerOf(worker, { script, flavour, module, memory: glue.sharedMemory() });
    });
    await Promise.all(started);
    glue.offerThreads(count);
    return { threads: count + 1, end };
  } catch (error) {
    end();
    // A worker may have been stopped while it had the memory's allocator.
    glue.__wbg_reset_state();
    return { threads: 1, reason: sentence(`Threads could not be started: ${caught(error).message}`), end() {} };
  }
}

/** @param {string} [packageUrl] */
function openThread(packageUrl) {
  return packageUrl
    ? workerAt(`${packageUrl}lib/thread.js`, 'g-ghostnet thread')
    : new Worker(new URL('./thread.js', import.meta.url), { type: 'module', name: 'g-ghostnet thread' });
}

/** @param {Worker} worker @param {object} message @returns {Promise<void>} */
function answerOf(worker, message) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`a worker did not answer within ${PATIENCE / 1000} s`)), PATIENCE);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message || 'the script of a worker could not be loaded'));
    };
    worker.onmessage = ({ data: { error } }) => (error ? reject(new Error(error)) : resolve());
    worker.addEventListener('message', () => clearTimeout(timer));
    worker.addEventListener('error', () => clearTimeout(timer));
    worker.postMessage(message);
  });
}

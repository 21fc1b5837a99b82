/**
 * @file Where an engine lives: in a worker, so that the page never waits, or in place.
 * Both answer `load`, `run`, `draw`, `selfTest` and `info`.
 */
import { GGhostError, throwIfAborted, untilAborted } from './errors.js';

/**
 * @typedef {object} Host
 * @property {boolean} worker
 * @property {(method: string, argument?: object, transfer?: Transferable[]) => Promise<any>} call
 * @property {() => void} close
 */

/**
 * @param {boolean | undefined} worker undefined: in a worker where that is possible
 * @param {{ signal?: AbortSignal, onProgress?: Function, fetch?: Function, decode?: Function }} hooks
 * @returns {Promise<Host>}
 */
export async function openHost(worker, hooks) {
  if (worker !== false && typeof Worker === 'function') {
    try {
      return await openWorker(hooks);
    } catch (error) {
      throwIfAborted(hooks.signal);
      if (worker) {
        throw new GGhostError('unsupported', 'The worker could not be started: its script must come from the page’s own site, and the content security policy must allow it (worker-src).', { cause: error });
      }
    }
  } else if (worker) {
    throw new GGhostError('unsupported', 'There are no workers here: leave the option worker out.');
  }
  return openInPlace(hooks);
}

async function openWorker({ signal, onProgress }) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet' });
  const waiting = new Map();
  let count = 0;
  const host = {
    worker: true,
    call: (method, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        waiting.set(++count, { resolve, reject });
        worker.postMessage({ id: count, method, argument }, transfer);
      }),
    close: () => worker.terminate(),
  };
  // A trap inside an awaited call never answers it, but surfaces here.
  const crash = (event) => {
    event.preventDefault?.();
    const error = new GGhostError('crashed', `The engine crashed (${event.message ?? 'its worker failed'}); the next call starts a fresh one.`);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const started = new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = (event) => {
      event.preventDefault?.();
      reject(new Error(event.message ?? 'the script of the worker could not be loaded'));
    };
  });
  try {
    await untilAborted(started, [signal]);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  worker.onerror = crash;
  worker.onmessageerror = crash;
  worker.onmessage = ({ data: { id, result, error, progress } }) => {
    if (progress) {
      onProgress?.(progress);
      return;
    }
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new GGhostError(error.code, error.message, { cause: error.stack }));
    else call?.resolve(result);
  };
  return host;
}

async function openInPlace(hooks) {
  const { engineMethods } = await import('./engine.js');
  const methods = engineMethods(hooks);
  return { worker: false, call: async (method, argument) => methods[method](argument), close: methods.close };
}

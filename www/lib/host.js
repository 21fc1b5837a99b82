/**
 * @file Where the work is done: in a worker, so that the page never waits, or in place. Both answer the same methods.
 */
import { GGhostError, throwIfAborted, untilAborted } from './errors.js';
import { tainted } from './image.js';
import { lazy } from './lazy.js';

/**
 * @typedef {object} Host
 * @property {boolean} worker
 * @property {(method: string, argument?: object, transfer?: Transferable[]) => Promise<any>} call
 * @property {() => void} close
 */

/**
 * @typedef {object} Place
 * @property {() => Worker} start
 * @property {(hooks: object) => Promise<object>} methods the same ones, in place
 */

/** An engine: `load`, `read`, `run`, `draw`, `selfTest` and `info`. @type {Place} */
export const engine = {
  start: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet' }),
  methods: async (hooks) => (await lazy.engine()).engineMethods(hooks),
};

/**
 * @param {Place} place
 * @param {boolean | undefined} worker undefined: in a worker where that is possible
 * @param {{ signal?: AbortSignal, onProgress?: Function, fetch?: Function, decode?: Function }} hooks
 * @returns {Promise<Host>}
 */
export async function openHost(place, worker, hooks) {
  if (worker !== false && typeof Worker === 'function') {
    try {
      return await openWorker(place, hooks);
    } catch (error) {
      throwIfAborted(hooks.signal);
      if (worker) {
        throw new GGhostError(
          'unsupported',
          'The worker could not be started: its script must come from the page’s own site, ' +
            'and the content security policy must allow it (worker-src).',
          { cause: error },
        );
      }
    }
  } else if (worker) {
    throw new GGhostError('unsupported', 'There are no workers here: leave the option worker out.');
  }
  const methods = await place.methods(hooks).catch((error) => {
    throw new GGhostError(...whyNoScript(error), { cause: error });
  });
  return { worker: false, call: async (method, argument) => methods[method](argument), close: methods.close };
}

/** Code and words for a script of the library that did not come. */
function whyNoScript({ message }) {
  if (/import\(\) is disallowed|ServiceWorkerGlobalScope/i.test(message)) {
    return [
      'unsupported',
      'Nothing can be imported later in a service worker: import g-ghostnet/service-worker there.',
    ];
  }
  return [
    'network',
    `A script of the library could not be loaded (${message}): check the connection, ` +
      'and that the scripts are deployed beside each other.',
  ];
}

async function openWorker(place, { signal, onProgress }) {
  const worker = place.start();
  const waiting = new Map();
  let count = 0;
  /** Why it answers no more. */
  let gone;
  const end = (error) => {
    gone = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const host = {
    worker: true,
    call: (method, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        if (gone) throw gone;
        // Pictures of other sites can be drawn and copied, and are refused only here.
        try {
          worker.postMessage({ id: ++count, method, argument }, transfer);
          waiting.set(count, { resolve, reject });
        } catch (error) {
          reject(argument?.source ? tainted(error) : error);
        }
      }),
    close: () => {
      worker.terminate();
      end(gone ?? new GGhostError('crashed', 'The engine was stopped; the next call starts a fresh one.'));
    },
  };
  // A trap inside an awaited call never answers it, but surfaces here.
  const crash = (event) => {
    event.preventDefault?.();
    end(
      new GGhostError(
        'crashed',
        `The engine crashed (${event.message ?? 'its worker failed'}); the next call starts a fresh one.`,
      ),
    );
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

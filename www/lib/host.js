/**
 * @file Where the work is done: in a worker, so that the page never waits, or in place. Both answer the same methods.
 */
import { caught, GGhostError, shortened, throwIfAborted, untilAborted } from './errors.js';
import { tainted } from './image.js';
import { lazyCalls } from './lazy.js';
import { packageFolder, workerAt } from './workers.js';

/**
 * @typedef {object} Host
 * @property {boolean} worker
 * @property {string} [workerReason] why it is none
 * @property {string} [packageUrl] the package's folder, where its script was taken from there
 * @property {(method: string, argument?: object, transfer?: Transferable[]) => Promise<any>} call what it answers is
 *   the method's own
 * @property {() => void} close
 *
 * @typedef {Record<string, (argument: any) => any>} Methods what a host answers, each with an argument of its own
 *
 * @typedef {import('./loading.js').Hooks & { packageUrl?: string }} HostHooks
 *
 * @typedef {{ id: number, result?: unknown, progress?: import('./index.d.ts').Progress,
 *   error?: { code: import('./index.d.ts').ErrorCode, message: string, stack?: string } }} Message of a worker
 */

/**
 * @typedef {object} Place
 * @property {() => Worker} start in the form that bundlers follow
 * @property {string} script of the worker, below the package's folder
 * @property {(hooks: HostHooks) => Promise<Methods & { close: () => void }>} methods the same ones, in place
 */

/** An engine: `load`, `read`, `run`, `draw`, `selfTest` and `info`. @type {Place} */
export const engine = {
  start: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet' }),
  script: 'lib/worker.js',
  methods: async (hooks) => (await lazyCalls.engine()).engineMethods(hooks),
};

/**
 * @param {Place} place
 * @param {boolean | undefined} worker undefined: in a worker where that is possible
 * @param {HostHooks} hooks
 * @returns {Promise<Host>}
 */
export async function openHost(place, worker, hooks) {
  let workerReason = 'None was asked for.';
  if (worker !== false && typeof Worker === 'function') {
    try {
      return await openWorker(place, hooks);
    } catch (error) {
      throwIfAborted(hooks.signal);
      const advice =
        'its script must be where the page’s own are, or can be imported, ' +
        'and the content security policy must allow it (worker-src).';
      workerReason = `The worker could not be started (${shortened(caught(error).message, 100)}): ${advice}`;
      if (worker) throw new GGhostError('unsupported', workerReason, { cause: error });
    }
  } else if (worker !== false) {
    workerReason = 'There are no workers here.';
    if (worker) throw new GGhostError('unsupported', 'There are no workers here: leave the option worker out.');
  }
  const methods = await place.methods(hooks).catch((error) => {
    throw new GGhostError(...whyNoScript(error), { cause: error });
  });
  /** @type {Host['call']} */
  const call = async (method, argument) => methods[method](argument);
  return { worker: false, workerReason, call, close: methods.close };
}

/**
 * Code and words for a script of the library that did not come.
 * @param {Error} error
 * @returns {[code: import('./index.d.ts').ErrorCode, message: string]}
 */
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

/**
 * By its address where that is known, which a page of another origin and a bundler without files need; else, and
 * then, as bundlers have written it.
 * @param {Place} place
 * @param {HostHooks} hooks
 * @returns {Promise<Host>}
 */
async function openWorker(place, { packageUrl, ...hooks }) {
  const folder = packageUrl ?? packageFolder();
  const byAddress = () => workerAt(folder + place.script, 'g-ghostnet');
  if (!folder) return connect(place.start, hooks);
  try {
    return Object.assign(await connect(byAddress, hooks), { packageUrl: folder });
  } catch (error) {
    throwIfAborted(hooks.signal);
    if (packageUrl) throw error;
    return connect(place.start, hooks);
  }
}

/**
 * Starts a worker and waits until it answers.
 * @param {() => Worker} start
 * @param {HostHooks} hooks
 */
async function connect(start, { signal, onProgress }) {
  const worker = start();
  try {
    await untilAborted(answered(worker), [signal]);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return hostOf(worker, onProgress);
}

/**
 * A worker's first message.
 * @param {Worker} worker
 * @returns {Promise<unknown>}
 */
const answered = (worker) =>
  new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = (event) => {
      event.preventDefault?.();
      reject(new Error(event.message ?? 'the script of the worker could not be loaded'));
    };
  });

/**
 * The host of a worker that answers.
 * @param {Worker} worker
 * @param {HostHooks['onProgress']} [onProgress]
 * @returns {Host}
 */
function hostOf(worker, onProgress) {
  /** Calls without an answer. @type {Map<number, { resolve: (result: any) => void, reject: (error: unknown) => void }>} */
  const waiting = new Map();
  let count = 0;
  /** Why it answers no more. @type {GGhostError | undefined} */
  let gone;
  const end = (/** @type {GGhostError} */ error) => {
    gone = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.onmessage = ({ data }) => {
    /** @type {Message} */
    const { id, result, error, progress } = data;
    if (progress) return onProgress?.(progress);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new GGhostError(error.code, error.message, { cause: error.stack }));
    else call?.resolve(result);
  };
  // A trap inside an awaited call never answers it, but surfaces here.
  worker.onerror = worker.onmessageerror = (/** @type {Partial<ErrorEvent>} */ event) => {
    event.preventDefault?.();
    const why = event.message ?? 'its worker failed';
    end(new GGhostError('crashed', `The engine crashed (${why}); the next call starts a fresh one.`));
  };
  return {
    worker: true,
    call: (method, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        if (gone) throw gone;
        // Pictures of other sites can be drawn and copied, and are refused only here.
        try {
          worker.postMessage({ id: ++count, method, argument }, transfer);
          waiting.set(count, { resolve, reject });
        } catch (error) {
          reject(argument && 'source' in argument ? tainted(error) : error);
        }
      }),
    close: () => {
      worker.terminate();
      end(gone ?? new GGhostError('crashed', 'The engine was stopped; the next call starts a fresh one.'));
    },
  };
}

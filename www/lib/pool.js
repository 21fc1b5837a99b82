/**
 * @file Nets on every core, for the command: threads of Node, each with a net of its own.
 */
import { availableParallelism, cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { GGhostError } from './errors.js';

/** Pictures that a thread has: one is decoded while another is computed. */
const EACH = 2;

/** How many threads are worth their start for so many pictures. */
export const threadsFor = (/** @type {number} */ pictures, most = availableParallelism?.() ?? cpus().length) =>
  Math.max(1, Math.min(most, Math.ceil(pictures / 8)));

/**
 * @typedef {Pick<import('./index.d.ts').Classification, 'top' | 'known' | 'unsure'>} Answer
 *
 * @typedef {{ model?: string, wasmUrl?: string, weights?: string, topK: number }} PoolOptions
 *
 * @typedef {{ id?: number, labels?: string[], answer?: unknown, error?: { code: import('./index.d.ts').ErrorCode,
 *   message: string } }} Message of a thread
 *
 * @typedef {{ resolve: (answer: any) => void, reject: (error: Error) => void }} Waiting
 */

/**
 * @param {number} count of threads
 * @param {PoolOptions} options
 * @returns {Promise<{ labels: string[], ahead: number, classify: (file: string) => Promise<Answer>, embed: (file: string)
 *   => Promise<Float32Array>, close: () => Promise<void> }>}
 *   `classify` and `embed` may be called again before they have answered
 */
export async function openPool(count, options) {
  optimiseAtOnce();
  const threads = Array.from({ length: count }, () => openThread(options));
  const close = async () => {
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  };
  const freest = () => threads.reduce((free, thread) => (thread.waiting.size < free.waiting.size ? thread : free));
  try {
    const [labels] = await Promise.all(threads.map(({ labels }) => labels));
    return {
      labels,
      ahead: EACH * count,
      classify: (file) => freest().ask('classify', file),
      embed: (file) => freest().ask('embed', file),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param {PoolOptions} options */
function openThread(options) {
  const worker = new Worker(new URL('./classify-thread.js', import.meta.url), { workerData: options });
  /** @type {Map<number, Waiting>} */
  const waiting = new Map();
  let count = 0;
  /** @param {NonNullable<Message['error']>} error */
  const errorOf = ({ code, message }) => new GGhostError(code, message);
  /** @type {Promise<string[]>} */
  const labels = new Promise((resolve, reject) => {
    const fail = (/** @type {Error} */ error) => {
      reject(error);
      for (const call of waiting.values()) call.reject(error);
      waiting.clear();
    };
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new GGhostError('crashed', `A thread ended with the code ${code}.`)));
    worker.on('message', (/** @type {Message} */ { id, labels = [], answer, error }) => {
      if (id === undefined) {
        if (error) reject(errorOf(error));
        else resolve(labels);
        return;
      }
      const call = waiting.get(id);
      waiting.delete(id);
      if (error) call?.reject(errorOf(error));
      else if (answer) call?.resolve(answer);
    });
  });
  labels.catch(() => {});
  /** @param {'classify' | 'embed'} method @param {string} file @returns {Promise<any>} */
  const ask = (method, file) =>
    new Promise((resolve, reject) => {
      waiting.set(++count, { resolve, reject });
      worker.postMessage({ id: count, method, file });
    });
  return { worker, waiting, labels, ask };
}

/**
 * V8 compiles WebAssembly twice, quickly and then well, function by function. What is called from code of the quick
 * kind may take up to twice its time, by the place of its spilled vectors on the stack; good code at once takes half a
 * second more.
 */
function optimiseAtOnce() {
  try {
    setFlagsFromString('--no-liftoff');
  } catch {
    // Not every runtime has it.
  }
}

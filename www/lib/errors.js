/**
 * @file The one error class, and waiting that can be called off.
 */

/** Every failure of this library: a sentence that says what to do, and a stable `code`. */
export class GGhostError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ cause?: unknown }} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'GGhostError';
    this.code = code;
  }
}

/**
 * Anything thrown, as a GGhostError. Errors of the engine bring their own code;
 * one without a code is a crash of the engine, whose memory can't be trusted any more.
 * @param {any} error
 */
export function asError(error) {
  if (error instanceof GGhostError) return error;
  if (typeof error?.code === 'string') return new GGhostError(error.code, sentence(error.message), { cause: error });
  const text = error?.message ?? String(error);
  return new GGhostError('crashed', `The engine crashed (${text}); the next call starts a fresh one.`, { cause: error });
}

/** @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

/** @param {AbortSignal} [signal] */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw abortError(signal);
}

/** @param {AbortSignal} signal */
const abortError = (signal) =>
  signal.reason instanceof GGhostError
    ? signal.reason
    : new GGhostError('aborted', 'The call was aborted by its signal.', { cause: signal.reason });

/**
 * The promise's outcome, or the rejection of the first signal that aborts before it.
 * (Promise.race would keep every call's promise alive for as long as the signal lives.)
 * @template T
 * @param {Promise<T>} promise
 * @param {(AbortSignal | undefined)[]} signals
 * @returns {Promise<T>}
 */
export function untilAborted(promise, signals) {
  const live = signals.flatMap((signal) => signal ?? []);
  const aborted = live.find((signal) => signal.aborted);
  if (aborted) {
    promise.catch(() => {});
    return Promise.reject(abortError(aborted));
  }
  return new Promise((resolve, reject) => {
    const abort = (/** @type {Event} */ event) => reject(abortError(/** @type {AbortSignal} */ (event.target)));
    for (const signal of live) signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => {
      for (const signal of live) signal.removeEventListener('abort', abort);
    });
  });
}

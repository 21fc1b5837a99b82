/**
 * @file The one error class, and waiting that can be called off.
 */

/** No message is longer, whatever went into it. */
const LONGEST = 1000;

/** Every failure of this library: a sentence that says what to do, and a stable `code`. */
export class GGhostError extends Error {
  /**
   * @param {import('./index.d.ts').ErrorCode} code
   * @param {string} message
   * @param {{ cause?: unknown }} [options]
   */
  constructor(code, message, options) {
    super(shortened(message), options);
    this.name = 'GGhostError';
    this.code = code;
  }
}

/**
 * The middle of what is too long goes: a sentence ends with what to do.
 * @param {unknown} message
 * @param {number} [longest]
 */
export function shortened(message, longest = LONGEST) {
  const text = String(message);
  if (text.length <= longest) return text;
  const half = (longest - 3) / 2;
  return `${text.slice(0, Math.ceil(half))} … ${text.slice(text.length - Math.floor(half))}`;
}

/** An address as a message shows it: a `data:` address is its picture. @param {unknown} url */
export function shownUrl(url) {
  const text = String(url);
  if (/^data:/i.test(text)) return `${text.slice(0, text.indexOf(',') + 1 || 5).slice(0, 40)}…`;
  return shortened(text, 200);
}

/**
 * What was caught, to be asked for what errors have: anything can be thrown.
 * @param {unknown} error
 * @returns {{ name?: string, code?: string, message?: string, cause?: unknown, stack?: string }}
 */
export const caught = (error) => error ?? {};

/**
 * Anything thrown, as a GGhostError. Errors of the engine bring their own code;
 * one without a code is a crash of the engine, whose memory can't be trusted any more.
 * @param {any} error
 */
export function asError(error) {
  if (error instanceof GGhostError) return error;
  if (typeof error?.code === 'string') return new GGhostError(error.code, sentence(error.message), { cause: error });
  const text = error?.message ?? String(error);
  return new GGhostError('crashed', `The engine crashed (${text}); the next call starts a fresh one.`, {
    cause: error,
  });
}

/** Words as a sentence, with one full stop. @param {string} text */
export const sentence = (text) =>
  text.charAt(0).toUpperCase() + text.slice(1).replace(/\.*$/, '') + (/[!?]$/.test(text) ? '' : '.');

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

/**
 * Work that is given one signal for several, which aborts when it has ended, too: what it left undone is called off.
 * @template T
 * @param {(AbortSignal | undefined)[]} signals
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function underSignals(signals, work) {
  const own = new AbortController();
  const live = signals.flatMap((signal) => signal ?? []);
  const abort = (/** @type {Event} */ event) => own.abort(abortError(/** @type {AbortSignal} */ (event.target)));
  for (const signal of live) {
    throwIfAborted(signal);
    signal.addEventListener('abort', abort);
  }
  try {
    return await untilAborted(work(own.signal), [own.signal]);
  } finally {
    for (const signal of live) signal.removeEventListener('abort', abort);
    own.abort(new GGhostError('aborted', 'The call has ended.'));
  }
}

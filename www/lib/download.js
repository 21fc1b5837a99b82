/**
 * @file Downloads with progress, whose failures are sentences.
 */
import { caught, GGhostError, shortened, shownUrl, throwIfAborted } from './errors.js';
import { isWebPage } from './markup.js';
import { adviceFor } from './place.js';

/** Largest file that is read: the largest network in f32 has 252 MB. */
const MAX_BYTES = 2 ** 30;

/** Bytes that are held in memory of a file that may be large: what is more is handed to the browser's storage. */
const MAX_HELD = 2 ** 24;

/**
 * Adds up what several downloads report, so that a page needs one bar.
 * @param {(event: { phase: 'download', loaded: number, total?: number }) => void} report
 * @returns {() => OnBytes} what each download reports to
 */
export function addUp(report) {
  /** @type {{ loaded: number, total?: number }[]} */
  const parts = [];
  return () => {
    /** @type {{ loaded: number, total?: number }} */
    const part = { loaded: 0, total: undefined };
    parts.push(part);
    return (loaded, total) => {
      Object.assign(part, { loaded, total });
      const sum = (/** @type {'loaded' | 'total'} */ key) => parts.reduce((sum, part) => sum + (part[key] ?? 0), 0);
      const known = parts.every((part) => part.total !== undefined);
      report({ phase: 'download', loaded: sum('loaded'), total: known ? sum('total') : undefined });
    };
  };
}

/**
 * @typedef {(loaded: number, total?: number) => void} OnBytes
 *
 * @typedef {{ read: () => Promise<{ done: boolean, value?: Uint8Array<ArrayBuffer> }>, cancel: () => Promise<void> }
 *   } Reader
 *
 * @typedef {Pick<Response, 'ok' | 'status' | 'url'> & { headers: Pick<Headers, 'get'>,
 *   body: { getReader: () => Reader } | null }} Answer what is used of a `Response`
 *
 * @typedef {(url: string | URL, options?: { signal?: AbortSignal }) => Promise<Answer>} Fetch `fetch`, or what replaces
 *   it
 *
 * @typedef {object} DownloadOptions
 * @property {string} what names the file in sentences
 * @property {boolean} [own] whether it is a file of the library itself, at a place that nobody named
 * @property {boolean} [picture] whether it is a picture, and text may be an SVG
 * @property {Fetch} [fetch]
 * @property {AbortSignal} [signal]
 * @property {OnBytes} [onBytes]
 * @property {boolean} [large] whether more than 16 MB come as a Blob
 */

/**
 * @overload
 * @param {string | URL} url
 * @param {DownloadOptions & { large?: false }} options
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
/**
 * @overload
 * @param {string | URL} url
 * @param {DownloadOptions} options
 * @returns {Promise<Uint8Array<ArrayBuffer> | Blob>}
 */
/**
 * @param {string | URL} url
 * @param {DownloadOptions} options
 * @returns {Promise<Uint8Array<ArrayBuffer> | Blob>} a Blob for more than 16 MB of a `large` file
 */
export async function download(url, options) {
  return bytesOf(await answerOf(url, options), { ...options, url });
}

/**
 * What a server answers, if it is what was asked for.
 * @param {string | URL} url
 * @param {DownloadOptions} options
 * @returns {Promise<Answer>}
 */
export async function answerOf(url, { what, own, fetch = globalThis.fetch, signal }) {
  const address = shownUrl(url);
  const fail = failing(what);
  let response;
  try {
    // On a server a bundler may have made a path of it, which is no address there.
    if (own) new URL(url, globalThis.location?.href);
    response = await fetch(url, { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw lost(url, error, { what, own });
  }
  if (!response.ok)
    throw fail(
      `was not found: ${address} answered ${response.status}. ${own ? adviceFor(address) : 'Check the address.'}`,
    );
  return response;
}

/** @param {string} what @returns {(text: string, cause?: unknown) => GGhostError} */
const failing = (what) => (text, cause) => new GGhostError('network', `${what} ${text}`, { cause });

/**
 * A file that did not come, or not to its end.
 * @param {string | URL} url
 * @param {unknown} error
 * @param {DownloadOptions} options
 */
export const lost = (url, error, { what, own }) => failing(what)(whyLost(url, shownUrl(url), error, own), error);

/**
 * Why a file did not come.
 * @param {string | URL} url
 * @param {string} address
 * @param {unknown} error
 * @param {boolean} [own]
 */
function whyLost(url, address, error, own) {
  /** @type {{ message?: string, words?: string }} */
  const { message, words } = caught(error);
  const detail = message ? ` (${shortened(message, 100)})` : '';
  if (String(url).startsWith('file:')) {
    return globalThis.location?.protocol === 'file:'
      ? 'may not be read: a page that was opened from a file gets no other files. ' +
          'Open it through a server, as with `npx serve`.'
      : (words ?? `could not be read from ${address}${detail}.`) + (own ? ` ${adviceFor(address)}` : '');
  }
  const advice = own
    ? adviceFor(address)
    : 'check the connection, and that its server allows this page to read it (CORS).';
  return `could not be downloaded from ${address}${detail}${own ? '. ' : ': '}${advice}`;
}

/**
 * The body of an answer.
 * @param {Answer} response
 * @param {DownloadOptions & { url?: string | URL }} options
 * @returns {Promise<Uint8Array<ArrayBuffer> | Blob>}
 */
export async function bytesOf(
  response,
  { what, own, picture = false, signal, large = false, onBytes = () => {}, url = response.url },
) {
  const fail = failing(what);
  const address = shownUrl(url);
  const total = lengthOf(response);
  const content = received(large);
  const checkSize = (size = 0) => {
    if (size > MAX_BYTES) throw fail(`is larger than ${MAX_BYTES} bytes.`);
  };
  checkSize(total);
  onBytes(0, total);
  try {
    for await (const piece of piecesOf(response, signal)) {
      content.add(piece);
      if (content.size > MAX_BYTES) break;
      onBytes(content.size, total);
    }
  } catch (error) {
    throwIfAborted(signal);
    throw lost(url, error, { what, own });
  }
  throwIfAborted(signal);
  checkSize(content.size);
  if (total !== undefined && content.size !== total)
    throw fail(`came incomplete from ${address} (${content.size} of ${total} bytes): try again.`);
  onBytes(content.size, content.size);

  const bytes = content.whole();
  // An address that a server does not know is often answered with its first page; a file is what it is.
  if (bytes instanceof Uint8Array && isWebPage(bytes) && !String(url).startsWith('file:')) {
    const advice = own
      ? adviceFor(address)
      : 'Many servers do so for addresses that they don’t know: ' +
        `check that ${picture ? 'it is the picture’s own' : 'the file is deployed'}.`;
    throw fail(`was not found: ${address} answered with a web page (HTML) instead. ${advice}`);
  }
  return bytes;
}

/**
 * How many bytes are to come, where the server says so.
 * @param {Answer} response
 */
function lengthOf({ headers }) {
  const length = Number(headers.get('Content-Length') ?? NaN);
  // With Content-Encoding the length is that of the compressed bytes.
  return headers.get('Content-Encoding') || !(length > 0) ? undefined : length;
}

/**
 * The pieces of a body as they come. Whoever stops early, by a signal too, calls the rest off.
 * @param {Answer} response
 * @param {AbortSignal} [signal]
 */
async function* piecesOf({ body }, signal) {
  const reader = body?.getReader();
  const stop = () => reader?.cancel().catch(() => {});
  // An answer that came from elsewhere knows nothing of this signal.
  signal?.addEventListener('abort', stop);
  try {
    while (reader) {
      const { done, value } = await reader.read();
      if (done || !value) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

/**
 * What has come of a file. Of one that may be large, the browser's storage takes what is more than 16 MB.
 * @param {boolean} large
 */
function received(large) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let pieces = [];
  /** @type {Blob[]} */
  let stored = [];
  let held = 0;
  return {
    size: 0,
    /** @param {Uint8Array<ArrayBuffer>} piece */
    add(piece) {
      pieces.push(piece);
      held += piece.length;
      this.size += piece.length;
      if (!large || held <= MAX_HELD) return;
      stored = [new Blob([...stored, ...pieces])];
      pieces = [];
      held = 0;
    },
    whole() {
      if (stored.length) return new Blob([...stored, ...pieces]);
      const bytes = new Uint8Array(this.size);
      let offset = 0;
      for (const piece of pieces) {
        bytes.set(piece, offset);
        offset += piece.length;
      }
      return bytes;
    },
  };
}

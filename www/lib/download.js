/**
 * @file Downloads with progress, whose failures are sentences.
 */
import { GGhostError, throwIfAborted } from './errors.js';

/** Largest file that is read: the largest network in f32 has 252 MB. */
const MAX_BYTES = 2 ** 30;

/** Bytes that are held in memory of a file that may be large: what is more is handed to the browser's storage. */
const MAX_HELD = 2 ** 24;

/**
 * Adds up what several downloads report, so that a page needs one bar.
 * @param {(event: { phase: 'download', loaded: number, total?: number }) => void} report
 */
export function addUp(report) {
  const parts = [];
  return () => {
    const part = { loaded: 0, total: undefined };
    parts.push(part);
    return (loaded, total) => {
      Object.assign(part, { loaded, total });
      const sum = (key) => parts.reduce((sum, part) => sum + part[key], 0);
      const known = parts.every((part) => part.total !== undefined);
      report({ phase: 'download', loaded: sum('loaded'), total: known ? sum('total') : undefined });
    };
  };
}

/**
 * @param {string | URL} url
 * @param {{ what: string, hint?: string, fetch?: typeof globalThis.fetch, signal?: AbortSignal,
 *   onBytes?: (loaded: number, total?: number) => void, large?: boolean }} options `what` names the file in sentences.
 * @returns {Promise<Uint8Array | Blob>} a Blob for more than 16 MB of a `large` file
 */
export async function download(url, { what, hint = '', fetch = globalThis.fetch, signal, large = false, onBytes = () => {} }) {
  const fail = (text, cause) => new GGhostError('network', `${what} ${text}${hint && ` ${hint}`}`, { cause });
  const lost = (error) => {
    throwIfAborted(signal);
    return fail(`could not be downloaded from ${url}: check the connection, and that its server allows this page to read it (CORS).`, error);
  };

  let response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    throw lost(error);
  }
  if (!response.ok) throw fail(`was not found: ${url} answered ${response.status}. Check the address.`);
  const length = Number(response.headers.get('Content-Length') ?? NaN);
  // With Content-Encoding the length is that of the compressed bytes.
  const total = response.headers.get('Content-Encoding') || !(length > 0) ? undefined : length;
  if (total > MAX_BYTES) throw fail(`is larger than ${MAX_BYTES} bytes.`);

  let chunks = [];
  let held = 0;
  let stored;
  let loaded = 0;
  onBytes(0, total);
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      held += value.length;
      loaded += value.length;
      if (loaded > MAX_BYTES) break;
      if (large && held > MAX_HELD) {
        stored = new Blob([...(stored ? [stored] : []), ...chunks]);
        chunks = [];
        held = 0;
      }
      onBytes(loaded, total);
    }
  } catch (error) {
    throw lost(error);
  }
  if (loaded > MAX_BYTES) throw fail(`is larger than ${MAX_BYTES} bytes.`);
  if (total !== undefined && loaded !== total) throw fail(`came incomplete from ${url} (${loaded} of ${total} bytes): try again.`);
  onBytes(loaded, loaded);

  if (stored) return new Blob([stored, ...chunks]);
  const bytes = new Uint8Array(loaded);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  if (isHtml(bytes)) throw fail(`was not found: ${url} answered with a web page (HTML) instead. Many servers do so for addresses that they don't know: check that the file is deployed.`);
  return bytes;
}

/** Whether a file begins as a web page does. */
export const isHtml = (bytes) => /^\s*<(!doctype|html|head|body|\?xml)/i.test(new TextDecoder('latin1').decode(bytes.subarray(0, 256)));

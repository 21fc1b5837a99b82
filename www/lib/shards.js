/**
 * @file Models in several files, each known by its SHA-256: hosts with a limit on file sizes can carry them, and a
 * file that was downloaded once is taken from the browser's cache, whatever its address is by then.
 *
 * A manifest is JSON: `{ "files": [{ "path": "model.0.bin", "bytes": 20000000, "sha256": "9f86d081…" }, …] }`,
 * its paths relative to itself.
 */
import { GGhostError, throwIfAborted } from './errors.js';
import { download } from './download.js';

const STORE = 'g-ghostnet';
const MAX_BYTES = 2 ** 30;

/**
 * @param {string} url of the manifest
 * @param {{ cache?: boolean, fetch?: typeof globalThis.fetch, signal?: AbortSignal, onBytes?: (loaded: number, total?: number) => void }} options
 * @returns {Promise<Uint8Array>} the files one after the other
 */
export async function downloadShards(url, { cache = true, onBytes = () => {}, ...options }) {
  const files = checked(await download(url, { what: 'The model’s manifest', ...options }), url);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const store = cache ? await openStore() : undefined;
  const model = new Uint8Array(total);
  let offset = 0;
  for (const file of files) {
    const key = `https://${STORE}.invalid/${file.sha256}`;
    const stored = await store?.match(key).catch(() => undefined);
    let bytes = stored && new Uint8Array(await stored.arrayBuffer());
    if (!bytes || bytes.length !== file.bytes) {
      bytes = await download(new URL(file.path, url), { what: 'A part of the model', ...options, onBytes: (loaded) => onBytes(offset + loaded, total) });
      await verify(bytes, file, url);
      // Without room, or in a private window, it is downloaded again next time.
      await store?.put(key, new Response(bytes)).catch(() => {});
    }
    throwIfAborted(options.signal);
    model.set(bytes, offset);
    offset += bytes.length;
    onBytes(offset, total);
  }
  return model;
}

/** Forgets every downloaded part. */
export async function clearCache() {
  await globalThis.caches?.delete(STORE).catch(() => false);
}

const openStore = async () => globalThis.caches?.open(STORE).catch(() => undefined);

function checked(bytes, url) {
  const fail = (text) => new GGhostError('bad-model', `The manifest ${url} ${text}: expected { "files": [{ "path", "bytes", "sha256" }] }.`);
  let files;
  try {
    ({ files } = JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    throw fail('is not JSON');
  }
  const fits = ({ path, bytes, sha256 }) => typeof path === 'string' && Number.isInteger(bytes) && bytes > 0 && /^[0-9a-f]{64}$/.test(sha256);
  if (!Array.isArray(files) || files.length === 0 || !files.every(fits)) throw fail('lists no files');
  if (files.reduce((sum, file) => sum + file.bytes, 0) > MAX_BYTES) throw fail(`lists more than ${MAX_BYTES} bytes`);
  return files;
}

/** Size, and content where the page is secure enough to compute hashes. */
async function verify(bytes, { path, bytes: expected, sha256 }, url) {
  const digest = globalThis.crypto?.subtle && new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const found = digest && Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (bytes.length !== expected || (found && found !== sha256)) {
    throw new GGhostError('bad-model', `${path} is not the file that the manifest ${url} lists (${bytes.length} of ${expected} bytes): upload both again.`);
  }
}

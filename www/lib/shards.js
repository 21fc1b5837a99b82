/**
 * @file Models in several files.
 *
 * A manifest of `g-ghostnet shard` knows each by its SHA-256: hosts with a limit on file sizes can carry them, and a
 * file that was downloaded once is taken from the browser's cache, whatever its address is by then. It is JSON:
 * `{ "files": [{ "path": "model.0.bin", "bytes": 20000000, "sha256": "9f86d081…" }, …] }`, its paths relative to
 * itself.
 *
 * Hugging Face's index says which safetensors file has a tensor: `{ "weight_map": { "conv1.weight":
 * "model-00001-of-00002.safetensors", … } }`.
 */
import { GGhostError, shownUrl, throwIfAborted } from './errors.js';
import { download } from './download.js';
import { isBlob } from './image.js';

const STORE = 'g-ghostnet';
const MAX_BYTES = 2 ** 30;

/** Bytes of a safetensors header, or of JSON beside it, that are read: those of a model have a tenth of it. */
const MAX_HEADER = 2 ** 20;

/**
 * @param {string} url of a manifest or an index
 * @param {{ cache?: boolean, fetch?: import('./download.js').Fetch, signal?: AbortSignal,
 *   onBytes?: import('./download.js').OnBytes }} options
 * @returns {Promise<Uint8Array<ArrayBuffer> | Blob>} the files one after the other
 */
export async function downloadShards(url, { cache = true, onBytes = () => {}, ...options }) {
  const manifest = parsed(await download(url, { what: 'The model’s manifest', ...options }));
  if (manifest?.weight_map) {
    let before = 0;
    return joined(manifest, async (name) => {
      const report = (/** @type {number} */ loaded) => onBytes(before + loaded);
      const what = `${name}, a part of the model,`;
      const shard = asBlob(await download(new URL(name, url), { what, large: true, ...options, onBytes: report }));
      before += shard.size;
      return shard;
    });
  }
  const files = checked(manifest, url);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const store = cache ? await openStore() : undefined;
  const model = new Uint8Array(total);
  let offset = 0;
  for (const file of files) {
    const key = `https://${STORE}.invalid/${file.sha256}`;
    const stored = await store?.match(key).catch(() => undefined);
    let bytes = stored && new Uint8Array(await stored.arrayBuffer());
    if (!bytes || bytes.length !== file.bytes) {
      const report = (/** @type {number} */ loaded) => onBytes(offset + loaded, total);
      const what = 'A part of the model';
      bytes = await download(new URL(file.path, url), { what, ...options, onBytes: report });
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

/** @param {Blob | Uint8Array<ArrayBuffer>} file */
const asBlob = (file) => (isBlob(file) ? file : new Blob([file]));

/** @param {string} text */
const badModel = (text) => new GGhostError('bad-model', text);

/** JSON, or undefined. @param {AllowSharedBufferSource} bytes */
function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * The model among files that were chosen together: one file, or Hugging Face's index with its shards; and its labels,
 * where Hugging Face's `config.json` is among them. Other files are left alone.
 * @param {(Blob & { name?: string })[]} files
 * @returns {Promise<{ model: Blob, labels?: string[] }>}
 */
export async function modelOfFiles(files) {
  const ending = (/** @type {RegExp} */ pattern) => files.filter(({ name = '' }) => pattern.test(name));
  const json = async (/** @type {Blob} */ file) =>
    parsed(file.size <= 16 * MAX_HEADER ? await file.arrayBuffer() : new Uint8Array());
  const [config] = ending(/(^|\/)config\.json$/i);
  const labels = config && labelsOf(await json(config));
  const [index, ...others] = ending(/\.index\.json$/i);
  if (others.length > 0) throw badModel('There are several .index.json files: choose one model’s.');
  if (index) {
    const shard = (/** @type {string} */ name) => files.find((file) => file.name === name);
    return { model: await joined(await json(index), shard), labels };
  }
  const models = files.filter(({ name = '' }) => !/\.(json|txt|md)$/i.test(name));
  if (models.length === 1) return { model: models[0], labels };
  throw badModel(
    `There are ${models.length} model files: expected one, or the files of one model with its .index.json.`,
  );
}

/**
 * Labels in class order from Hugging Face's config; none where it only numbers them.
 * @param {{ id2label?: Record<string, string> } | undefined} config
 */
function labelsOf(config) {
  const map = config?.id2label ?? {};
  const labels = Object.keys(map).map((_, index) => map[index]);
  const named = labels.every((label, index) => typeof label === 'string' && label !== `LABEL_${index}`);
  return labels.length > 0 && named ? labels : undefined;
}

/**
 * One safetensors file of those that Hugging Face's index names: their headers are read and become one, their numbers
 * stay where they are.
 * @param {{ weight_map?: Record<string, string> } | undefined} index
 * @param {(name: string) => Promise<Blob | undefined> | Blob | undefined} shardOf
 * @returns {Promise<Blob>}
 */
async function joined(index, shardOf) {
  const found = index?.weight_map;
  const map = typeof found === 'object' ? (found ?? {}) : {};
  const names = [...new Set(Object.values(map))];
  const isName = (/** @type {unknown} */ name) => typeof name === 'string' && /^[\w.-]{1,100}\.safetensors$/.test(name);
  if (names.length === 0 || names.length > 1000 || !names.every(isName)) {
    const expected = '{ "weight_map": { "tensor": "file.safetensors", … } }';
    throw badModel(`The index of the model’s files is not one: expected ${expected}.`);
  }
  const header = Object.create(null);
  const parts = [];
  /** @type {Record<string, string> | undefined} */
  let metadata;
  let end = 0;
  for (const name of names) {
    const shard = await shardOf(name);
    if (!shard) throw badModel(`${name} is missing, which the model’s index names: choose all its files together.`);
    const { __metadata__, tensors, data } = await shardParts(shard, name);
    metadata = { ...metadata, ...__metadata__ };
    for (const [tensor, info] of Object.entries(tensors)) {
      if (tensor in header) throw badModel(`${name} has a tensor that another of the model’s files has too.`);
      header[tensor] = { ...info, data_offsets: info.data_offsets.map((/** @type {number} */ offset) => offset + end) };
    }
    parts.push(data);
    end += data.size;
    if (end > MAX_BYTES) throw badModel(`The model’s files have more than ${MAX_BYTES} bytes together.`);
  }
  const missing = Object.keys(map).find((tensor) => !(tensor in header));
  if (missing !== undefined) {
    throw badModel(`${map[missing]} has not all tensors that the model’s index names: are the files of one model?`);
  }
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...header }));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(json.length), true);
  return new Blob([length, json, ...parts]);
}

/** What a safetensors file lists, and its numbers. @param {Blob} shard @param {string} name */
async function shardParts(shard, name) {
  const start = new DataView(await shard.slice(0, 8).arrayBuffer());
  const length = start.byteLength === 8 ? Number(start.getBigUint64(0, true)) : Infinity;
  const fail = (/** @type {string} */ text) => badModel(`${name} ${text}`);
  if (length > MAX_HEADER) throw fail('is no safetensors file: was it downloaded whole?');
  const header = parsed(await shard.slice(8, 8 + length).arrayBuffer());
  const { __metadata__, ...tensors } = typeof header === 'object' ? (header ?? {}) : {};
  const data = shard.slice(8 + length);
  let end = 0;
  for (const info of Object.values(tensors)) {
    const offsets = info?.data_offsets;
    const fits = Array.isArray(offsets) && offsets.length === 2 && offsets.every(Number.isSafeInteger);
    if (!fits) throw fail('has a header that is not one of safetensors.');
    end = Math.max(end, offsets[1]);
  }
  if (end !== data.size) {
    throw fail(`has ${shard.size} bytes, its header says ${8 + length + end}: was it downloaded whole?`);
  }
  return { __metadata__, tensors, data };
}

/** @typedef {{ path: string, bytes: number, sha256: string }} Listed a file of a manifest */

/**
 * The files of a manifest of `g-ghostnet shard`.
 * @param {{ files?: unknown } | undefined} manifest
 * @param {string} url
 * @returns {Listed[]}
 */
function checked(manifest, url) {
  const expected = 'expected { "files": [{ "path", "bytes", "sha256" }] } or Hugging Face’s { "weight_map" }';
  const fail = (/** @type {string} */ text) =>
    new GGhostError('bad-model', `The manifest ${shownUrl(url)} ${text}: ${expected}.`);
  if (!manifest) throw fail('is not JSON');
  const { files } = manifest;
  const isHash = (/** @type {string} */ text) => /^[0-9a-f]{64}$/.test(text);
  const fits = (/** @type {Listed} */ { path, bytes, sha256 }) =>
    typeof path === 'string' && Number.isInteger(bytes) && bytes > 0 && isHash(sha256);
  if (!Array.isArray(files) || files.length === 0 || !files.every(fits)) throw fail('lists no files');
  if (files.reduce((sum, file) => sum + file.bytes, 0) > MAX_BYTES) throw fail(`lists more than ${MAX_BYTES} bytes`);
  return files;
}

/**
 * Size, and content where the page is secure enough to compute hashes.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Listed} file
 * @param {string} url of the manifest
 */
async function verify(bytes, { path, bytes: expected, sha256 }, url) {
  const digest = globalThis.crypto?.subtle && new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const found = digest && Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (bytes.length !== expected || (found && found !== sha256)) {
    throw new GGhostError(
      'bad-model',
      `${shownUrl(path)} is not the file that the manifest ${shownUrl(url)} lists (${bytes.length} of ${expected} bytes): upload both again.`,
    );
  }
}

/**
 * @file Files of a disk beside those of the network, for Node.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { caught, shortened } from './errors.js';

/** What a file system says, in words. @type {Record<string, (file: string) => string>} */
const words = {
  ENOENT: (file) => `was not found: there is no file ${file}.`,
  ENOTDIR: (file) => `was not found: there is no file ${file}.`,
  EACCES: (file) => `may not be read: check the permissions of ${file}.`,
  EPERM: (file) => `may not be read: check the permissions of ${file}.`,
  EISDIR: (file) => `is a folder: ${file}.`,
};

/**
 * A file's bytes. An error has `words` for what the file system says.
 * @param {string} file
 * @param {AbortSignal} [signal]
 */
async function bytesOf(file, signal) {
  try {
    return await readFile(file, { signal });
  } catch (error) {
    throw Object.assign(Object(error), { words: words[caught(error).code ?? '']?.(shortened(file, 200)) });
  }
}

/**
 * fetch that also reads files; these need no class of a browser, which a test environment may lack.
 * @type {import('./download.js').Fetch}
 */
export async function fetchOrRead(url, options) {
  const { href, protocol } = new URL(url);
  if (protocol !== 'file:') return fetch(href, options);
  const chunks = [await bytesOf(fileURLToPath(href), options?.signal)];
  const read = async () => ({ done: chunks.length === 0, value: chunks.pop() });
  const length = String(chunks[0].length);
  const headers = { get: (/** @type {string} */ name) => (name === 'Content-Length' ? length : null) };
  return { ok: true, status: 200, url: href, headers, body: { getReader: () => ({ read, cancel: async () => {} }) } };
}

/**
 * An address, or the path of a file, as an address: what has no scheme of two letters or more is a path.
 * @param {string} text
 */
export function addressOf(text) {
  return /^[a-z][a-z\d+.-]+:/i.test(text)
    ? new URL(text).href
    : pathToFileURL(path.resolve(text)).href + (/[/\\]$/.test(text) ? '/' : '');
}

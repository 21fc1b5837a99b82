/**
 * @file Fetching, compiling and starting a WebAssembly module.
 */
import { download } from './download.js';
import { GGhostError, throwIfAborted } from './errors.js';

/** A part from its file to its script's exports. */
export async function startPart(part, folder, { fetch, signal, onBytes = () => {} } = {}) {
  return start(await fetchModule(part, folder, { fetch, signal, onBytes }));
}

/**
 * A module, compiled, and its script, which is fetched beside it.
 * @param {import('./flavours.js').Part} part
 * @param {string} [folder]
 * @param {{ onBytes: Function, module?: WebAssembly.Module, fetch?: Function, signal?: AbortSignal }} options `module`
 *   is what an earlier one had compiled
 * @returns {Promise<{ module: WebAssembly.Module, glue: any }>}
 */
export async function fetchModule(part, folder, { module, ...options }) {
  const script = loadGlue(part, folder);
  // What it fails by is said after what the module fails by.
  script.catch(() => {});
  module ??= await compileFrom(part, folder, options);
  return { module, glue: await script };
}

async function compileFrom(part, folder, options) {
  if (part.bytes) {
    const bytes = part.bytes();
    options.onBytes(bytes.length, bytes.length);
    return compile(bytes);
  }
  const url = folder ? new URL(`${part.name}/g_ghostnet_bg.wasm`, folder) : part.url();
  const hint = 'The option wasmUrl names the folder of the engine.';
  return (await compileStream(url, options)) ?? compile(await download(url, { what: 'The engine (WebAssembly)', hint, ...options }));
}

/**
 * Compiles while the bytes come; browsers keep what they have compiled so beside the file.
 * @returns {Promise<WebAssembly.Module | undefined>} nothing where it fails: the way by bytes says why
 */
async function compileStream(url, { fetch, signal, onBytes }) {
  if (fetch || !WebAssembly.compileStreaming) return undefined;
  try {
    const response = await globalThis.fetch(url, { signal });
    const bytes = Number(response.headers.get('Content-Length'));
    if (!response.ok || !bytes) return undefined;
    onBytes(0, bytes);
    const module = await WebAssembly.compileStreaming(response);
    onBytes(bytes, bytes);
    return module;
  } catch {
    throwIfAborted(signal);
    return undefined;
  }
}

/** Makes an instance. */
export async function start({ module, glue }) {
  await glue.default({ module_or_path: module });
  return glue;
}

async function compile(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const text = /content security policy|unsafe-eval/i.test(error.message)
      ? "The page’s content security policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src."
      : `The engine could not be compiled (${error.message}): its file may be damaged.`;
    throw new GGhostError('unsupported', text, { cause: error });
  }
}

/** Loads a module's script. */
export async function loadGlue(flavour, folder) {
  try {
    if (!folder) return await flavour.glue();
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ new URL(`${flavour.name}/g_ghostnet.js`, folder).href);
  } catch (error) {
    throw new GGhostError('network', `The engine’s script could not be loaded (${error.message}). The option wasmUrl names its folder.`, { cause: error });
  }
}

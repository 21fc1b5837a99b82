/**
 * @file Fetching, compiling and starting a WebAssembly module.
 */
import { download } from './download.js';
import { caught, GGhostError, throwIfAborted } from './errors.js';

/**
 * @typedef {import('./flavours.js').Part} Part
 * @typedef {{ fetch?: typeof globalThis.fetch, signal?: AbortSignal, onBytes: import('./download.js').OnBytes }} Hooks
 */

/**
 * A part from its file to its script's exports.
 * @param {Part} part
 * @param {string} [folder]
 * @param {Partial<Hooks>} [hooks]
 * @returns {Promise<any>} the script, which wasm-bindgen makes: its types are known once it is built
 */
export async function startPart(part, folder, { fetch, signal, onBytes = () => {} } = {}) {
  return start(await fetchModule(part, folder, { fetch, signal, onBytes }));
}

/**
 * A module, compiled, and its script, which is fetched beside it.
 * @param {Part} part
 * @param {string | undefined} folder
 * @param {Hooks & { module?: WebAssembly.Module }} options `module` is what an earlier one had compiled
 * @returns {Promise<{ module: WebAssembly.Module, glue: any }>} `glue` as of `startPart`
 */
export async function fetchModule(part, folder, { module, ...options }) {
  const script = loadGlue(part, folder);
  // What it fails by is said after what the module fails by.
  script.catch(() => {});
  module ??= await compileFrom(part, folder, options);
  return { module, glue: await script };
}

/**
 * @param {Part} part
 * @param {string | undefined} folder
 * @param {Hooks} options
 */
async function compileFrom(part, folder, options) {
  if (part.bytes) {
    const bytes = part.bytes();
    options.onBytes(bytes.length, bytes.length);
    return compile(bytes);
  }
  const url = folder ? new URL(`${part.name}/g_ghostnet_bg.wasm`, folder) : /** @type {() => URL} */ (part.url)();
  return (
    (await compileStream(url, options)) ??
    compile(await download(url, { what: 'The engine (WebAssembly)', own: !folder, ...options }))
  );
}

/**
 * Compiles while the bytes come; browsers keep what they have compiled so beside the file.
 * @param {URL} url
 * @param {Hooks} hooks
 * @returns {Promise<WebAssembly.Module | undefined>} nothing where it fails: the way by bytes says why
 */
async function compileStream(url, { fetch, signal, onBytes }) {
  if (fetch || !WebAssembly.compileStreaming) return undefined;
  try {
    const response = await globalThis.fetch(url, { signal });
    if (!response.ok) return undefined;
    // A server that compresses as it sends names no length.
    const bytes = Number(response.headers.get('Content-Length')) || undefined;
    onBytes(0, bytes);
    const module = await WebAssembly.compileStreaming(response);
    onBytes(bytes ?? 0, bytes ?? 0);
    return module;
  } catch {
    throwIfAborted(signal);
    return undefined;
  }
}

/**
 * Makes an instance.
 * @param {{ module: WebAssembly.Module, glue: any }} fetched `glue` as of `startPart`
 */
export async function start({ module, glue }) {
  await glue.default({ module_or_path: module });
  return glue;
}

/** @param {BufferSource} bytes */
async function compile(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw new GGhostError('unsupported', whyNotCompiled(String(caught(error).message)), { cause: error });
  }
}

/** @param {string} message */
function whyNotCompiled(message) {
  // Chromium gives no words where it is the policy of the page around a content script.
  const words = message.replace(/^WebAssembly\.\w+\(\):?/, '').trim();
  if (!words || /content security policy|unsafe-eval/i.test(words)) {
    return "The page’s content security policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src.";
  }
  if (/disallowed by embedder/i.test(words))
    return 'This host compiles no WebAssembly at run time, which the engine needs.';
  return `The engine could not be compiled (${words}): its file may be damaged.`;
}

/**
 * Loads a module's script.
 * @param {Part} flavour
 * @param {string} [folder]
 */
export async function loadGlue(flavour, folder) {
  try {
    if (!folder || flavour.imported) return await flavour.glue();
    return await import(
      /* @vite-ignore */ /* webpackIgnore: true */ new URL(`${flavour.name}/g_ghostnet.js`, folder).href
    );
  } catch (error) {
    const advice = folder
      ? 'The option wasmUrl names its folder.'
      : 'Is it deployed beside the library’s other scripts?';
    throw new GGhostError('network', `The engine’s script could not be loaded (${caught(error).message}). ${advice}`, {
      cause: error,
    });
  }
}

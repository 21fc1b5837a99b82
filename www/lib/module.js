/**
 * @file Fetching, compiling and starting a WebAssembly module.
 */
import { answerOf, bytesOf, lost } from './download.js';
import { asError, caught, GGhostError, throwIfAborted } from './errors.js';
import { adviceFor, engineFolder, located } from './place.js';
import { importScript } from './script.js';

/**
 * @typedef {import('./flavours.js').Part} Part
 * @typedef {{ fetch?: import('./download.js').Fetch, signal?: AbortSignal, onBytes: import('./download.js').OnBytes }} Hooks
 * @typedef {{ wasmUrl?: string, packageUrl?: string }} Places folders of the engine's files and of the whole package
 *   that are not those beside the scripts
 */

/**
 * A part from its file to its script's exports.
 * @param {Part} part
 * @param {Places} places
 * @param {Partial<Hooks>} [hooks]
 * @returns {Promise<any>} the script, which wasm-bindgen makes: its types are known once it is built
 */
export async function startPart(part, places, { fetch, signal, onBytes = () => {} } = {}) {
  return start(await fetchModule(part, places, { fetch, signal, onBytes }));
}

/**
 * A module, compiled, and its script, which is fetched beside it.
 * @param {Part} part
 * @param {Places} places
 * @param {Hooks & { module?: WebAssembly.Module }} options `module` is what an earlier one had compiled
 * @returns {Promise<{ module: WebAssembly.Module, glue: any }>} `glue` as of `startPart`
 */
export async function fetchModule(part, places, { module, ...options }) {
  const script = loadGlue(part, places);
  // A failure of the module is reported first; the script's is awaited below.
  script.catch(() => {});
  module ??= await compileFrom(part, places, options);
  return { module, glue: await script };
}

/**
 * @param {Part} part
 * @param {Places} places
 * @param {Hooks} options
 */
async function compileFrom(part, places, options) {
  if (part.bytes) {
    const bytes = part.bytes();
    options.onBytes(bytes.length, bytes.length);
    return compile(bytes);
  }
  const folder = engineFolder(places);
  const url = folder
    ? new URL(`${part.name}/g_ghostnet_bg.wasm`, folder)
    : located(/** @type {() => URL} */ (part.url));
  const { fetch, signal, onBytes } = options;
  const file = { what: 'The engine (WebAssembly)', own: !places.wasmUrl, ...options };
  const response = await answerOf(url, file);
  // Compiled while the bytes come: browsers keep what they have compiled so beside the file.
  const streams = !fetch && 'compileStreaming' in WebAssembly && isWasm(response.headers.get('Content-Type'));
  if (!streams) return compile(/** @type {Uint8Array<ArrayBuffer>} */ (await bytesOf(response, { ...file, url })));
  // A server that compresses as it sends names no length.
  const bytes = Number(response.headers.get('Content-Length')) || undefined;
  onBytes(0, bytes);
  const module = await WebAssembly.compileStreaming(/** @type {Response} */ (response)).catch((error) => {
    throwIfAborted(signal);
    throw error.name === 'TypeError' ? lost(url, error, file) : notCompiled(error);
  });
  onBytes(bytes ?? 0, bytes ?? 0);
  return module;
}

/** Whether a file's type is the only one that browsers compile as it comes. @param {string | null} type */
const isWasm = (type) => /^\s*application\/wasm\s*$/i.test(type ?? '');

/**
 * Makes an instance.
 * @param {{ module: WebAssembly.Module, glue: any }} fetched `glue` as of `startPart`
 */
export async function start({ module, glue }) {
  try {
    await glue.default({ module_or_path: module });
  } catch (error) {
    // Safari's engine compiles under such a policy, and refuses here.
    throw isOfPolicy(String(caught(error).message))
      ? new GGhostError('unsupported', FORBIDDEN, { cause: error })
      : error;
  }
  return glue;
}

/** @param {BufferSource} bytes */
const compile = (bytes) =>
  WebAssembly.compile(bytes).catch((error) => {
    throw notCompiled(error);
  });

/** @param {unknown} error */
const notCompiled = (error) =>
  new GGhostError('unsupported', whyNotCompiled(String(caught(error).message)), { cause: error });

const FORBIDDEN = "The page’s content security policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src.";
/** @param {string} message */
const isOfPolicy = (message) => /content security policy|unsafe-eval|\bCSP\b/i.test(message);

/** @param {string} message */
function whyNotCompiled(message) {
  // Chromium gives no words where it is the policy of the page around a content script.
  const words = message.replace(/^WebAssembly\.\w+\(\):?/, '').trim();
  if (!words || isOfPolicy(words)) return FORBIDDEN;
  if (/disallowed by embedder/i.test(words))
    return 'This host compiles no WebAssembly at run time, which the engine needs.';
  return `The engine could not be compiled (${words}): its file may be damaged.`;
}

/**
 * The address of a module's script.
 * @param {Part} part
 * @param {Places} places
 */
export function scriptOf(part, places) {
  const folder = engineFolder(places);
  return folder ? new URL(`${part.name}/g_ghostnet.js`, folder) : located(/** @type {() => URL} */ (part.script));
}

/**
 * Whether a host has a module's script by another way than its address.
 * @param {Part} part
 * @param {Places} places
 */
const isThere = ({ glue, imported }, places) => Boolean(glue && (imported || !engineFolder(places)));

/**
 * Loads a module's script.
 * @param {Part} part
 * @param {Places} places
 */
export async function loadGlue(part, places) {
  const url = isThere(part, places) ? undefined : scriptOf(part, places);
  try {
    return await (url ? importScript(url, part.name) : part.glue?.());
  } catch (error) {
    const advice = places.wasmUrl ? 'The option wasmUrl names its folder.' : adviceFor(url?.href ?? '');
    throw new GGhostError('network', `The engine’s script could not be loaded (${caught(error).message}). ${advice}`, {
      cause: error,
    });
  }
}

/**
 * An object's methods as a host calls them, with every failure an error of the library.
 * @param {object} object
 */
export function methodsOf(object) {
  const calls = /** @type {Record<string, (argument: unknown) => unknown>} */ (object);
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== 'constructor');
  const methods = names.map((name) => {
    const guarded = async (/** @type {unknown} */ argument) => {
      try {
        return await calls[name](argument);
      } catch (error) {
        throw asError(error);
      }
    };
    return [name, guarded];
  });
  return { ...Object.fromEntries(methods), close() {} };
}

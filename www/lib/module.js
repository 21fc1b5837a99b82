/**
 * @file Fetching, compiling and starting a WebAssembly module.
 */
import { download } from './download.js';
import { GGhostError } from './errors.js';

/** A part from its file to its script's exports. */
export async function startPart(part, folder, { fetch, signal, onBytes = () => {} } = {}) {
  const bytes = await fetchWasm(part, folder, { fetch, signal, onBytes });
  return start(part, await compile(bytes), folder);
}

export async function fetchWasm(flavour, folder, options) {
  if (flavour.bytes) {
    const bytes = flavour.bytes();
    options.onBytes(bytes.length, bytes.length);
    return bytes;
  }
  const url = folder ? new URL(`${flavour.name}/g_ghostnet_bg.wasm`, folder) : flavour.url();
  const hint = 'The option wasmUrl names the folder of the engine.';
  return download(url, { what: 'The engine (WebAssembly)', hint, ...options });
}

/** Loads a module's script and makes an instance. */
export async function start(part, module, folder) {
  const glue = await loadGlue(part, folder);
  await glue.default({ module_or_path: module });
  return glue;
}

export async function compile(bytes) {
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

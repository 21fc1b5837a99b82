/** @file Scripts by their address: those of the engine's modules, which wasm-bindgen makes, and what few workers need. */

/**
 * Imports one. It has told its exports to the realm as well: of a module whose address it follows a bundler may make a
 * script, which has none.
 * @param {URL} url
 * @param {string} name of the module
 * @returns {Promise<any>} its types are known once it is built
 */
export async function importScript(url, name) {
  const script = await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ url.href);
  if (Object.keys(script).length > 0) return script;
  /** @type {{ [key: symbol]: Record<string, any> }} */
  const realm = globalThis;
  return realm[Symbol.for('g-ghostnet')][name];
}

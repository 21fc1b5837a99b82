/**
 * @file Workers by their address, where the form that bundlers follow finds none.
 */
import { defaultModel, defaultModelUrl } from './default-model.js';

/**
 * The package's folder, where its files have their own names, as they have without a bundler: one that takes files
 * along renames them.
 * @returns {string | undefined}
 */
export function packageFolder() {
  const end = `models/${defaultModel}`;
  try {
    const address = defaultModelUrl();
    return address.endsWith(`/${end}`) ? address.slice(0, -end.length) : undefined;
  } catch {
    return undefined; // this script has no address
  }
}

/**
 * A worker must be of the page's own origin: one of another is imported by a script that is made here.
 * @param {string} address
 * @param {string} name
 */
export function workerAt(address, name) {
  /** @type {WorkerOptions} */
  const options = { type: 'module', name };
  if (new URL(address).origin === globalThis.origin) return new Worker(address, options);
  const script = new Blob([`import ${JSON.stringify(address)};`], { type: 'text/javascript' });
  const url = URL.createObjectURL(script);
  const worker = new Worker(url, options);
  for (const event of ['message', 'error'])
    worker.addEventListener(event, () => URL.revokeObjectURL(url), { once: true });
  return worker;
}

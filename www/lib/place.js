/**
 * @file Where the package's own files are: beside its scripts, as `own(new URL('…', import.meta.url))` says it. That
 * form, with a call around it, is the one that bundlers and tracers of servers follow.
 */
import { GGhostError } from './errors.js';

/** As in package.json. */
export const version = '0.1.0';

/**
 * What is made of the addresses by hosts that move the scripts alone, and what they are.
 * @type {[RegExp, string][]}
 */
const moved = [
  // Vite before 8 has a package's scripts in node_modules/.vite/deps/ while developing.
  [/\/\.vite\//, '/g-ghostnet/'],
  // A bundle of jsDelivr's (+esm) lies in the package's folder, where the entry was in one below.
  [/^(https:\/\/\w+\.jsdelivr\.net\/npm\/)(?=(models|wasm)\/)/, `$1g-ghostnet@${version}/`],
];

/** The address of a file of the package. @param {URL} url as it is from the address of a script */
export function own(url) {
  const found = moved.find(([pattern]) => pattern.test(url.href));
  return found ? new URL(url.href.replace(...found)) : url;
}

/**
 * An address of the package's, of which nothing is known in a bundle that has no address itself.
 * @template T
 * @param {() => T} address
 */
export function located(address) {
  try {
    return address();
  } catch (cause) {
    throw new GGhostError('network', adviceFor(''), { cause });
  }
}

/**
 * The folder of the engine's files, if it is not that beside the scripts.
 * @param {{ wasmUrl?: string, packageUrl?: string }} places
 */
export const engineFolder = ({ wasmUrl, packageUrl }) => wasmUrl ?? (packageUrl && `${packageUrl}wasm/`);

/** What to do where a file of the package is not at its address. @param {string} address */
export function adviceFor(address) {
  return `The library’s files are not beside its scripts, which a bundler has moved: ${lineFor(address)}`;
}

/** @param {string} address */
function lineFor(address) {
  if (!globalThis.location)
    return (
      'leave g-ghostnet out of the server’s bundle, or deploy node_modules/g-ghostnet with it ' +
      '(Next: outputFileTracingIncludes).'
    );
  if (address.includes('/node_modules/g-ghostnet/'))
    return 'with Vite before 8, add optimizeDeps: { exclude: ["g-ghostnet"] } to its config.';
  if (globalThis.document?.querySelector?.('[ng-version]'))
    return (
      'add { "glob": "**/*", "input": "node_modules/g-ghostnet", "output": "g-ghostnet" } to "assets" in ' +
      'angular.json, and call load({ packageUrl: "g-ghostnet/" }).'
    );
  return (
    'serve a copy of the folder node_modules/g-ghostnet and name it, load({ packageUrl: "/g-ghostnet/" }), ' +
    'or import g-ghostnet/inline.'
  );
}

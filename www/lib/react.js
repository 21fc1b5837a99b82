/**
 * @file Hooks for React.
 */
import { useEffect, useRef, useState } from 'react';
import { load } from './index.js';

/** After so many renders in a row with a new object, an option counts as one that is made at every render. */
const RESTLESS = 2;

/** Names of options that were warned of. @type {Set<string>} */
const warned = new Set();

/**
 * @typedef {import('./index.d.ts').GGhostNet} Net
 * @typedef {ReturnType<import('./react.d.ts').useGGhostNet>} Loading
 * @typedef {ReturnType<import('./react.d.ts').useClassification>} Answer
 */

/** @type {import('./react.d.ts').useGGhostNet} */
export function useGGhostNet(options = {}) {
  const [state, setState] = useState(/** @type {Loading} */ ({}));
  /** @type {import('./index.d.ts').LoadOptions} */
  const { signal: _, onProgress: __, ...given } = options;
  const settled = Object.fromEntries(Object.entries(useSettled(given)).filter(([, value]) => value !== undefined));
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    /** @type {Net | undefined} */
    let net;
    const begin = async () => {
      // StrictMode takes its first effect back at once: nothing has begun by then.
      await undefined;
      return load({ ...settled, signal, onProgress: (progress) => !signal.aborted && setState({ progress }) });
    };
    setState((last) => (Object.keys(last).length ? {} : last));
    begin().then(
      (loaded) => {
        net = loaded;
        if (signal.aborted) loaded.dispose();
        else setState({ net: loaded });
      },
      (error) => !signal.aborted && setState({ error }),
    );
    return () => {
      controller.abort();
      net?.dispose();
    };
  }, [keyOf(settled)]);
  return state;
}

/** @type {import('./react.d.ts').useClassification} */
export function useClassification(net, input, { topK } = {}) {
  const [state, setState] = useState(/** @type {Answer} */ ({ pending: false }));
  const settled = useSettled({ input });
  useEffect(() => {
    if (!net || !settled.input) {
      setState((last) => (last.pending || last.result || last.error ? { pending: false } : last));
      return undefined;
    }
    const controller = new AbortController();
    const { signal } = controller;
    setState((last) => ({ ...last, pending: true, error: undefined }));
    net.classify(settled.input, { topK, signal }).then(
      (result) => !signal.aborted && setState({ result, pending: false }),
      (error) => !signal.aborted && setState({ error, pending: false }),
    );
    return () => controller.abort();
  }, [net, keyOf(settled), topK]);
  return state;
}

// --- Options written in place are new objects at every render ---

/** The text of what is compared by its text: an address, a list of labels. @param {unknown} value */
function comparable(value) {
  if (Object.prototype.toString.call(value) === '[object URL]') return String(value);
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return JSON.stringify(value);
  return value;
}

/** @param {unknown} value @returns {value is object} */
const isObject = (value) => typeof value === 'object' && value !== null;

/**
 * @typedef {object} Seen an option at the renders so far
 * @property {unknown} value that counts
 * @property {unknown} key of that value
 * @property {unknown} seen the key at the last render
 * @property {number} changes of the key in a row
 */

/**
 * Values that change only when they mean something else. Bytes, files and elements are told apart by identity; one that
 * is another object at every render keeps the value it had, because every load renders again and would have no end.
 * @template {object} T
 * @param {T} values
 * @returns {T}
 */
function useSettled(values) {
  const { current } = useRef(/** @type {Record<string, Seen>} */ ({}));
  const settled = Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const key = comparable(value);
      const last = (current[name] ??= { seen: key, value, key, changes: 0 });
      last.changes = key === last.seen ? 0 : last.changes + 1;
      last.seen = key;
      if (!isObject(key) || last.changes < RESTLESS) Object.assign(last, { value, key });
      else warn(name);
      return [name, last.value];
    }),
  );
  return /** @type {T} */ (settled);
}

/** Identities of objects, as texts that can be compared. @type {WeakMap<object, string>} */
const identities = new WeakMap();
let count = 0;

/** @param {unknown} value */
function identityOf(value) {
  if (!isObject(value)) return `${typeof value} ${String(value)}`;
  const known = identities.get(value) ?? `object ${++count}`;
  identities.set(value, known);
  return known;
}

/** @param {Record<string, unknown>} values */
const keyOf = (values) =>
  Object.keys(values)
    .sort()
    .map((name) => `${name}: ${identityOf(comparable(values[name]))}`)
    .join('\n');

/** @param {string} name of an option */
function warn(name) {
  if (warned.has(name) || !inDevelopment()) return;
  warned.add(name);
  console.warn(
    `g-ghostnet: ${name} is another object at every render, and only the first ones count: ` +
      'keep it, as with useMemo or outside of the component.',
  );
}

/** Bundlers put a value in place of this name; elsewhere it may not exist. */
function inDevelopment() {
  try {
    return process.env.NODE_ENV !== 'production';
  } catch {
    return false;
  }
}

/**
 * @file Hooks for React.
 */
import { useEffect, useRef, useState } from 'react';
import { load } from './index.js';

/** Renders in a row with another object each time, after which it is taken for one that is made at every render. */
const RESTLESS = 2;

/** Names of options that were warned of. */
const warned = new Set();

/** @type {import('./react.d.ts').useGGhostNet} */
export function useGGhostNet(options = {}) {
  const [state, setState] = useState({});
  const { signal: _, onProgress: __, ...given } = options;
  const settled = Object.fromEntries(Object.entries(useSettled(given)).filter(([, value]) => value !== undefined));
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
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
        if (signal.aborted) net.dispose();
        else setState({ net });
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
  const [state, setState] = useState({ pending: false });
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

/** What is told apart by its text: an address, a list of labels. */
function comparable(value) {
  if (Object.prototype.toString.call(value) === '[object URL]') return String(value);
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return JSON.stringify(value);
  return value;
}

const isObject = (value) => typeof value === 'object' && value !== null;

/**
 * Values that change only when they mean something else. Bytes, files and elements are told apart by identity; one that
 * is another object at every render keeps the value it had, because every load renders again and would have no end.
 * @template {Record<string, unknown>} T
 * @param {T} values
 * @returns {T}
 */
function useSettled(values) {
  const { current } = useRef({});
  return Object.fromEntries(
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
}

/** Identities of objects, as texts that can be compared. */
const identities = new WeakMap();
let count = 0;

function identityOf(value) {
  if (!isObject(value)) return `${typeof value} ${String(value)}`;
  if (!identities.has(value)) identities.set(value, `object ${++count}`);
  return identities.get(value);
}

const keyOf = (values) =>
  Object.keys(values)
    .sort()
    .map((name) => `${name}: ${identityOf(comparable(values[name]))}`)
    .join('\n');

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

/**
 * @file Hooks for React.
 */
import { useEffect, useState } from 'react';
import { load } from './index.js';

/** @type {import('./react.d.ts').useGGhostNet} */
export function useGGhostNet(options = {}) {
  const [state, setState] = useState({});
  const { model, variant, labels, weights, backend, precision, threads, worker, wasmUrl, flavour } = options;
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let net;
    setState({});
    load({ ...options, signal, onProgress: (progress) => !signal.aborted && setState({ progress }) }).then(
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
    // Options written in place are new objects at every render: their values count.
  }, [model, variant, labels?.join('\n'), weights, backend, precision, threads, worker, String(wasmUrl), flavour]);
  return state;
}

/** @type {import('./react.d.ts').useClassification} */
export function useClassification(net, input, { topK } = {}) {
  const [state, setState] = useState({ pending: false });
  useEffect(() => {
    if (!net || !input) {
      setState({ pending: false });
      return undefined;
    }
    const controller = new AbortController();
    const { signal } = controller;
    setState((last) => ({ ...last, pending: true, error: undefined }));
    net.classify(input, { topK, signal }).then(
      (result) => !signal.aborted && setState({ result, pending: false }),
      (error) => !signal.aborted && setState({ error, pending: false }),
    );
    return () => controller.abort();
  }, [net, input, topK]);
  return state;
}

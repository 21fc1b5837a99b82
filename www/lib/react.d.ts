import type { Classification, GGhostError, GGhostNet, ImageInput, LoadOptions, Progress } from './index.js';

/**
 * Loads a net for the lifetime of the component. You may write options in place: addresses and labels are compared by
 * their text. Bytes, files and devices are compared by identity, so keep them in `useMemo` or outside of the component.
 * @example
 * const { net, progress, error } = useGGhostNet({ backend: 'wasm' });
 * // net is undefined until it is loaded
 */
export function useGGhostNet(options?: Omit<LoadOptions, 'signal' | 'onProgress'>): {
  net?: GGhostNet;
  progress?: Progress;
  error?: GGhostError;
};

/**
 * Classifies a picture whenever it changes; the last picture wins. Addresses are compared by their text, everything
 * else by identity.
 * @example
 * const { result, pending, error } = useClassification(net, file, { topK: 3 });
 * // result?.top: [{ label: 'Egyptian cat', index: 114, probability: 0.8 }, ...]
 */
export function useClassification(
  net: GGhostNet | undefined,
  input: ImageInput | null | undefined,
  options?: { topK?: number },
): { result?: Classification; pending: boolean; error?: GGhostError };

import type { Classification, GGhostError, GGhostNet, ImageInput, LoadOptions, Progress } from './index.js';

/**
 * Loads a net for as long as the component lives. Options may be written in place: addresses and labels are told apart
 * by what they say, bytes, files and devices by identity, so keep these (`useMemo`, or outside of the component).
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
 * Classifies a picture whenever it is another one; the last one wins. Addresses are told apart by their text, all else
 * by identity.
 * @example
 * const { result, pending, error } = useClassification(net, file, { topK: 3 });
 * // result?.top: [{ label: 'Egyptian cat', index: 114, probability: 0.8 }, ...]
 */
export function useClassification(
  net: GGhostNet | undefined,
  input: ImageInput | null | undefined,
  options?: { topK?: number },
): { result?: Classification; pending: boolean; error?: GGhostError };

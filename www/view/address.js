/** @file What is looked at, in the address: a link shows the same. */

/**
 * What a visitor has chosen, as it is before anyone chose: only what differs is written.
 * @type {import('../explorer/state.js').Choices}
 */
export const defaults = {
  sample: 'cat.jpg',
  model: '',
  backend: 'auto',
  stage: 'layer2',
  tab: 'twins',
  compare: '',
  pin: '',
  side: 0,
  class: '',
  threshold: 0.7,
  metric: 'pearson',
  sort: 'channel',
  palette: 'viridis',
  scale: 'local',
  language: '',
  theme: '',
};

/** Numbers, and between what they are. @type {Record<string, [number, number]>} */
const ranges = { threshold: [0.5, 0.95], side: [32, 1024] };

/** Choices of a few. @type {Record<string, string[]>} */
export const offered = {
  backend: ['auto', 'webgpu', 'wasm'],
  metric: ['pearson', 'cosine'],
  sort: ['channel', 'similarity', 'energy'],
  palette: ['viridis', 'cividis', 'grey', 'diverging'],
  scale: ['local', 'pair', 'stage'],
  theme: ['light', 'dark'],
};

/**
 * What an address asks for; names, values and numbers that there are not are left out.
 * @param {string} hash
 * @returns {Partial<import('../explorer/state.js').Choices>}
 */
export function readAddress(hash) {
  /** @type {Record<string, string | number>} */
  const found = {};
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (!Object.hasOwn(defaults, name)) continue;
    const [low, high] = ranges[name] ?? [];
    if (low === undefined && (offered[name]?.includes(value) ?? true)) found[name] = value;
    else if (Number(value) >= low && Number(value) <= high) found[name] = Number(value);
  }
  return found;
}

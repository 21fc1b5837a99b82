/** @file What is looked at, in the address: a link shows the same. */

/**
 * What a visitor has chosen, as it is before anyone chose: only what differs is written.
 * @type {import('../explorer/state.js').Choices}
 */
export const defaults = {
  sample: 'cat.jpg',
  model: '',
  backend: 'auto',
  stage: 'layer3',
  tab: 'twins',
  compare: '',
  pin: '',
  threshold: 0.7,
  metric: 'pearson',
  sort: 'channel',
  palette: 'viridis',
  scale: 'local',
  language: '',
  theme: '',
};

/**
 * What an address asks for; unknown names and impossible numbers are left out.
 * @param {string} hash
 * @returns {Partial<import('../explorer/state.js').Choices>}
 */
export function readAddress(hash) {
  /** @type {Record<string, string | number>} */
  const found = {};
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (!Object.hasOwn(defaults, name)) continue;
    if (name !== 'threshold') found[name] = value;
    else if (Number(value) >= 0.5 && Number(value) <= 0.95) found[name] = Number(value);
  }
  return found;
}

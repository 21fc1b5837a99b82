/**
 * The library with its engine inside the script, for bundlers that lose files and for hosts without files. It runs
 * without a worker, and has no WebGPU, no `redundancy`, no `ablated`, no twins, no `openSimilarity` and no bundled
 * model.
 */
export { clearCache, GGhostError, load } from './index.js';
export type * from './index.js';

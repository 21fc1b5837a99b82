/** The library with its engine inside the script, for bundlers that lose files; it runs without a worker. */
export { clearCache, GGhostError, load } from './index.js';
export type * from './index.js';

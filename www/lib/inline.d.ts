/** The library with its engine inside the script, for bundlers that lose files; it runs without a worker. */
export * from './index.js';

/** The library for module service workers, such as the background of an extension. It runs without a worker. */
export * from './index.js';

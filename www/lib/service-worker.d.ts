/** The library for module service workers, an extension's background among them; it runs in place. */
export * from './index.js';

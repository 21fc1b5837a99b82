/** @file What few visitors need, as one script: unusual pictures and models, and what is made of models. */
export * from './container.js';
export * from './edit.js';
export * from './kind.js';
export * from './reader.js';
export * from './self-test.js';
export * from './shards.js';

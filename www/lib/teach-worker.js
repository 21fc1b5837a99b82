/**
 * @file The worker that makes classifiers, which also tells its progress: `{ progress }`.
 */
import { serve } from './serve.js';
import { teachMethods } from './teach-engine.js';

serve(teachMethods({ onProgress: (/** @type {unknown} */ progress) => postMessage({ progress }) }));

/**
 * @file The worker of an engine, which also tells its progress while it loads: `{ progress }`.
 */
import { engineMethods } from './engine.js';
import { serve } from './serve.js';
import { startThreads } from './threads.js';

serve(engineMethods({ onProgress: (progress) => postMessage({ progress }), startThreads }));

/**
 * @file Scripts that are fetched when they are first needed. Where nothing may be imported later, as in a service
 * worker, an entry imports them itself and puts them here.
 */
import { own } from './place.js';
import { importScript } from './script.js';

/** What calls need. */
export const lazyCalls = {
  analysis: () => import('./analysis.js'),
  bitmap: () => import('./bitmap.js'),
  draw: () => import('./draw.js'),
  engine: () => import('./engine.js'),
  similarity: () => import('./similarity.js'),
  similarityEngine: () => import('./similarity-engine.js'),
  svg: () => import('./svg.js'),
  teach: () => import('./teacher.js'),
  teachEngine: () => import('./teach-engine.js'),
};

/** What pictures and the engine need, also in a worker: by its address, because a worker is one file. */
export const lazy = {
  /** @type {() => Promise<typeof import('./gpu.js')>} */
  gpu: () => importScript(own(new URL('./gpu.js', import.meta.url)), 'gpu'),
  /** @type {() => Promise<typeof import('./more.js')>} */
  more: () => importScript(own(new URL('./more.js', import.meta.url)), 'more'),
};

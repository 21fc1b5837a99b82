/**
 * @file Scripts that are fetched when they are first needed. Where nothing may be imported later, as in a service
 * worker,
 * an entry imports them itself and puts them here.
 */
export const lazy = {
  container: () => import('./container.js'),
  draw: () => import('./draw.js'),
  edit: () => import('./edit.js'),
  engine: () => import('./engine.js'),
  gpu: () => import('./gpu.js'),
  kind: () => import('./kind.js'),
  pth: () => import('./pth.js'),
  selfTest: () => import('./self-test.js'),
  shards: () => import('./shards.js'),
  similarity: () => import('./similarity.js'),
  similarityEngine: () => import('./similarity-engine.js'),
  study: () => import('./study.js'),
  svg: () => import('./svg.js'),
  threads: () => import('./threads.js'),
};

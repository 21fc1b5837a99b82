/**
 * What the plain script `g-ghostnet.global.js` defines: `import type {} from 'g-ghostnet/global'` brings the types
 * alone.
 */
declare global {
  const GGhostNet: typeof import('./index.js');
}
export {};

/** What the plain script `g-ghostnet.global.js` defines. */
declare global {
  const GGhostNet: typeof import('./index.js');
}
export {};

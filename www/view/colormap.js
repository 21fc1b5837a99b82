/** @file Viridis: even steps of lightness, the same for every kind of colour vision. */
const anchors = [
  [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140],
  [34, 167, 132], [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 36],
];

/** 256 colours as bytes r, g, b, 255. */
export const viridis = new Uint32Array(256).map((_, i) => {
  const at = (i / 255) * (anchors.length - 1);
  const low = Math.min(Math.floor(at), anchors.length - 2);
  const mix = (channel) => Math.round(anchors[low][channel] + (at - low) * (anchors[low + 1][channel] - anchors[low][channel]));
  return new Uint32Array(new Uint8Array([mix(0), mix(1), mix(2), 255]).buffer)[0];
});

import type { HTMLCanvasElement, OffscreenCanvas } from './dom.js';
import type { FeatureMaps } from './index.js';

export interface DrawOptions {
  /** Which maps, in which order; all of them by default. */
  channels?: number[];
  /** Side of a map in canvas pixels; one pixel for each position by default. */
  cell?: number;
  /** Maps in a row. */
  columns?: number;
  /** Empty canvas pixels after each map. */
  gap?: number;
  colormap?: 'viridis' | 'grey';
  /** Whether each map has a colour range of its own or all have one. */
  scale?: 'map' | 'all';
}

/**
 * Draws feature maps as a grid; the canvas takes its size.
 * @example
 * const { maps, stage } = await net.features(file, { stage: 3 });
 * drawMaps(canvas, maps[stage.first], { cell: 20, columns: 20 });
 * // canvas.width: 400
 */
export function drawMaps(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  maps: Pick<FeatureMaps, 'data' | 'dims'>,
  options?: DrawOptions,
): void;

/**
 * The largest square cells, in steps of 4 pixels, with which all maps fit.
 * @example
 * layOut(240, 500, 300);
 * // { cell: 24, columns: 20, rows: 12 }
 */
export function layOut(maps: number, width: number, height: number): { cell: number; columns: number; rows: number };

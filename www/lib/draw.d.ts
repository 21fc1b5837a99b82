import type { HTMLCanvasElement, OffscreenCanvas } from './dom.js';
import type { FeatureMaps } from './index.js';

export interface DrawOptions {
  /** The maps to draw, in this order; all of them by default. */
  channels?: number[];
  /** Side of a map in canvas pixels; by default each position is one pixel. */
  cell?: number;
  /** Number of maps in a row. */
  columns?: number;
  /** Gap after each map, in canvas pixels. */
  gap?: number;
  colormap?: 'viridis' | 'grey';
  /** `'map'`: each map has its own colour range; `'all'`: all maps share one. */
  scale?: 'map' | 'all';
}

/**
 * Draws feature maps as a grid and sets the canvas to its size.
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
 * The largest square cells, in steps of 4 pixels, with which all maps fit into the given width and height.
 * @example
 * layOut(240, 500, 300);
 * // { cell: 24, columns: 20, rows: 12 }
 */
export function layOut(maps: number, width: number, height: number): { cell: number; columns: number; rows: number };

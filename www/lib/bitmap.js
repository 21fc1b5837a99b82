/**
 * @file What a graphics card has drawn, on a canvas of the page.
 */
import { GGhostError } from './errors.js';

/**
 * Shows a picture on a canvas, which takes its size and may have a context already.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {ImageBitmap} bitmap
 */
export function showBitmap(canvas, bitmap) {
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext('2d') ?? canvas.getContext('bitmaprenderer');
  if (context && 'transferFromImageBitmap' in context) {
    context.transferFromImageBitmap(bitmap);
    return;
  }
  if (!context) {
    const text = 'The canvas has a context of another kind: use a fresh one, or one for 2d or bitmaprenderer.';
    throw new GGhostError('unsupported', text);
  }
  /** @type {CanvasRenderingContext2D} */ (context).drawImage(bitmap, 0, 0);
  bitmap.close();
}

import type { URL } from './dom.js';
import type { Pixels } from './index.js';

export * from './index.js';

/**
 * Decodes a picture file to RGBA as a browser does. The file is a path or a `file:` address. All formats but BMP and
 * ICO need the package sharp.
 * @example
 * const { width, height } = await readImage('photo.jpg');
 * // 640 427
 */
export function readImage(file: string | URL): Promise<Pixels & { data: Uint8Array }>;

/** Decodes the bytes of a picture file to RGBA. */
export function decodeImage(bytes: Uint8Array): Promise<Pixels & { data: Uint8Array }>;

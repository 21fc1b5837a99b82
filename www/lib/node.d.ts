import type { URL } from './dom.js';
import type { Pixels } from './index.js';

export * from './index.js';

/**
 * Reads a picture file, by path or `file:` address, to RGBA as a browser does; needs the package sharp for all but BMP.
 * @example
 * const { width, height } = await readImage('photo.jpg');
 * // 640 427
 */
export function readImage(file: string | URL): Promise<Pixels & { data: Uint8Array }>;

/** The same of a file's bytes. */
export function decodeImage(bytes: Uint8Array): Promise<Pixels & { data: Uint8Array }>;

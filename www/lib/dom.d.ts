/**
 * @file Classes of browsers and Node as the project has them that uses these types: a class that none of its libraries
 * declares (`lib` without `DOM`, say) is `never`, and drops out of what a function takes.
 */
type Class<Name extends string> =
  typeof globalThis extends Record<Name, { prototype: infer Instance }> ? Instance : never;

export type AbortSignal = Class<'AbortSignal'>;
export type Blob = Class<'Blob'>;
export type File = Class<'File'>;
export type HTMLCanvasElement = Class<'HTMLCanvasElement'>;
export type HTMLImageElement = Class<'HTMLImageElement'>;
export type HTMLPictureElement = Class<'HTMLPictureElement'>;
export type HTMLVideoElement = Class<'HTMLVideoElement'>;
export type ImageBitmap = Class<'ImageBitmap'>;
export type ImageData = Class<'ImageData'>;
export type OffscreenCanvas = Class<'OffscreenCanvas'>;
export type Response = Class<'Response'>;
export type SVGImageElement = Class<'SVGImageElement'>;
export type SVGSVGElement = Class<'SVGSVGElement'>;
export type URL = Class<'URL'>;
export type VideoFrame = Class<'VideoFrame'>;
export type WebAssemblyModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Instance } } }
  ? Instance
  : never;

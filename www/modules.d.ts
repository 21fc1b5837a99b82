// What the bundler makes of imports that are no scripts.

declare module '*.css' {
  const text: string;
  export default text;
}

declare module '*.js?page' {
  export const page: Record<string, string | { one?: string; other: string }>;
}

declare module '*.js?explorer' {
  export const explorer: Record<string, string | { one?: string; other: string }>;
}

declare module 'd3-scale-chromatic' {
  export const interpolateCividis: (part: number) => string;
  export const interpolateRdBu: (part: number) => string;
}

/** The engine's modules, which are built. */
declare module '*/g_ghostnet.js' {
  const glue: any;
  export = glue;
}

/** The engine inside a script, which is packed. */
declare module '*/inline-wasm.js' {
  export const wasm: string;
  export const reader: string;
}

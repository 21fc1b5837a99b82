// Feature maps in a grid of square cells, and where they lie: after one values_*, before range.wgsl or draw.wgsl.
//
// Rust twin: `Uniform` in src/gpu/draw.rs

struct Picture {
  first: u32, // element of channel 0 of the image
  pitch: u32, // elements from channel to channel
  height: u32, // of a map
  width: u32,
  count: u32, // maps
  columns: u32, // cells in a row
  cell: u32, // side of a cell in pixels of the picture
  gap: u32, // empty pixels after each cell
  one_scale: u32, // whether all maps share one scale
}

@group(0) @binding(0) var<uniform> picture: Picture;
@group(0) @binding(1) var<storage, read> values: array<Value>;
@group(0) @binding(2) var<storage, read> channels: array<u32>;

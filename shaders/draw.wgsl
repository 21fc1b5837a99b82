// Feature maps as a picture: a triangle over everything, and each pixel finds its cell, its number and its colour.
//
//   colour = palette[255 * (value - min) / (max - min)]; the lowest where all numbers are equal
//
// After picture.wgsl; the ranges come from range.wgsl. JavaScript twin: www/lib/draw.js

@group(0) @binding(3) var<storage, read> palette: array<u32>; // 256 colours, r in the lowest byte
@group(0) @binding(4) var<storage, read> ranges: array<vec2<f32>>;

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
  return vec4(f32(index / 2u) * 4.0 - 1.0, f32(index % 2u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn fragment(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
  let at = vec2<u32>(position.xy);
  let step = picture.cell + picture.gap;
  let cell = at / step;
  let map = cell.y * picture.columns + cell.x;
  let inside = at - cell * step;
  if cell.x >= picture.columns || map >= picture.count || max(inside.x, inside.y) >= picture.cell {
    return vec4(0.0);
  }
  let pixel = inside.y * picture.height / picture.cell * picture.width + inside.x * picture.width / picture.cell;
  let value = f32(values[picture.first + channels[map] * picture.pitch + pixel]);
  let range = ranges[select(map, 0u, picture.one_scale != 0u)];
  let part = select(0.0, (value - range.x) / (range.y - range.x), range.y > range.x);
  return unpack4x8unorm(palette[u32(clamp(part, 0.0, 1.0) * 255.0 + 0.5)]);
}

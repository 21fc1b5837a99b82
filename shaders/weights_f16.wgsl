// Weights in f16, the same blocks as in weights_f32.wgsl: two vec4 of pairs are one block.
// Sums stay in f32, and no optional feature is needed to unpack.

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;

fn weight_block(index: u32) -> mat4x4<f32> {
  let a = weights[2u * index];
  let b = weights[2u * index + 1u];
  return mat4x4(
    vec4(unpack2x16float(a.x), unpack2x16float(a.y)), vec4(unpack2x16float(a.z), unpack2x16float(a.w)),
    vec4(unpack2x16float(b.x), unpack2x16float(b.y)), vec4(unpack2x16float(b.z), unpack2x16float(b.w)),
  );
}

// Weights in f32: blocks of 4 inputs x 4 outputs of one tap.
// Block ((group * blocks_out + output) * taps + tap) * blocks_in + input; column = output, row = input.
// Missing channels are zero. Rust twin: `pack` in src/gpu/weights.rs

@group(0) @binding(2) var<storage, read> weights: array<mat4x4<f32>>;

fn weight_block(index: u32) -> mat4x4<f32> {
  return weights[index];
}

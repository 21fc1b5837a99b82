// Convolution for adapters in software: 8 outputs x 8 pixels in registers, no barrier, no shared memory.
//
//   y[o, p] = activation(scale[o] * sum over taps t and inputs i of w[o, t, i] * x[i, p under t] + shift[o] + add[o, p])
//
// On a CPU a load costs an address, a bounds check and a gather for each lane, far more than a
// multiplication; so each invocation takes 64 numbers to 128 of them: the sum grows by products of
// 4 x 4 matrices, [pixel][input] x [input][output].
// After shapes.wgsl, one weights_*, one load_* and one finish*. CPU twin: src/cpu/gemm.rs

override lanes = 4u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Pairs of quads first, then pairs of output blocks, then groups: no lane idles but the last ones.
  let pairs = (quads() + 1u) / 2u;
  let tiles = (blocks_out() + 1u) / 2u;
  let index = index_of(workgroup, workgroups) * lanes + lane;
  let quad = index % pairs * 2u;
  let block = index / pairs % tiles * 2u;
  let group = index / pairs / tiles;
  if group >= shapes.groups {
    return;
  }
  let channels = shapes.x_channels;
  let kernel = shapes.kernel;
  let next_output = kernel * kernel * blocks_in();
  var weight = (group * blocks_out() + block) * next_output;
  let first = window_of(group, quad);
  let second = window_of(group, quad + 1u);
  var sum_00 = mat4x4<f32>(); // [output block][quad]
  var sum_01 = mat4x4<f32>();
  var sum_10 = mat4x4<f32>();
  var sum_11 = mat4x4<f32>();
  for (var row = 0u; row < kernel; row++) {
    for (var column = 0u; column < kernel; column++) {
      let a = under(first, row, column);
      let b = under(second, row, column);
      for (var c = 0u; c < channels; c += 4u) {
        let w_0 = weight_block(weight);
        let w_1 = weight_block(weight + next_output);
        let x_0 = mat4x4(load(a, c), load(a, c + 1u), load(a, c + 2u), load(a, c + 3u));
        let x_1 = mat4x4(load(b, c), load(b, c + 1u), load(b, c + 2u), load(b, c + 3u));
        sum_00 += x_0 * w_0;
        sum_01 += x_1 * w_0;
        sum_10 += x_0 * w_1;
        sum_11 += x_1 * w_1;
        weight++;
      }
    }
  }
  // A loop, because the end unrolled for every channel takes longer to compile than all the rest.
  var sums_0 = array<mat4x4<f32>, 2>(sum_00, sum_10);
  var sums_1 = array<mat4x4<f32>, 2>(sum_01, sum_11);
  let end_0 = end_of(group, quad);
  let end_1 = end_of(group, quad + 1u);
  for (var i = 0u; i < 8u; i++) {
    store(end_0, 4u * block + i, sums_0[i / 4u][i % 4u]);
    store(end_1, 4u * block + i, sums_1[i / 4u][i % 4u]);
  }
}

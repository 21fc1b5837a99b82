// Convolution for adapters in software: 8 outputs x 8 pixels in registers, no barrier, no shared memory.
//
//   y[o, p] = activation(scale[o] * sum over taps t and inputs i of w[o, t, i] * x[i, p under t] + shift[o] + add[o, p])
//
// On a CPU a load costs an address, a bounds check and a gather for each lane, far more than a
// multiplication; so each invocation takes 64 numbers to 128 of them: the sum grows by products of
// 4 x 4 matrices, [pixel][input] x [input][output].
// After step.wgsl, one weights_*, one load_* and one finish*. CPU twin: src/cpu/gemm.rs

override lanes = 4u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (blocks_out() + 1u) / 2u;
  let index = workgroup.x + workgroup.y * workgroups.x;
  let block = index % tiles * 2u;
  let group = index / tiles % step.groups;
  let quad = index / tiles / step.groups * (2u * lanes) + lane;

  let near = window_of(quad);
  let far = window_of(quad + lanes);
  let depth = blocks_in();
  let next_output = taps() * depth;
  var index_of_weights = (group * blocks_out() + block) * next_output;
  var near_0 = mat4x4<f32>();
  var near_1 = mat4x4<f32>();
  var far_0 = mat4x4<f32>();
  var far_1 = mat4x4<f32>();
  for (var tap = 0u; tap < taps(); tap++) {
    let a = under(near, tap);
    let b = under(far, tap);
    for (var c = 0u; c < step.x_channels; c += 4u) {
      let w_0 = weight_block(index_of_weights);
      let w_1 = weight_block(index_of_weights + next_output);
      let x_near = mat4x4(load(a, group, c), load(a, group, c + 1u), load(a, group, c + 2u), load(a, group, c + 3u));
      let x_far = mat4x4(load(b, group, c), load(b, group, c + 1u), load(b, group, c + 2u), load(b, group, c + 3u));
      near_0 += x_near * w_0;
      near_1 += x_near * w_1;
      far_0 += x_far * w_0;
      far_1 += x_far * w_1;
      index_of_weights++;
    }
  }
  store_block(group, 4u * block, quad, near_0);
  store_block(group, 4u * block + 4u, quad, near_1);
  store_block(group, 4u * block, quad + lanes, far_0);
  store_block(group, 4u * block + 4u, quad + lanes, far_1);
}

fn store_block(group: u32, channel: u32, quad: u32, sums: mat4x4<f32>) {
  store(group, channel, quad, sums[0]);
  store(group, channel + 1u, quad, sums[1]);
  store(group, channel + 2u, quad, sums[2]);
  store(group, channel + 3u, quad, sums[3]);
}

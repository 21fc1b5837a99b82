// Convolution for adapters in hardware: 64 invocations share tiles of weights and inputs.
//
//   y[o, p] = activation(scale[o] * sum over taps t and inputs i of w[o, t, i] * x[i, p under t] + shift[o] + add[o, p])
//
// Each invocation sums 8 outputs x 8 pixels as products of 4 x 4 matrices, [pixel][input] x [input][output].
// The workgroup's tile is 8 * rows outputs x 512 / rows pixels, so that groups with few outputs waste none.
// Shared memory: rows * depth * 128 + depth * 128 / rows * 64 bytes, at most 10 KiB.
// After shapes.wgsl, one weights_*, one load_* and one finish*. CPU twin: src/cpu/gemm.rs

override rows = 8u; // 2, 4 or 8
override depth = 4u; // blocks of 4 inputs loaded at a time

const invocations = 64u;
var<workgroup> shared_weights: array<mat4x4<f32>, 2u * rows * depth>; // [output block][input block]
var<workgroup> shared_x: array<vec4<f32>, 4u * depth * 128u / rows>; // [input][quad]

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let columns = invocations / rows;
  let tile_quads = 2u * columns;
  let tile_blocks = 2u * rows;
  let tiles = (blocks_out() + tile_blocks - 1u) / tile_blocks;
  let index = index_of(workgroup, workgroups);
  let first_block = index % tiles * tile_blocks;
  let group = index / tiles % shapes.groups;
  let first_quad = index / tiles / shapes.groups * tile_quads;

  // What this invocation loads: always the same quad, every few inputs.
  let own_quad = lane % tile_quads;
  let own_window = window_of(group, min(first_quad + own_quad, quads() - 1u));
  let loaders = invocations / tile_quads;
  // What it sums: interleaved with its neighbours, so that their reads and writes are side by side.
  let column = lane % columns;
  let row = lane / columns;

  var near_0 = mat4x4<f32>();
  var near_1 = mat4x4<f32>();
  var far_0 = mat4x4<f32>();
  var far_1 = mat4x4<f32>();
  let taps = shapes.kernel * shapes.kernel;
  for (var tap = 0u; tap < taps; tap++) {
    let window = under(own_window, tap / shapes.kernel, tap % shapes.kernel);
    for (var first = 0u; first < blocks_in(); first += depth) {
      for (var i = lane; i < tile_blocks * depth; i += invocations) {
        let output = first_block + i / depth;
        let input = first + i % depth;
        var block = mat4x4<f32>();
        if output < blocks_out() && input < blocks_in() {
          block = weight_block(((group * blocks_out() + output) * taps + tap) * blocks_in() + input);
        }
        shared_weights[i] = block;
      }
      for (var i = lane / tile_quads; i < 4u * depth; i += loaders) {
        shared_x[i * tile_quads + own_quad] = load(window, 4u * first + i);
      }
      workgroupBarrier();
      for (var block = 0u; block < depth; block++) {
        let w_0 = shared_weights[row * depth + block];
        let w_1 = shared_weights[(row + rows) * depth + block];
        let at = 4u * block * tile_quads + column;
        let x_near = mat4x4(
          shared_x[at], shared_x[at + tile_quads], shared_x[at + 2u * tile_quads], shared_x[at + 3u * tile_quads],
        );
        let next = at + columns;
        let x_far = mat4x4(
          shared_x[next], shared_x[next + tile_quads], shared_x[next + 2u * tile_quads], shared_x[next + 3u * tile_quads],
        );
        near_0 += x_near * w_0;
        near_1 += x_near * w_1;
        far_0 += x_far * w_0;
        far_1 += x_far * w_1;
      }
      workgroupBarrier();
    }
  }
  let channel = 4u * (first_block + row);
  let near = end_of(group, first_quad + column);
  let far = end_of(group, first_quad + column + columns);
  store_block(near, channel, near_0);
  store_block(near, channel + 4u * rows, near_1);
  store_block(far, channel, far_0);
  store_block(far, channel + 4u * rows, far_1);
}

fn store_block(end: End, channel: u32, sums: mat4x4<f32>) {
  store(end, channel, sums[0]);
  store(end, channel + 1u, sums[1]);
  store(end, channel + 2u, sums[2]);
  store(end, channel + 3u, sums[3]);
}

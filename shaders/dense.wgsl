// 1 x 1 convolution on one pixel, the fully connected layer: 4 outputs of one image in each workgroup,
// whose lanes split the inputs.
//
//   y[o, n] = activation(scale[o] * sum over i of w[o, i] * x[i, n] + shift[o] + add[o, n])
//
// After shapes.wgsl and one weights_*. CPU twin: src/cpu/gemm.rs

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(3) var<storage, read> norm: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> add: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<Value>;

override lanes = 64u;
var<workgroup> sums: array<vec4<f32>, lanes>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(workgroup, workgroups);
  let block = index % blocks_out();
  let image = index / blocks_out();
  let last = shapes.x_channels - 1u;
  var sum = vec4(0.0);
  for (var i = lane; i < blocks_in(); i += lanes) {
    let first = shapes.x_first + image;
    let input = Value4(
      x[first + min(4u * i, last) * shapes.x_pitch],
      x[first + min(4u * i + 1u, last) * shapes.x_pitch],
      x[first + min(4u * i + 2u, last) * shapes.x_pitch],
      x[first + min(4u * i + 3u, last) * shapes.x_pitch],
    );
    sum += vec4<f32>(input) * weight_block(block * blocks_in() + i);
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  let channel = 4u * block + lane;
  if lane < 4u && channel < shapes.y_channels && image < shapes.batch {
    var value = sums[0][lane] * norm[channel].x + norm[channel].y;
    if shapes.add_kind != ADD_NONE {
      value += f32(add[shapes.add_first + channel * shapes.add_pitch + image]);
    }
    y[shapes.y_first + channel * shapes.y_pitch + image] = Value(activate(vec4(value), shapes.activation).x);
  }
}

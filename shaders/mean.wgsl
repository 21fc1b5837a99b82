// Mean of a plane, one channel of one image in each workgroup.
//
//   y[c, n] = sum over the pixels p of image n of x[c, p] / (height * width)
//
// After shapes.wgsl. CPU twin: `mean` in src/cpu/mod.rs

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<Value>;

override lanes = 64u;
var<workgroup> sums: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(workgroup, workgroups);
  let channel = index % shapes.x_channels;
  let image = index / shapes.x_channels;
  let plane = shapes.x_height * shapes.x_width;
  let first = shapes.x_first + channel * shapes.x_pitch + image * plane;
  // Rows of lanes first, so that no sum gets long.
  var sum = 0.0;
  for (var row = 0u; row < plane; row += 16u * lanes) {
    var part = 0.0;
    for (var p = row + lane; p < min(row + 16u * lanes, plane); p += lanes) {
      part += f32(x[first + p]);
    }
    sum += part;
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      sums[lane] += sums[lane + half];
    }
  }
  if lane == 0u && image < shapes.batch {
    y[shapes.y_first + channel * shapes.y_pitch + image] = Value(sums[0] / f32(plane));
  }
}

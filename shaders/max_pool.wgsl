// 3 x 3 maximum with stride 2 and padding 1, where the padding never wins.
//
//   y[c, p] = max over the pixels q of the window around p of x[c, q]
//
// After shapes.wgsl. CPU twin: `max_pool` in src/cpu/mod.rs

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<Value>;

override lanes = 64u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = place_of(index_of(workgroup, workgroups), shapes.x_channels, lanes, lane);
  let channel = place.channel;
  let pixel = place.part;
  let plane = shapes.y_height * shapes.y_width;
  let image = pixel / plane;
  if image >= shapes.batch {
    return;
  }
  let row = (pixel - image * plane) / shapes.y_width * 2u;
  let column = pixel % shapes.y_width * 2u;
  let first = shapes.x_first + channel * shapes.x_pitch + image * shapes.x_height * shapes.x_width;
  let bottom = min(row + 1u, shapes.x_height - 1u);
  let right = min(column + 1u, shapes.x_width - 1u);
  var largest = x[first + row * shapes.x_width + column];
  for (var r = max(row, 1u) - 1u; r <= bottom; r++) {
    for (var c = max(column, 1u) - 1u; c <= right; c++) {
      largest = max(largest, x[first + r * shapes.x_width + c]);
    }
  }
  y[shapes.y_first + channel * shapes.y_pitch + pixel] = largest;
}

// Copy, sum and channel gate, a quad of pixels at a time.
//
//   y[c, p] = x[c, p],  x[c, p] + add[c, p]  or  x[c, p] * add[c, image of p], by the step's add_kind
//
// After shapes.wgsl. CPU twin: `for_each_pixel` in src/cpu/mod.rs

@group(0) @binding(1) var<storage, read> x: array<Value4>;
@group(0) @binding(4) var<storage, read> add: array<Value4>;
@group(0) @binding(5) var<storage, read_write> y: array<Value4>;

override lanes = 64u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = place_of(index_of(workgroup, workgroups), shapes.x_channels, lanes, lane);
  let channel = place.channel;
  let quad = place.part;
  if quad >= quads() {
    return;
  }
  var value = vec4<f32>(x[(shapes.x_first + channel * shapes.x_pitch) / 4u + quad]);
  let first = shapes.add_first + channel * shapes.add_pitch;
  if shapes.add_kind == ADD_VALUE {
    value += vec4<f32>(add[first / 4u + quad]);
  }
  if shapes.add_kind == SCALE_CHANNEL {
    let at = first + (4u * quad + vec4(0u, 1u, 2u, 3u)) / (shapes.y_height * shapes.y_width);
    value *= vec4<f32>(
      Value4(add[at.x / 4u][at.x % 4u], add[at.y / 4u][at.y % 4u], add[at.z / 4u][at.z % 4u], add[at.w / 4u][at.w % 4u]),
    );
  }
  y[(shapes.y_first + channel * shapes.y_pitch) / 4u + quad] = Value4(value);
}

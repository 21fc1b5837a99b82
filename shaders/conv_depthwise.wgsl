// Convolution with one input channel for each group, a quad of outputs at a time.
//
//   y[o, p] = activation(scale[o] * sum over taps t of w[o, t] * x[o / outputs of a group, p under t] + shift[o] + add[o, p])
//
// After shapes.wgsl, one weights_*, load_spatial and finish. CPU twin: src/cpu/conv.rs

override lanes = 64u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = place_of(index_of(workgroup, workgroups), shapes.groups * shapes.y_channels, lanes, lane);
  let group = place.channel / shapes.y_channels;
  let channel = place.channel % shapes.y_channels;
  let quad = place.part;
  let window = window_of(group, quad);
  var sum = vec4(0.0);
  let taps = shapes.kernel * shapes.kernel;
  for (var tap = 0u; tap < taps; tap++) {
    let block = weight_block((group * blocks_out() + channel / 4u) * taps + tap);
    // Row 0 is the only input.
    let row = vec4(block[0].x, block[1].x, block[2].x, block[3].x);
    sum += row[channel % 4u] * load(under(window, tap / shapes.kernel, tap % shapes.kernel), 0u);
  }
  store(end_of(group, quad), channel, sum);
}

// Unfolds an input, so that a convolution of any kernel and stride becomes a 1 x 1 convolution:
//
//   y[i * taps + t, p] = x[i, p under tap t], zero outside the image
//
// Worth it where many outputs read each patch: in software one gather for each costs more than this.
// After shapes.wgsl and load_spatial. CPU twin: `run_patches` in src/cpu/conv.rs

@group(0) @binding(5) var<storage, read_write> y: array<Value4>;

override lanes = 64u;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(workgroup, workgroups) * lanes + lane;
  let quad = index % quads();
  let channel = index / quads();
  if channel >= shapes.x_channels {
    return;
  }
  let kernel = shapes.kernel;
  let window = window_of(0u, quad);
  let pitch = shapes.y_pitch / 4u;
  var to = channel * kernel * kernel * pitch + quad;
  for (var row = 0u; row < kernel; row++) {
    for (var column = 0u; column < kernel; column++) {
      y[to] = Value4(load(under(window, row, column), channel));
      to += pitch;
    }
  }
}

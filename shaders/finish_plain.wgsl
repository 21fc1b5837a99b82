// The end of the products between Winograd's transforms: y = sum, in f32. The output transform does the rest.

@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

struct End {
  inside: bool,
  channels: u32, // of the group
  first: u32, // the quad in the group's first channel
  pitch: u32, // quads
}

fn end_of(group: u32, quad: u32) -> End {
  let first = (shapes.y_first + group * shapes.y_channels * shapes.y_pitch) / 4u + quad;
  return End(quad < quads(), shapes.y_channels, first, shapes.y_pitch / 4u);
}

// Writes the quad of a channel of the group.
fn store(end: End, channel: u32, sum: vec4<f32>) {
  if channel < end.channels && end.inside {
    y[end.first + channel * end.pitch] = sum;
  }
}

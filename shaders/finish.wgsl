// The end of a convolution: y = activation(sum * scale + shift + add), with the batch norm (or the bias)
// as scale and shift of each channel.

@group(0) @binding(3) var<storage, read> norm: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> add: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<Value4>;

// The end of a quad's sums; it holds what every channel needs, for uniforms are slow to read.
struct End {
  inside: bool,
  channels: u32, // of the group
  first_channel: u32,
  y_first: u32, // the quad in the group's first channel
  y_pitch: u32, // quads
  add_first: vec4<u32>,
  add_pitch: u32,
  adds: bool,
  activation: u32,
}

fn end_of(group: u32, quad: u32) -> End {
  let first_channel = group * shapes.y_channels;
  let pixel = 4u * quad + vec4(0u, 1u, 2u, 3u);
  let image = pixel / (shapes.y_height * shapes.y_width);
  let add_first = shapes.add_first + first_channel * shapes.add_pitch;
  return End(
    quad < quads(),
    shapes.y_channels,
    first_channel,
    (shapes.y_first + first_channel * shapes.y_pitch) / 4u + quad,
    shapes.y_pitch / 4u,
    add_first + select(image, pixel, shapes.add_kind == ADD_VALUE),
    shapes.add_pitch,
    shapes.add_kind != ADD_NONE,
    shapes.activation,
  );
}

// Writes the quad of a channel of the group.
fn store(end: End, channel: u32, sum: vec4<f32>) {
  if channel < end.channels && end.inside {
    let scale_shift = norm[end.first_channel + channel];
    let at = end.add_first + channel * end.add_pitch;
    let added = select(vec4(0.0), vec4<f32>(Value4(add[at.x], add[at.y], add[at.z], add[at.w])), end.adds);
    let value = activate(sum * scale_shift.x + scale_shift.y + added, end.activation);
    y[end.y_first + channel * end.y_pitch] = Value4(value);
  }
}

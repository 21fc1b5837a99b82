// The end of a convolution: y = activation(sum * scale + shift + add), with the batch norm (or the bias)
// as scale and shift of each channel.

@group(0) @binding(3) var<storage, read> norm: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> add: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

fn addend(channel: u32, quad: u32) -> vec4<f32> {
  let pixel = 4u * quad + vec4(0u, 1u, 2u, 3u);
  let image = pixel / (step.y_height * step.y_width);
  let at = step.add_first + channel * step.add_pitch + select(image, pixel, step.add_kind == ADD_VALUE);
  let value = vec4(add[at.x], add[at.y], add[at.z], add[at.w]);
  return select(value, vec4(0.0), step.add_kind == ADD_NONE);
}

// Writes a quad of a channel of the group.
fn store(group: u32, channel: u32, quad: u32, sum: vec4<f32>) {
  if channel < step.y_channels && quad < quads() {
    let c = group * step.y_channels + channel;
    let value = sum * norm[c].x + norm[c].y + addend(c, quad);
    y[(step.y_first + c * step.y_pitch) / 4u + quad] = activate(value);
  }
}

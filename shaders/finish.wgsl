// The end of a convolution: y = activation(sum * scale + shift + add), with the batch norm (or the bias)
// as scale and shift of each channel.

@group(0) @binding(3) var<storage, read> norm: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> add: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

fn addend(channel: u32, quad: u32) -> vec4<f32> {
  let first = step.add_first + channel * step.add_pitch;
  if step.add_kind == ADD_VALUE {
    return add[first / 4u + quad];
  }
  if step.add_kind == ADD_CHANNEL {
    let at = first + (4u * quad + vec4(0u, 1u, 2u, 3u)) / (step.y_height * step.y_width);
    return vec4(add[at.x / 4u][at.x % 4u], add[at.y / 4u][at.y % 4u], add[at.z / 4u][at.z % 4u], add[at.w / 4u][at.w % 4u]);
  }
  return vec4(0.0);
}

// Writes a quad of a channel, counted within the group.
fn store(group: u32, channel: u32, quad: u32, sum: vec4<f32>) {
  if channel < step.y_channels && quad < quads() {
    let c = group * step.y_channels + channel;
    let value = sum * norm[c].x + norm[c].y + addend(c, quad);
    y[(step.y_first + c * step.y_pitch) / 4u + quad] = activate(value);
  }
}

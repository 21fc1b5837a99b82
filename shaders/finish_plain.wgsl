// The end of the products between Winograd's transforms: y = sum. The output transform does the rest.

@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

fn store(group: u32, channel: u32, quad: u32, sum: vec4<f32>) {
  if channel < step.y_channels && quad < quads() {
    let c = group * step.y_channels + channel;
    y[(step.y_first + c * step.y_pitch) / 4u + quad] = sum;
  }
}

// The input of a 1 x 1 convolution of stride 1: a quad of outputs needs the same quad of every channel.

@group(0) @binding(1) var<storage, read> x: array<Value4>;

// Where the inputs of a quad of outputs lie; it holds what every load needs, for uniforms are slow to read.
struct Window {
  first: u32,
  pitch: u32,
  last: u32, // channel
}

fn window_of(group: u32, quad: u32) -> Window {
  let first = (shapes.x_first + group * shapes.x_channels * shapes.x_pitch) / 4u + quad;
  return Window(first, shapes.x_pitch / 4u, shapes.x_channels - 1u);
}

// The window under one tap of the filter.
fn under(window: Window, tap_row: u32, tap_column: u32) -> Window {
  return window;
}

// Four inputs of a channel of the group.
fn load(window: Window, channel: u32) -> vec4<f32> {
  return vec4<f32>(x[window.first + min(channel, window.last) * window.pitch]);
}

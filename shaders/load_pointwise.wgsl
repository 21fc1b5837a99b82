// The input of a 1 x 1 convolution of stride 1: a quad of outputs needs the same quad of every channel.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;

// Where the inputs of a quad of outputs lie.
struct Window {
  first: u32,
}

fn window_of(quad: u32) -> Window {
  return Window(quad);
}

// The window under one tap of the filter.
fn under(window: Window, tap: u32) -> Window {
  return window;
}

// Four inputs of a channel, counted within the group.
fn load(window: Window, group: u32, channel: u32) -> vec4<f32> {
  let c = group * step.x_channels + min(channel, step.x_channels - 1u);
  return x[(step.x_first + c * step.x_pitch) / 4u + window.first];
}

// The input of a convolution of any kernel and stride, padded by kernel / 2: a quad of outputs needs
// four pixels of every channel under each tap of the filter.

@group(0) @binding(1) var<storage, read> x: array<f32>;

// Where the inputs of a quad of outputs lie.
struct Window {
  image: vec4<u32>, // first pixel of the output's image
  row: vec4<u32>, // of the first tap; huge where above the image
  column: vec4<u32>,
  pixel: vec4<u32>, // under the current tap
  inside: vec4<bool>,
}

fn window_of(quad: u32) -> Window {
  let pixel = 4u * quad + vec4(0u, 1u, 2u, 3u);
  let plane = step.y_height * step.y_width;
  let image = pixel / plane;
  let row = (pixel - image * plane) / step.y_width;
  let column = pixel - image * plane - row * step.y_width;
  let first_row = row * step.stride - step.kernel / 2u;
  let first_column = column * step.stride - step.kernel / 2u;
  return Window(image * step.x_height * step.x_width, first_row, first_column, vec4(0u), vec4(false));
}

fn under(window: Window, tap: u32) -> Window {
  let tap_row = tap / step.kernel;
  let row = window.row + tap_row;
  let column = window.column + (tap - tap_row * step.kernel);
  let inside = (row < vec4(step.x_height)) & (column < vec4(step.x_width));
  let pixel = select(vec4(0u), window.image + row * step.x_width + column, inside);
  return Window(window.image, window.row, window.column, pixel, inside);
}

fn load(window: Window, group: u32, channel: u32) -> vec4<f32> {
  let c = group * step.x_channels + min(channel, step.x_channels - 1u);
  let at = step.x_first + c * step.x_pitch + window.pixel;
  return select(vec4(0.0), vec4(x[at.x], x[at.y], x[at.z], x[at.w]), window.inside);
}

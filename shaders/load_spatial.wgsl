// The input of a convolution of any kernel and stride, padded by kernel / 2: a quad of outputs needs
// four pixels of every channel under each tap of the filter.

@group(0) @binding(1) var<storage, read> x: array<Value>;

// Where the inputs of a quad of outputs lie; it holds what every load needs, for uniforms are slow to read.
struct Window {
  image: vec4<u32>, // the group's first element of the output's image
  row: vec4<u32>, // of the first tap; huge where above the image
  column: vec4<u32>,
  at: vec4<u32>, // the group's first element under the current tap
  inside: vec4<bool>,
  height: u32,
  width: u32,
  pitch: u32,
  last: u32, // channel
}

fn window_of(group: u32, quad: u32) -> Window {
  let pixel = 4u * quad + vec4(0u, 1u, 2u, 3u);
  let plane = shapes.y_height * shapes.y_width;
  let image = pixel / plane;
  let row = (pixel - image * plane) / shapes.y_width;
  let column = pixel - image * plane - row * shapes.y_width;
  let first = shapes.x_first + group * shapes.x_channels * shapes.x_pitch;
  return Window(
    first + image * shapes.x_height * shapes.x_width,
    row * shapes.stride - shapes.kernel / 2u,
    column * shapes.stride - shapes.kernel / 2u,
    vec4(first),
    vec4(false),
    shapes.x_height,
    shapes.x_width,
    shapes.x_pitch,
    shapes.x_channels - 1u,
  );
}

fn under(window: Window, tap_row: u32, tap_column: u32) -> Window {
  let row = window.row + tap_row;
  let column = window.column + tap_column;
  let inside = (row < vec4(window.height)) & (column < vec4(window.width));
  var at_tap = window;
  at_tap.at = window.image + select(vec4(0u), row * window.width + column, inside);
  at_tap.inside = inside;
  return at_tap;
}

fn load(window: Window, channel: u32) -> vec4<f32> {
  let at = window.at + min(channel, window.last) * window.pitch;
  return select(vec4(0.0), vec4<f32>(Value4(x[at.x], x[at.y], x[at.z], x[at.w])), window.inside);
}

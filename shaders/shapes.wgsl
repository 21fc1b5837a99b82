// The shapes of one step, the binding and the indices that all kernels share; after one values_*.
//
// A value lies on the GPU as [channel][pixel], the pixels of all images of the batch after each other
// (pixel = (image * height + row) * width + column), each channel padded to whole quads of 4 pixels.
// So a batch is only more pixels, neighbouring lanes read neighbouring pixels, and a channel range is
// an offset. What stands in the padding is never used.
//
// Rust twin: src/gpu/shapes.rs

struct Shapes {
  x_first: u32, // element of the view's first channel
  x_pitch: u32, // elements from channel to channel, a multiple of 4
  x_channels: u32, // of one group
  x_height: u32,
  x_width: u32,
  y_first: u32,
  y_pitch: u32,
  y_channels: u32, // of one group
  y_height: u32,
  y_width: u32,
  add_first: u32,
  add_pitch: u32,
  add_kind: u32, // ADD_...
  activation: u32, // ACTIVATION_...
  batch: u32,
  groups: u32,
  kernel: u32,
  stride: u32,
  tiles_x: u32, // of 4 x 4 outputs, Winograd only
  tiles_y: u32,
}

const ADD_NONE = 0u;
const ADD_VALUE = 1u; // of y's shape
const ADD_CHANNEL = 2u; // one number for each channel of each image
const SCALE_CHANNEL = 3u; // the same, but multiplied

const ACTIVATION_NONE = 0u;
const ACTIVATION_RELU = 1u;
const ACTIVATION_HARD_SIGMOID = 2u;

@group(0) @binding(0) var<uniform> shapes: Shapes;

fn activate(value: vec4<f32>, activation: u32) -> vec4<f32> {
  let sigmoid = clamp(value + 3.0, vec4(0.0), vec4(6.0)) / 6.0;
  let relu = max(value, vec4(0.0));
  return select(
    select(value, relu, activation == ACTIVATION_RELU),
    sigmoid,
    activation == ACTIVATION_HARD_SIGMOID,
  );
}

// Number of a workgroup; a grid of more than 65,535 is folded to two dimensions.
fn index_of(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
  return workgroup.x + workgroup.y * workgroups.x;
}

// A channel, and which part of it a lane computes: the channels of one part follow each other, since they read the same
// pixels.
struct Place {
  channel: u32,
  part: u32,
}

fn place_of(index: u32, channels: u32, lanes: u32, lane: u32) -> Place {
  return Place(index % channels, index / channels * lanes + lane);
}

// Quads of one channel of y.
fn quads() -> u32 {
  return (shapes.batch * shapes.y_height * shapes.y_width + 3u) / 4u;
}

fn blocks_in() -> u32 {
  return (shapes.x_channels + 3u) / 4u;
}

fn blocks_out() -> u32 {
  return (shapes.y_channels + 3u) / 4u;
}

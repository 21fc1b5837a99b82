// Last part of Winograd's F(4x4, 3x3): y = activation(scale * (A^T M A) + shift + add) for every tile and channel.
//
//   x [frequency, 6 x 6][channel][tile] -> y [channel][pixel]
//
// After shapes.wgsl. CPU twin: src/cpu/winograd.rs

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> add: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<Value>;

override lanes = 64u;

// A^T of one row or column.
fn transform(m_0: f32, m_1: f32, m_2: f32, m_3: f32, m_4: f32, m_5: f32) -> vec4<f32> {
  let sum = m_1 + m_2;
  let difference = m_1 - m_2;
  let sum_2 = m_3 + m_4;
  let difference_2 = m_3 - m_4;
  return vec4(
    m_0 + sum + sum_2,
    difference + 2.0 * difference_2,
    sum + 4.0 * sum_2,
    difference + 8.0 * difference_2 + m_5,
  );
}

// Row u of the tile's M, transformed.
fn load_row(first: u32, plane: u32, u: u32) -> vec4<f32> {
  let at = first + 6u * u * plane;
  return transform(
    x[at], x[at + plane], x[at + 2u * plane], x[at + 3u * plane], x[at + 4u * plane], x[at + 5u * plane],
  );
}

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let channels = shapes.groups * shapes.y_channels;
  let place = place_of(index_of(workgroup, workgroups), channels, lanes, lane);
  let channel = place.channel;
  let tile = place.part;
  let image = tile / (shapes.tiles_x * shapes.tiles_y);
  if image >= shapes.batch {
    return;
  }
  let plane = channels * shapes.x_pitch;
  let first = shapes.x_first + channel * shapes.x_pitch + tile;
  let r_0 = load_row(first, plane, 0u);
  let r_1 = load_row(first, plane, 1u);
  let r_2 = load_row(first, plane, 2u);
  let r_3 = load_row(first, plane, 3u);
  let r_4 = load_row(first, plane, 4u);
  let r_5 = load_row(first, plane, 5u);
  let row = tile / shapes.tiles_x % shapes.tiles_y * 4u;
  let column = tile % shapes.tiles_x * 4u;
  store_column(channel, image, row, column, transform(r_0.x, r_1.x, r_2.x, r_3.x, r_4.x, r_5.x));
  store_column(channel, image, row, column + 1u, transform(r_0.y, r_1.y, r_2.y, r_3.y, r_4.y, r_5.y));
  store_column(channel, image, row, column + 2u, transform(r_0.z, r_1.z, r_2.z, r_3.z, r_4.z, r_5.z));
  store_column(channel, image, row, column + 3u, transform(r_0.w, r_1.w, r_2.w, r_3.w, r_4.w, r_5.w));
}

// Four rows of one column of y.
fn store_column(channel: u32, image: u32, row: u32, column: u32, sums: vec4<f32>) {
  if column >= shapes.y_width {
    return;
  }
  let pixel = (image * shapes.y_height + row) * shapes.y_width + column;
  let stride = shapes.y_width;
  var values = sums * norm[channel].x + norm[channel].y;
  let first = shapes.add_first + channel * shapes.add_pitch;
  if shapes.add_kind == ADD_VALUE {
    values += vec4<f32>(Value4(
      add[first + pixel], add[first + pixel + stride], add[first + pixel + 2u * stride], add[first + pixel + 3u * stride],
    ));
  }
  if shapes.add_kind == ADD_CHANNEL {
    values += f32(add[first + image]);
  }
  let results = Value4(activate(values, shapes.activation));
  let to = shapes.y_first + channel * shapes.y_pitch + pixel;
  if row < shapes.y_height { y[to] = results.x; }
  if row + 1u < shapes.y_height { y[to + stride] = results.y; }
  if row + 2u < shapes.y_height { y[to + 2u * stride] = results.z; }
  if row + 3u < shapes.y_height { y[to + 3u * stride] = results.w; }
}

// First part of Winograd's F(4x4, 3x3): V = B^T d B for every tile of 4 x 4 outputs and every channel.
//
//   x [channel][pixel] -> y [frequency, 6 x 6][channel][tile]
//
// tile = (image * tiles_y + tile row) * tiles_x + tile column; d is the tile's patch of 6 x 6 inputs,
// zero outside the image; V is f32. Then conv_registers or conv_shared multiplies 36 * groups times, and
// winograd_output ends it.
// After shapes.wgsl. CPU twin: src/cpu/winograd.rs

@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override lanes = 64u;

// Rows 0 to 5 of three columns.
alias Half = array<vec3<f32>, 6>;

// B^T applied to every column.
fn transform(d: Half) -> Half {
  let even = d[4] - 4.0 * d[2];
  let odd = d[3] - 4.0 * d[1];
  let even_2 = d[4] - d[2];
  let odd_2 = 2.0 * (d[3] - d[1]);
  return Half(
    4.0 * d[0] - 5.0 * d[2] + d[4], even + odd, even - odd, even_2 + odd_2, even_2 - odd_2,
    4.0 * d[1] - 5.0 * d[3] + d[5],
  );
}

fn load(channel_first: u32, row: u32, column: u32) -> f32 {
  let inside = row < shapes.x_height && column < shapes.x_width;
  return select(0.0, f32(x[channel_first + select(0u, row * shapes.x_width + column, inside)]), inside);
}

fn load_3(channel_first: u32, row: u32, column: u32) -> vec3<f32> {
  return vec3(load(channel_first, row, column), load(channel_first, row, column + 1u), load(channel_first, row, column + 2u));
}

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let channels = shapes.groups * shapes.x_channels;
  let place = place_of(index_of(workgroup, workgroups), channels, lanes, lane);
  let channel = place.channel;
  let tile = place.part;
  let image = tile / (shapes.tiles_x * shapes.tiles_y);
  if image >= shapes.batch {
    return;
  }
  let first = shapes.x_first + channel * shapes.x_pitch + image * shapes.x_height * shapes.x_width;
  // Minus one for the padding: huge where above or left of the image, so outside.
  let r = tile / shapes.tiles_x % shapes.tiles_y * 4u - 1u;
  let c = tile % shapes.tiles_x * 4u - 1u;
  let left = transform(Half(
    load_3(first, r, c), load_3(first, r + 1u, c), load_3(first, r + 2u, c),
    load_3(first, r + 3u, c), load_3(first, r + 4u, c), load_3(first, r + 5u, c),
  ));
  let right = transform(Half(
    load_3(first, r, c + 3u), load_3(first, r + 1u, c + 3u), load_3(first, r + 2u, c + 3u),
    load_3(first, r + 3u, c + 3u), load_3(first, r + 4u, c + 3u), load_3(first, r + 5u, c + 3u),
  ));
  // Rows become columns: three rows of the result at a time.
  let plane = channels * shapes.y_pitch;
  let to = shapes.y_first + channel * shapes.y_pitch + tile;
  store(to, plane, 0u, transform(transposed(left, right, 0)));
  store(to, plane, 3u, transform(transposed(left, right, 3)));
}

fn transposed(left: Half, right: Half, i: i32) -> Half {
  let l_0 = select(left[3], left[0], i == 0);
  let l_1 = select(left[4], left[1], i == 0);
  let l_2 = select(left[5], left[2], i == 0);
  let r_0 = select(right[3], right[0], i == 0);
  let r_1 = select(right[4], right[1], i == 0);
  let r_2 = select(right[5], right[2], i == 0);
  return Half(
    vec3(l_0.x, l_1.x, l_2.x), vec3(l_0.y, l_1.y, l_2.y), vec3(l_0.z, l_1.z, l_2.z),
    vec3(r_0.x, r_1.x, r_2.x), vec3(r_0.y, r_1.y, r_2.y), vec3(r_0.z, r_1.z, r_2.z),
  );
}

// Rows `row` to `row + 2` of the transformed tile; `columns[v]` holds column v of the three.
fn store(to: u32, plane: u32, row: u32, columns: Half) {
  store_column(to, plane, 6u * row, columns[0]);
  store_column(to, plane, 6u * row + 1u, columns[1]);
  store_column(to, plane, 6u * row + 2u, columns[2]);
  store_column(to, plane, 6u * row + 3u, columns[3]);
  store_column(to, plane, 6u * row + 4u, columns[4]);
  store_column(to, plane, 6u * row + 5u, columns[5]);
}

fn store_column(to: u32, plane: u32, frequency: u32, column: vec3<f32>) {
  y[to + frequency * plane] = column.x;
  y[to + (frequency + 6u) * plane] = column.y;
  y[to + (frequency + 12u) * plane] = column.z;
}

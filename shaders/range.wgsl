// Smallest and largest number of feature maps, one map in each workgroup, or of all of them in one.
//
//   ranges[m] = (min, max) over the pixels p of values[channels[m], p]
//
// After picture.wgsl. Drawn by draw.wgsl

@group(0) @binding(4) var<storage, read_write> ranges: array<vec2<f32>>;

const lanes = 64u;
var<workgroup> extremes: array<vec2<f32>, lanes>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let pixels = picture.height * picture.width;
  let first_map = workgroup.x;
  let end = select(first_map + 1u, picture.count, picture.one_scale != 0u);
  var range = vec2(f32(values[picture.first + channels[first_map] * picture.pitch]));
  for (var map = first_map; map < end; map++) {
    let first = picture.first + channels[map] * picture.pitch;
    for (var p = lane; p < pixels; p += lanes) {
      let value = f32(values[first + p]);
      range = vec2(min(range.x, value), max(range.y, value));
    }
  }
  extremes[lane] = range;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      let other = extremes[lane + half];
      extremes[lane] = vec2(min(extremes[lane].x, other.x), max(extremes[lane].y, other.y));
    }
  }
  if lane == 0u {
    ranges[first_map] = extremes[0];
  }
}

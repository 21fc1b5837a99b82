//! 3 x 3 convolutions of stride 1 by Winograd's minimal filtering (Lavin & Gray 2016):
//! `Y = A^T [(G g G^T) . (B^T d B)] A` for tiles of `T` x `T` outputs, `.` being a sum over channels.
//!
//! With channels innermost both transforms are sums of whole vectors, without a shuffle. F(4x4) needs
//! a quarter of the multiplications of the direct form, F(2x2) four ninths; the price is F(4x4)'s
//! rounding, about ten times that of the direct form, which the step tests bound.

use super::conv::{Epilogue, Operand};
use super::f32x4::F32x4;
use super::gemm::{Packed, product};

/// Channels transformed at a time are those of one group; tiles so many that both buffers of the
/// usual group fit in the second-level cache.
const SCRATCH_ELEMENTS: usize = 64 * 1024;

/// Transformed weights of a grouped 3 x 3 convolution.
#[derive(Clone, Debug)]
pub struct Winograd {
    /// Outputs of a tile's side: 2 or 4.
    tile: usize,
    /// Per group, per frequency.
    packed: Vec<Packed>,
    channels_in: usize,
    channels_out: usize,
}

/// Side of the transformed tile.
const fn points(tile: usize) -> usize {
    tile + 2
}

impl Winograd {
    /// Transforms `weight`, `[channels_out, channels_in / groups, 3, 3]`.
    pub fn new(weight: &[f32], channels_out: usize, groups: usize, tile: usize) -> Winograd {
        let channels_in = weight.len() / 9 / channels_out;
        let channels_out = channels_out / groups;
        let n = points(tile);
        let g = weight_transform(tile);
        let mut transformed = vec![0.0; n * n * channels_out * channels_in];
        let mut packed = Vec::with_capacity(groups * n * n);
        for group in 0..groups {
            for o in 0..channels_out {
                for i in 0..channels_in {
                    let at = ((group * channels_out + o) * channels_in + i) * 9;
                    let filter = &weight[at..at + 9];
                    for u in 0..n {
                        for v in 0..n {
                            let mut sum = 0.0;
                            for a in 0..3 {
                                for b in 0..3 {
                                    sum += g[u][a] * f64::from(filter[a * 3 + b]) * g[v][b];
                                }
                            }
                            transformed[((u * n + v) * channels_out + o) * channels_in + i] = sum as f32;
                        }
                    }
                }
            }
            for frequency in 0..n * n {
                let plane =
                    &transformed[frequency * channels_out * channels_in..][..channels_out * channels_in];
                packed.push(Packed::new(channels_in, channels_out, |i, o| plane[o * channels_in + i]));
            }
        }
        Winograd { tile, packed, channels_in, channels_out }
    }

    /// Outputs of a tile's side.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Bytes of the transformed weights.
    pub fn size_bytes(&self) -> usize {
        self.packed.iter().map(Packed::size_bytes).sum()
    }

    /// Elements of scratch memory that [`Winograd::run`] needs for rows of `width` outputs.
    pub fn scratch_elements(&self, width: usize) -> usize {
        let n = points(self.tile);
        self.tiles_at_once(width) * n * n * (self.channels_in + self.channels_out)
    }

    /// Tiles of one block: whole rows of tiles, as many as the scratch budget allows.
    fn tiles_at_once(&self, width: usize) -> usize {
        let n = points(self.tile);
        let across = width.div_ceil(self.tile);
        let budget = SCRATCH_ELEMENTS / (n * n * (self.channels_in + self.channels_out));
        (budget / across).max(1) * across
    }

    /// Output rows `first_row..` (a multiple of the tile) of as many rows as `y` holds.
    pub fn run(
        &self,
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        match self.tile {
            2 => self.run_tiled::<2, 4>(x, y, first_row, epilogue, scratch),
            _ => self.run_tiled::<4, 6>(x, y, first_row, epilogue, scratch),
        }
    }

    fn run_tiled<const T: usize, const N: usize>(
        &self,
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        let (width, rows) = (x.width, y.len() / (x.width * epilogue.row));
        let across = width.div_ceil(T);
        let block_rows = self.tiles_at_once(width) / across;
        let groups = self.packed.len() / (N * N);
        for tile_row in (0..rows.div_ceil(T)).step_by(block_rows) {
            let tile_rows = block_rows.min(rows.div_ceil(T) - tile_row);
            let tiles = tile_rows * across;
            for group in 0..groups {
                let (inputs, outputs) = scratch.split_at_mut(N * N * tiles * self.channels_in);
                for t in 0..tiles {
                    let (row, column) = (first_row + (tile_row + t / across) * T, t % across * T);
                    self.transform_input::<T, N>(
                        x,
                        group,
                        row,
                        column,
                        &mut inputs[t * self.channels_in..],
                        tiles,
                    );
                }
                for frequency in 0..N * N {
                    let packed = &self.packed[group * N * N + frequency];
                    let inputs = &inputs[frequency * tiles * self.channels_in..];
                    let outputs =
                        &mut outputs[frequency * tiles * self.channels_out..][..tiles * self.channels_out];
                    product_into(packed, tiles, inputs, outputs);
                }
                for t in 0..tiles {
                    let (row, column) = ((tile_row + t / across) * T, t % across * T);
                    let size = (T.min(rows - row), T.min(width - column));
                    let first_pixel = row * width + column;
                    self.transform_output::<T, N>(
                        &outputs[t * self.channels_out..],
                        tiles,
                        group,
                        y,
                        (first_pixel, width, first_row * width),
                        size,
                        epilogue,
                    );
                }
            }
        }
    }

    /// `B^T d B` of one tile for all channels of a group: frequency `f` goes to
    /// `to[f * tiles * channels_in..]`.
    #[inline(always)]
    fn transform_input<const T: usize, const N: usize>(
        &self,
        x: &Operand,
        group: usize,
        row: usize,
        column: usize,
        to: &mut [f32],
        tiles: usize,
    ) {
        let (channels, plane) = (self.channels_in, tiles * self.channels_in);
        let first = x.first + group * channels;
        // Offset of each pixel of the patch; the padding has none.
        let pixels: [[Option<usize>; N]; N] = std::array::from_fn(|a| {
            std::array::from_fn(|b| {
                let (r, c) = ((row + a).wrapping_sub(1), (column + b).wrapping_sub(1));
                (r < x.height && c < x.width).then(|| (r * x.width + c) * x.row + first)
            })
        });
        let vectors = channels / 4;
        for vector in 0..vectors {
            let at = vector * 4;
            let d: [[F32x4; N]; N] = pixels.map(|row| {
                row.map(|pixel| match pixel.and_then(|pixel| x.data[pixel + at..].first_chunk()) {
                    Some(lanes) => F32x4::load(lanes),
                    None => F32x4::splat(0.0),
                })
            });
            let transformed = input_transform::<N>(d);
            for (f, value) in transformed.as_flattened().iter().enumerate() {
                if let Some(lanes) = to[f * plane + at..].first_chunk_mut() {
                    value.store(lanes);
                }
            }
        }
        let rest = channels % 4;
        if rest > 0 {
            let at = vectors * 4;
            let d: [[F32x4; N]; N] = pixels.map(|row| {
                row.map(|pixel| match pixel {
                    Some(pixel) => F32x4::load_part(&x.data[pixel + at..pixel + channels]),
                    None => F32x4::splat(0.0),
                })
            });
            let transformed = input_transform::<N>(d);
            for (f, value) in transformed.as_flattened().iter().enumerate() {
                value.store_part(&mut to[f * plane + at..f * plane + channels]);
            }
        }
    }

    /// `A^T m A` of one tile for all channels of a group, with the epilogue.
    #[inline(always)]
    fn transform_output<const T: usize, const N: usize>(
        &self,
        from: &[f32],
        tiles: usize,
        group: usize,
        y: &mut [f32],
        (first_pixel, width, pixels_before): (usize, usize, usize),
        (rows, columns): (usize, usize),
        epilogue: &Epilogue,
    ) {
        let (channels, plane) = (self.channels_out, tiles * self.channels_out);
        for at in (0..channels).step_by(4) {
            let lanes = 4.min(channels - at);
            let m: [[F32x4; N]; N] = std::array::from_fn(|a| {
                std::array::from_fn(|b| {
                    let from = &from[(a * N + b) * plane + at..];
                    match from.first_chunk() {
                        Some(chunk) if lanes == 4 => F32x4::load(chunk),
                        _ => F32x4::load_part(&from[..lanes]),
                    }
                })
            });
            let outputs = output_transform::<T, N>(m);
            for (r, outputs) in outputs.iter().enumerate().take(rows) {
                for (c, &output) in outputs.iter().enumerate().take(columns) {
                    let pixel = first_pixel + r * width + c;
                    epilogue.finish(y, pixel, pixels_before + pixel, group * channels + at, lanes, output);
                }
            }
        }
    }
}

/// The product of one frequency, written as it is.
#[inline(never)]
fn product_into(packed: &Packed, tiles: usize, inputs: &[f32], outputs: &mut [f32]) {
    let (depth, columns) = (packed.depth, packed.columns);
    product(
        packed,
        tiles,
        |tile| &inputs[tile * depth..(tile + 1) * depth],
        |tile, first, sums| {
            let row = &mut outputs[tile * columns + first..(tile + 1) * columns];
            let (chunks, rest) = row.as_chunks_mut::<4>();
            for (n, sum) in sums.iter().enumerate() {
                match chunks.get_mut(n) {
                    Some(chunk) => sum.store(chunk),
                    None => {
                        if n == chunks.len() {
                            sum.store_part(rest);
                        }
                    }
                }
            }
        },
    );
}

/// G of F(2x2, 3x3) and F(4x4, 3x3), points 0, 1, -1, (2, -2,) infinity.
fn weight_transform(tile: usize) -> &'static [[f64; 3]] {
    const F2: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    const F4: [[f64; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    if tile == 2 { &F2 } else { &F4 }
}

#[inline(always)]
fn input_transform<const N: usize>(d: [[F32x4; N]; N]) -> [[F32x4; N]; N] {
    let columns = transpose(d.map(input_transform_row));
    transpose(columns.map(input_transform_row))
}

/// One dimension of `B^T d`.
#[inline(always)]
fn input_transform_row<const N: usize>(d: [F32x4; N]) -> [F32x4; N] {
    let mut t = d;
    if N == 4 {
        t[0] = d[0].sub(d[2]);
        t[1] = d[1].add(d[2]);
        t[2] = d[2].sub(d[1]);
        t[3] = d[1].sub(d[3]);
    } else {
        let (two, four, five) = (F32x4::splat(2.0), F32x4::splat(4.0), F32x4::splat(-5.0));
        let even = d[2].mul_add(F32x4::splat(-4.0), d[4]);
        let odd = d[1].mul_add(F32x4::splat(-4.0), d[3]);
        let (even2, odd2) = (d[4].sub(d[2]), d[3].sub(d[1]).mul(two));
        t[0] = d[0].mul_add(four, d[2].mul_add(five, d[4]));
        t[1] = even.add(odd);
        t[2] = even.sub(odd);
        t[3] = even2.add(odd2);
        t[4] = even2.sub(odd2);
        t[5] = d[1].mul_add(four, d[3].mul_add(five, d[5]));
    }
    t
}

#[inline(always)]
fn output_transform<const T: usize, const N: usize>(m: [[F32x4; N]; N]) -> [[F32x4; T]; T] {
    // Rows first: [N][T], then columns: [T][T].
    let rows: [[F32x4; T]; N] = m.map(output_transform_row);
    let columns: [[F32x4; N]; T] = std::array::from_fn(|t| std::array::from_fn(|n| rows[n][t]));
    let done: [[F32x4; T]; T] = columns.map(output_transform_row);
    std::array::from_fn(|r| std::array::from_fn(|c| done[c][r]))
}

/// One dimension of `A^T m`.
#[inline(always)]
fn output_transform_row<const T: usize, const N: usize>(m: [F32x4; N]) -> [F32x4; T] {
    let mut y = [F32x4::splat(0.0); T];
    let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
    if N == 4 {
        y[0] = m[0].add(sum);
        y[1] = difference.sub(m[3]);
    } else {
        let (sum2, difference2) = (m[3].add(m[4]), m[3].sub(m[4]));
        y[0] = m[0].add(sum).add(sum2);
        y[1] = difference2.mul_add(F32x4::splat(2.0), difference);
        y[2] = sum2.mul_add(F32x4::splat(4.0), sum);
        y[3] = difference2.mul_add(F32x4::splat(8.0), difference).add(m[5]);
    }
    y
}

#[inline(always)]
fn transpose<const N: usize>(d: [[F32x4; N]; N]) -> [[F32x4; N]; N] {
    std::array::from_fn(|r| std::array::from_fn(|c| d[c][r]))
}

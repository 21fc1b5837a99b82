//! 3 x 3 convolutions of stride 1 by Winograd's minimal filtering (Lavin & Gray 2016):
//! `Y = A^T [(G g G^T) . (B^T d B)] A` for tiles of 4 x 4 outputs, `.` being a sum over channels.
//!
//! ```text
//! x  [height, width, channels_in]           of one group; `C` are its inputs, `K` its outputs
//!    tiles of 6 x 6 pixels, 4 apart
//!      | transform_input     B^T d B        36 frequencies for each tile and channel
//! inputs   [36, tiles, C]
//!      | product_of_block    for each frequency f:  outputs[f] = inputs[f] * filters[f]
//!      |                     filters [36, C, K], from transform_filters: G g G^T, eight columns of K at a time
//! outputs  [36, tiles, K]
//!      | transform_output    A^T m A        4 x 4 outputs for each tile and channel, then bias, residual, ReLU
//! y  [height, width, channels_out]
//! ```
//!
//! `run` does this for as many rows of tiles, and for as many groups, as fit in the scratch memory; the channels of
//! these groups lie beside each other in `inputs` and `outputs`.
//!
//! With channels innermost both transforms are sums of whole vectors, without a shuffle. F(4x4) needs
//! a quarter of the multiplications of the direct form, which pays even where tiles of four do not
//! divide the map (7 x 7: 64 outputs for 49); whole networks stay within 3e-6 of PyTorch.

use super::f32x4::F32x4;
use super::gemm::{COLUMNS, Packed, Rows, product_of_block};
use super::operand::{Epilogue, Operand};
use crate::error::Result;
use crate::fold::Folding;
use crate::winograd::WINOGRAD_G;

/// Tiles are transformed so many at a time that both buffers of some groups fit in half of the
/// second-level cache.
const SCRATCH_ELEMENTS: usize = 96 * 1024;

/// Outputs of a tile's side.
const T: usize = 4;
/// Inputs, and frequencies, of a tile's side.
const N: usize = T + 2;

/// Weights of a grouped 3 x 3 convolution, as for the direct form.
///
/// They are transformed anew in each run, eight columns at a time: that is less work than to read four times as
/// many numbers from beyond the caches.
#[derive(Clone, Debug)]
pub struct Winograd {
    /// Of each group.
    packed: Vec<Packed>,
    channels_in: usize,
    channels_out: usize,
}

impl Winograd {
    /// Packs filters, `[channels_out, channels_in / groups, 3, 3]`.
    ///
    /// # Errors
    /// As [`Folding::filters`].
    pub fn new(folding: &Folding, channels_out: usize, groups: usize) -> Result<Winograd> {
        let channels_out = channels_out / groups;
        let packed = Packed::of_groups(folding, groups, channels_out, 9)?;
        Ok(Winograd { packed, channels_in: folding.filter_len() / 9, channels_out })
    }

    /// Rows of a tile's outputs.
    pub fn rows() -> usize {
        T
    }

    /// Bytes of the weights.
    pub fn size_bytes(&self) -> usize {
        self.packed.iter().map(Packed::size_bytes).sum()
    }

    /// Elements of scratch memory that [`Winograd::run`] needs for rows of `width` outputs.
    pub fn scratch_elements(&self, width: usize) -> usize {
        let (padded_in, padded_out) = (self.padded_in(), self.padded_out());
        let row = N * N * width.div_ceil(T) * (padded_in + padded_out);
        let zeros = padded_in.max(self.packed.len() * self.channels_in);
        // Both buffers, and as much again for one tile.
        self.filter_elements() + zeros + 2 * row.max(SCRATCH_ELEMENTS)
    }

    /// Elements of the transformed filters of a block of columns.
    fn filter_elements(&self) -> usize {
        N * N * self.channels_in * COLUMNS
    }

    /// Groups that are transformed together, so that the transforms' loops over channels are long: as many as
    /// the scratch budget allows, if each has whole vectors.
    fn groups_at_once(&self, tiles: usize) -> usize {
        let (channels_in, channels_out) = (self.channels_in, self.channels_out);
        if channels_in % 4 != 0 || channels_out % 4 != 0 {
            return 1;
        }
        (SCRATCH_ELEMENTS / (N * N * tiles * (channels_in + channels_out))).clamp(1, self.packed.len())
    }

    /// Channels of a group in the buffers, where rows are whole vectors.
    fn padded_in(&self) -> usize {
        self.channels_in.next_multiple_of(4)
    }

    fn padded_out(&self) -> usize {
        self.channels_out.next_multiple_of(4)
    }

    /// Tiles of one block: whole rows of tiles, as many as the scratch budget allows.
    fn tiles_at_once(&self, width: usize) -> usize {
        let across = width.div_ceil(T);
        let budget = SCRATCH_ELEMENTS / (N * N * (self.padded_in() + self.padded_out()));
        (budget / across).max(1) * across
    }

    /// Output rows `first_row..` (a multiple of the tile) of as many rows as `y` holds.
    #[inline(never)]
    pub fn run(
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
        let (filters, scratch) = scratch.split_at_mut(self.filter_elements());
        for tile_row in (0..rows.div_ceil(T)).step_by(block_rows) {
            let tiles = block_rows.min(rows.div_ceil(T) - tile_row) * across;
            let at_once = self.groups_at_once(tiles);
            for (block, packed) in self.packed.chunks(at_once).enumerate() {
                // Channels of these groups, as they are and in the buffers.
                let channels_out = packed.len() * self.channels_out;
                let row_in = (packed.len() * self.channels_in).next_multiple_of(4);
                let row_out = channels_out.next_multiple_of(4);
                let (zeros, scratch) = scratch.split_at_mut(row_in);
                zeros.fill(0.0);
                let (temporary, scratch) = scratch.split_at_mut(N * N * row_in.max(row_out));
                let (inputs, outputs) = scratch.split_at_mut(N * N * tiles * row_in);
                for t in 0..tiles {
                    let (row, column) = (first_row + (tile_row + t / across) * T, t % across * T);
                    let first = x.first + block * at_once * self.channels_in;
                    let to = &mut inputs[t * row_in..];
                    transform_input(x, first, row, column, zeros, temporary, to, tiles * row_in);
                }
                for (group, packed) in packed.iter().enumerate() {
                    for first in (0..self.channels_out).step_by(COLUMNS) {
                        let (block, depth) = (packed.block(first), self.channels_in);
                        let filters = &mut filters[..block.len() / 9 * N * N];
                        transform_filters(block, filters);
                        for (frequency, block) in filters.chunks_exact(block.len() / 9).enumerate() {
                            let data = &inputs[frequency * tiles * row_in + group * depth..];
                            let rows = Rows { data, stride: row_in, count: tiles };
                            let to = frequency * tiles * row_out + group * self.channels_out + first;
                            product_of_block(rows, depth, block, &mut outputs[to..], row_out);
                        }
                    }
                }
                for t in 0..tiles {
                    let (row, column) = ((tile_row + t / across) * T, t % across * T);
                    let place = Place {
                        pixel: row * width + column,
                        absolute: (first_row + row) * width + column,
                        width,
                        rows: T.min(rows - row),
                        columns: T.min(width - column),
                        channel: block * at_once * self.channels_out,
                        channels: channels_out,
                    };
                    let from = &outputs[t * row_out..];
                    transform_output(from, tiles * row_out, temporary, y, &place, epilogue);
                }
            }
        }
    }
}

/// `G g G^T` of the filters of a block of columns: frequency `f` is a block of its own, the `f`-th of `to`.
#[inline(never)]
fn transform_filters(block: &[f32], to: &mut [f32]) {
    let taps = block.as_chunks::<4>().0;
    let vectors = taps.len() / 9;
    let mut taps = taps.chunks_exact(vectors);
    let taps: [[&[[f32; 4]]; 3]; 3] =
        std::array::from_fn(|_| std::array::from_fn(|_| &taps.next().unwrap_or_default()[..vectors]));
    let mut planes = to.as_chunks_mut().0.chunks_exact_mut(vectors);
    for row in WINOGRAD_G {
        let row = row.map(|factor| F32x4::splat(factor as f32));
        let planes: [&mut [[f32; 4]]; N] =
            std::array::from_fn(|_| &mut planes.next().unwrap_or_default()[..vectors]);
        for v in 0..vectors {
            let column = |b: usize| {
                let [first, second, third] = [0, 1, 2].map(|a| F32x4::load(&taps[a][b][v]));
                third.mul_add(row[2], second.mul_add(row[1], first.mul(row[0])))
            };
            let values = filter_transform_row([0, 1, 2].map(column));
            for n in 0..N {
                values[n].store(&mut planes[n][v]);
            }
        }
    }
}

/// `B^T d B` of one tile for some groups' channels, as many as there are `zeros`, which stand for pixels
/// outside: frequency `f` goes to `to[f * plane..]`. Rows are transformed into `temporary`, columns from
/// there; the loops run over channels, so that six vectors are in registers and not 36, and over slices
/// of one length, so that the length is looked at once.
#[inline(never)]
fn transform_input(
    x: &Operand,
    first: usize,
    row: usize,
    column: usize,
    zeros: &[f32],
    temporary: &mut [f32],
    to: &mut [f32],
    plane: usize,
) {
    let channels = zeros.len();
    let vectors = channels / 4;
    let (temporary, _) = temporary.as_chunks_mut::<4>().0.as_chunks_mut::<N>();
    for (a, temporary) in temporary.chunks_exact_mut(vectors).take(N).enumerate() {
        let r = (row + a).wrapping_sub(1);
        let pixels: [&[[f32; 4]]; N] = std::array::from_fn(|b| {
            let c = (column + b).wrapping_sub(1);
            let inside = r < x.height && c < x.width;
            // The slot is padded, so that the last vector of the last pixel is all there.
            let data = if inside { &x.data[(r * x.width + c) * x.row + first..][..channels] } else { zeros };
            &data.as_chunks().0[..vectors]
        });
        for (v, to) in temporary.iter_mut().enumerate() {
            store_each(input_transform_row(pixels.map(|pixel| F32x4::load(&pixel[v]))), to);
        }
    }
    let mut rows = temporary.chunks_exact(vectors);
    let rows: [&[[[f32; 4]; N]]; N] = std::array::from_fn(|_| &rows.next().unwrap_or_default()[..vectors]);
    for b in 0..N {
        let mut planes = to.chunks_mut(plane).skip(b).step_by(N);
        let planes: [&mut [[f32; 4]]; N] = std::array::from_fn(|_| {
            let plane = planes.next().unwrap_or_default();
            &mut plane.as_chunks_mut().0[..vectors]
        });
        for v in 0..vectors {
            let d = rows.map(|row| F32x4::load(&row[v][b]));
            let values = input_transform_row(d);
            for n in 0..N {
                values[n].store(&mut planes[n][v]);
            }
        }
    }
}

/// Where a tile's outputs go.
struct Place {
    /// First pixel of the tile in the part of y that is being written, and in the whole value.
    pixel: usize,
    absolute: usize,
    /// Pixels of a row.
    width: usize,
    /// Outputs of the tile that exist.
    rows: usize,
    columns: usize,
    /// First channel of the groups, and how many they have.
    channel: usize,
    channels: usize,
}

/// `A^T m A` of one tile for some groups' channels, with the epilogue.
#[inline(never)]
fn transform_output(
    from: &[f32],
    plane: usize,
    temporary: &mut [f32],
    y: &mut [f32],
    place: &Place,
    epilogue: &Epilogue,
) {
    let vectors = place.channels.div_ceil(4);
    let (temporary, _) = temporary.as_chunks_mut::<4>().0.as_chunks_mut::<T>();
    let mut planes = from.chunks(plane);
    for temporary in temporary.chunks_exact_mut(vectors).take(N) {
        let row: [&[[f32; 4]]; N] = std::array::from_fn(|_| {
            let plane = planes.next().unwrap_or_default();
            &plane.as_chunks().0[..vectors]
        });
        for (v, to) in temporary.iter_mut().enumerate() {
            store_each(output_transform_row(row.map(|plane| F32x4::load(&plane[v]))), to);
        }
    }
    let mut rows = temporary.chunks_exact(vectors);
    let rows: [&[[[f32; 4]; T]]; N] = std::array::from_fn(|_| &rows.next().unwrap_or_default()[..vectors]);
    for c in 0..place.columns {
        let sums = |v: usize| output_transform_row(rows.map(|row| F32x4::load(&row[v][c])));
        let whole = if epilogue.residual.is_some() { 0 } else { place.channels / 4 };
        finish_column(y, place, c, whole, epilogue, sums);
        for v in whole..vectors {
            let left = place.channels - v * 4;
            for (r, sum) in sums(v).into_iter().enumerate().take(place.rows) {
                let pixel = r * place.width + c;
                let pixels = (place.pixel + pixel, place.absolute + pixel);
                epilogue.finish(y, pixels, place.channel + v * 4, left, sum);
            }
        }
    }
}

/// The first `vectors` vectors of channels of a column of a tile, all whole and without a residual: the
/// epilogue without a look at each.
#[inline(always)]
fn finish_column(
    y: &mut [f32],
    place: &Place,
    column: usize,
    vectors: usize,
    epilogue: &Epilogue,
    sums: impl Fn(usize) -> [F32x4; T],
) {
    let floor = F32x4::splat(epilogue.floor);
    let bias = &epilogue.bias[place.channel..].as_chunks::<4>().0[..vectors];
    let at = (place.pixel + column) * epilogue.row + epilogue.first + place.channel;
    let mut lines = y[at..].chunks_mut(place.width * epilogue.row).take(place.rows);
    // Lines that the tile has beyond the last one of y are empty.
    let mut lines: [&mut [[f32; 4]]; T] = std::array::from_fn(|_| {
        lines.next().map_or(&mut [][..], |line| &mut line.as_chunks_mut().0[..vectors])
    });
    for v in 0..vectors {
        let bias = F32x4::load(&bias[v]);
        for (sum, line) in sums(v).into_iter().zip(&mut lines) {
            if let Some(to) = line.get_mut(v) {
                sum.add(bias).max(floor).store(to);
            }
        }
    }
}

#[inline(always)]
fn store_each<const M: usize>(values: [F32x4; M], to: &mut [[f32; 4]; M]) {
    for (value, to) in values.into_iter().zip(to) {
        value.store(to);
    }
}

/// One dimension of `G g`.
#[inline(always)]
fn filter_transform_row([a, b, c]: [F32x4; 3]) -> [F32x4; N] {
    let number = F32x4::splat;
    let (even, odd) = (a.add(c).mul(number(-1.0 / 6.0)), b.mul(number(-1.0 / 6.0)));
    let (even2, odd2) = (c.mul_add(number(1.0 / 6.0), a.mul(number(1.0 / 24.0))), b.mul(number(1.0 / 12.0)));
    [a.mul(number(0.25)), even.add(odd), even.sub(odd), even2.add(odd2), even2.sub(odd2), c]
}

/// One dimension of `B^T d`.
#[inline(always)]
fn input_transform_row(d: [F32x4; N]) -> [F32x4; N] {
    let (two, four, minus_five) = (F32x4::splat(2.0), F32x4::splat(4.0), F32x4::splat(-5.0));
    let minus_four = F32x4::splat(-4.0);
    let (even, odd) = (d[2].mul_add(minus_four, d[4]), d[1].mul_add(minus_four, d[3]));
    let (even2, odd2) = (d[4].sub(d[2]), d[3].sub(d[1]).mul(two));
    [
        d[0].mul_add(four, d[2].mul_add(minus_five, d[4])),
        even.add(odd),
        even.sub(odd),
        even2.add(odd2),
        even2.sub(odd2),
        d[1].mul_add(four, d[3].mul_add(minus_five, d[5])),
    ]
}

/// One dimension of `A^T m`.
#[inline(always)]
fn output_transform_row(m: [F32x4; N]) -> [F32x4; T] {
    let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (sum2, difference2) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(sum).add(sum2),
        difference2.mul_add(F32x4::splat(2.0), difference),
        sum2.mul_add(F32x4::splat(4.0), sum),
        difference2.mul_add(F32x4::splat(8.0), difference).add(m[5]),
    ]
}

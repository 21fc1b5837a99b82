//! The matrix product every convolution comes down to: rows of x (a pixel's channels, a gathered
//! patch, a Winograd tile) times packed weights.
//!
//! A tile is 6 rows x 8 columns: 12 accumulators, two weight vectors and one broadcast are the 15 vector
//! registers that engines have left of 16. Eight accumulators would do with two multiply-adds a cycle of a
//! latency of four, but only if none was ever late.

use super::f32x4::F32x4;
use crate::error::Result;
use crate::fold::Folding;

/// Rows and results that are in use together: a quarter of a second-level cache of 1 MiB.
const CACHED_ELEMENTS: usize = 64 * 1024;
/// Fewest and most rows that pass by a block of weights.
const MIN_ROWS: usize = 60;
const MAX_ROWS: usize = 510;
/// Rows of the largest tile.
const TILE_ROWS: usize = 6;
/// Columns of the usual tile.
pub const COLUMNS: usize = 8;

/// A weight matrix `[depth, columns]` packed in blocks of eight columns, the last one of four if that
/// is enough, each block `[depth][columns of the block]`, padded with zeros.
#[derive(Clone, Debug)]
pub struct Packed {
    data: Vec<f32>,
    /// Length of the sum.
    pub depth: usize,
    /// Columns of the result.
    pub columns: usize,
}

impl Packed {
    /// Packs the filters `first..first + columns`, each `[channels, taps]`; the sum goes over
    /// `[taps, channels]`.
    ///
    /// # Errors
    /// As [`Folding::filters`].
    pub fn new(folding: &Folding, first: usize, columns: usize, taps: usize) -> Result<Packed> {
        let depth = folding.filter_len();
        let mut data = vec![0.0; depth * padded(columns)];
        for column in (0..columns).step_by(COLUMNS) {
            let block = block_columns(columns - column);
            let filters = folding.filters(first + column..first + (column + block).min(columns))?;
            let to = &mut data[column * depth..][..depth * block];
            for (lane, filter) in filters.chunks_exact(depth).enumerate() {
                pack_column(filter, taps, &mut to[lane..], block);
            }
        }
        Ok(Packed { data, depth, columns })
    }

    /// One matrix a group of the filters.
    ///
    /// # Errors
    /// As [`Folding::filters`].
    pub fn of_groups(folding: &Folding, groups: usize, columns: usize, taps: usize) -> Result<Vec<Packed>> {
        (0..groups).map(|group| Packed::new(folding, group * columns, columns, taps)).collect()
    }

    /// The block of columns that starts at `first`, a multiple of eight.
    pub fn block(&self, first: usize) -> &[f32] {
        let start = first * self.depth;
        &self.data[start..start + self.depth * block_columns(self.columns - first)]
    }

    /// Bytes of the packed weights.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }
}

/// Spreads a filter, `[channels, taps]`, over every `step`-th element.
///
/// A function of its own, because the browser's optimising compiler takes over from call to call.
#[inline(never)]
fn pack_column(filter: &[f32], taps: usize, to: &mut [f32], step: usize) {
    let channels = filter.len() / taps;
    for (channel, values) in filter.chunks_exact(taps).enumerate() {
        for (tap, &value) in values.iter().enumerate() {
            to[(tap * channels + channel) * step] = value;
        }
    }
}

/// Columns that a block with `left` columns to go has.
fn block_columns(left: usize) -> usize {
    if left <= COLUMNS / 2 { COLUMNS / 2 } else { COLUMNS }
}

fn padded(columns: usize) -> usize {
    columns.next_multiple_of(COLUMNS / 2)
}

/// Rows of a left matrix: row `r` is `data[r * stride..][..depth]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// From the first row's first element on.
    pub data: &'a [f32],
    /// Elements between the starts of neighbouring rows.
    pub stride: usize,
    /// Number of rows.
    pub count: usize,
}

/// Multiplies the rows by the packed matrix and hands each row of a block of columns to
/// `finish(row, first column, columns left, sums)`; of the eight sums those beyond the columns left
/// mean nothing.
///
/// A block's weights stay in the first-level cache while rows pass by, and the rows and their results
/// in the second while blocks do.
#[inline(always)]
pub fn product(rows: Rows, packed: &Packed, mut finish: impl FnMut(usize, usize, usize, [F32x4; 2])) {
    let mut sums = [[0.0; 4]; TILE_ROWS * 2];
    let at_once = CACHED_ELEMENTS / (packed.depth + packed.columns);
    let at_once = (at_once / TILE_ROWS * TILE_ROWS).clamp(MIN_ROWS, MAX_ROWS);
    for start in (0..rows.count).step_by(at_once) {
        let end = (start + at_once).min(rows.count);
        for first in (0..packed.columns).step_by(COLUMNS) {
            let (block, left) = (packed.block(first), packed.columns - first);
            let mut row = start;
            while row < end {
                let count = tile_rows(end - row);
                let x = &rows.data[row * rows.stride..];
                multiply_tile(count, x, rows.stride, packed.depth, block, sums.as_flattened_mut(), COLUMNS);
                for (m, [low, high]) in sums.as_chunks().0[..count].iter().enumerate() {
                    finish(row + m, first, left, [F32x4::load(low), F32x4::load(high)]);
                }
                row += count;
            }
        }
    }
}

/// The product of few rows with one block of columns, as it is: row `r` goes to `to[r * stride..]`, in whole
/// vectors.
#[inline(never)]
pub fn product_of_block(rows: Rows, depth: usize, block: &[f32], to: &mut [f32], stride: usize) {
    let mut row = 0;
    while row < rows.count {
        let count = tile_rows(rows.count - row);
        let (x, to) = (&rows.data[row * rows.stride..], &mut to[row * stride..]);
        multiply_tile(count, x, rows.stride, depth, block, to, stride);
        row += count;
    }
}

/// Rows of the next tile: six, but of a remainder of seven to eleven half, because the fewer rows the more
/// a multiplication waits for the last one.
#[inline(always)]
fn tile_rows(left: usize) -> usize {
    match left {
        1..=6 => left,
        7..=11 => left / 2,
        _ => 6,
    }
}

#[inline(always)]
fn multiply_tile(
    rows: usize,
    x: &[f32],
    stride: usize,
    depth: usize,
    block: &[f32],
    to: &mut [f32],
    to_stride: usize,
) {
    let one_vector = block.len() == depth * 4;
    match (rows, one_vector) {
        (1, false) => tile::<1, 2>(x, stride, block, to, to_stride),
        (2, false) => tile::<2, 2>(x, stride, block, to, to_stride),
        (3, false) => tile::<3, 2>(x, stride, block, to, to_stride),
        (4, false) => tile::<4, 2>(x, stride, block, to, to_stride),
        (5, false) => tile::<5, 2>(x, stride, block, to, to_stride),
        (_, false) => tile::<6, 2>(x, stride, block, to, to_stride),
        (1, true) => tile::<1, 1>(x, stride, block, to, to_stride),
        (2, true) => tile::<2, 1>(x, stride, block, to, to_stride),
        (3, true) => tile::<3, 1>(x, stride, block, to, to_stride),
        (4, true) => tile::<4, 1>(x, stride, block, to, to_stride),
        (5, true) => tile::<5, 1>(x, stride, block, to, to_stride),
        (_, true) => tile::<6, 1>(x, stride, block, to, to_stride),
    }
}

/// `to[m * to_stride + n] = sum over k of x[m * stride + k] * block[k][n]`
///
/// A function of its own, so that nothing else wants a register in the loop, and a row after the other,
/// so that one broadcast is in use; unrolled, engines load a whole stretch ahead and spill.
#[inline(never)]
fn tile<const M: usize, const N: usize>(
    x: &[f32],
    stride: usize,
    block: &[f32],
    to: &mut [f32],
    to_stride: usize,
) {
    let (weights, _) = block.as_chunks::<4>().0.as_chunks::<N>();
    let depth = weights.len();
    let x: [&[f32]; M] = std::array::from_fn(|m| &x[m * stride..][..depth]);
    let mut sums = [[F32x4::splat(0.0); N]; M];
    for k in 0..depth {
        let w = weights[k].each_ref().map(F32x4::load);
        for m in 0..M {
            let x = F32x4::splat(x[m][k]);
            for n in 0..N {
                sums[m][n] = x.mul_add(w[n], sums[m][n]);
            }
        }
    }
    for m in 0..M {
        let to = &mut to[m * to_stride..][..4 * N].as_chunks_mut().0;
        for n in 0..N {
            sums[m][n].store(&mut to[n]);
        }
    }
}

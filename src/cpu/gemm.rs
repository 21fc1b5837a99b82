//! The matrix product every convolution comes down to: rows of x (a pixel's channels, a gathered
//! patch, a Winograd tile) times packed weights.
//!
//! A tile is 4 rows x 8 columns: 8 accumulators, two weight vectors and one broadcast stay in the 16
//! vector registers that engines have; 6 x 8 and 4 x 12 spill. Five rows still fit, so that a
//! remainder of one row joins the last tile instead of running alone.

use super::f32x4::F32x4;

/// Rows of the usual tile.
pub const ROWS: usize = 4;
/// Columns of the usual tile.
const COLUMNS: usize = 8;

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
    /// Packs `weight(depth index, column)`.
    pub fn new(depth: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) -> Packed {
        let mut data = Vec::with_capacity(depth * padded(columns));
        for first in (0..columns).step_by(COLUMNS) {
            let block = block_columns(columns - first);
            for k in 0..depth {
                data.extend(
                    (first..first + block)
                        .map(|column| if column < columns { weight(k, column) } else { 0.0 }),
                );
            }
        }
        Packed { data, depth, columns }
    }

    /// The block of columns that starts at `first`, a multiple of eight.
    fn block(&self, first: usize) -> &[f32] {
        let start = first * self.depth;
        &self.data[start..start + self.depth * block_columns(self.columns - first)]
    }

    /// Bytes of the packed weights.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }
}

/// Columns that a block with `left` columns to go has.
fn block_columns(left: usize) -> usize {
    if left <= COLUMNS / 2 { COLUMNS / 2 } else { COLUMNS }
}

fn padded(columns: usize) -> usize {
    columns.next_multiple_of(COLUMNS / 2)
}

/// Multiplies rows `0..rows` by the packed matrix and hands each finished row of a block to
/// `finish(row, first column, sums)`, where `sums` has one or two vectors.
///
/// A block's weights stay in the first-level cache while all rows pass by.
#[inline(always)]
pub fn product<'x>(
    packed: &Packed,
    rows: usize,
    x: impl Fn(usize) -> &'x [f32] + Copy,
    mut finish: impl FnMut(usize, usize, &[F32x4]),
) {
    for first in (0..packed.columns).step_by(COLUMNS) {
        let block = packed.block(first);
        if block_columns(packed.columns - first) == COLUMNS {
            rows_of_block::<2>(block, rows, x, |row, sums| finish(row, first, sums));
        } else {
            rows_of_block::<1>(block, rows, x, |row, sums| finish(row, first, sums));
        }
    }
}

#[inline(always)]
fn rows_of_block<'x, const N: usize>(
    block: &[f32],
    rows: usize,
    x: impl Fn(usize) -> &'x [f32] + Copy,
    mut finish: impl FnMut(usize, &[F32x4]),
) {
    let mut row = 0;
    while row < rows {
        match rows - row {
            4 | 8.. => row += tile::<4, N>(block, row, x, &mut finish),
            // Five as it is, six as three and three, seven as four and three.
            5 => row += tile::<5, N>(block, row, x, &mut finish),
            3 | 6 => row += tile::<3, N>(block, row, x, &mut finish),
            7 => row += tile::<4, N>(block, row, x, &mut finish),
            2 => row += tile::<2, N>(block, row, x, &mut finish),
            _ => row += tile::<1, N>(block, row, x, &mut finish),
        }
    }
}

#[inline(always)]
fn tile<'x, const M: usize, const N: usize>(
    block: &[f32],
    row: usize,
    x: impl Fn(usize) -> &'x [f32] + Copy,
    finish: &mut impl FnMut(usize, &[F32x4]),
) -> usize {
    let sums = sums::<M, N>(std::array::from_fn(|m| x(row + m)), block);
    for (m, sums) in sums.iter().enumerate() {
        finish(row + m, sums);
    }
    M
}

/// `sums[m][n] = sum over k of x[m][k] * block[k][n]`
#[inline(always)]
fn sums<const M: usize, const N: usize>(x: [&[f32]; M], block: &[f32]) -> [[F32x4; N]; M] {
    let (weights, _) = block.as_chunks::<4>().0.as_chunks::<N>();
    let depth = weights.len();
    let x = x.map(|row| &row[..depth]);
    let mut sums = [[F32x4::splat(0.0); N]; M];
    // Four steps at a time: one address a row serves four loads.
    let (weights4, weights1) = weights.as_chunks::<4>();
    let x4: [&[[f32; 4]]; M] = x.map(|row| &row.as_chunks::<4>().0[..weights4.len()]);
    for (j, weights) in weights4.iter().enumerate() {
        for k in 0..4 {
            let w = weights[k].each_ref().map(F32x4::load);
            for m in 0..M {
                let x = F32x4::splat(x4[m][j][k]);
                for n in 0..N {
                    sums[m][n] = x.mul_add(w[n], sums[m][n]);
                }
            }
        }
    }
    let done = depth - weights1.len();
    for (k, weights) in weights1.iter().enumerate() {
        let w = weights.each_ref().map(F32x4::load);
        for m in 0..M {
            let x = F32x4::splat(x[m][done + k]);
            for n in 0..N {
                sums[m][n] = x.mul_add(w[n], sums[m][n]);
            }
        }
    }
    sums
}

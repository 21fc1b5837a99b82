//! The one product of matrices beside the engines' own: `C[i, j] += sum over p of A[i, p] * B[j, p]`.
//!
//! Both operands lie as feature maps do, positions innermost. Some columns of B are packed side by side in
//! vectors, and a tile of sums stays in registers.

use super::lanes::{Lanes, Number};

/// Which part of C is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `j >= i`: of the product of a matrix with itself. What is below holds anything.
    Upper,
}

/// Rows of A in a tile.
const ROWS: usize = 4;
/// Vectors of B in a tile.
const VECTORS: usize = 2;
/// Positions that are summed before they are added to C.
const BLOCK: usize = 256;

/// `c[i * n + j] += sum over p of a[i * positions + p] * b[j * positions + p]`, `n` rows of B.
pub fn add_product<T: Number>(a: &[T], b: &[T], positions: usize, c: &mut [T], part: Part) {
    let (m, n) = (a.len() / positions, b.len() / positions);
    let columns = VECTORS * T::Lanes::COUNT;
    let mut panel = [[T::Lanes::splat(T::default()); VECTORS]; BLOCK];
    for start in (0..positions).step_by(BLOCK) {
        let depth = BLOCK.min(positions - start);
        for j in (0..n).step_by(columns) {
            let width = columns.min(n - j);
            // Columns that are missing are the last one again, and are not added.
            let row = |column: usize| &b[(j + column.min(width - 1)) * positions + start..][..depth];
            for (v, base) in (0..VECTORS).map(|v| (v, v * T::Lanes::COUNT)) {
                for (p, packed) in panel[..depth].iter_mut().enumerate() {
                    packed[v] = T::Lanes::from_fn(|lane| row(base + lane)[p]);
                }
            }
            let end = if part == Part::Upper { m.min(j + columns) } else { m };
            let row = |i: usize| &a[i * positions + start..][..depth];
            let mut i = 0;
            while i + ROWS <= end {
                let sums = tile([row(i), row(i + 1), row(i + 2), row(i + 3)], &panel[..depth]);
                for (r, sums) in sums.iter().enumerate() {
                    add(&mut c[(i + r) * n + j..][..width], sums);
                }
                i += ROWS;
            }
            for i in i..end {
                let [sums] = tile([row(i)], &panel[..depth]);
                add(&mut c[i * n + j..][..width], &sums);
            }
        }
    }
}

fn add<T: Number>(to: &mut [T], sums: &[T::Lanes; VECTORS]) {
    for (v, sums) in sums.iter().enumerate() {
        sums.each(|lane, sum| {
            if let Some(to) = to.get_mut(v * T::Lanes::COUNT + lane) {
                *to += sum;
            }
        });
    }
}

/// A function of its own, so that its sums stay in registers.
#[inline(never)]
fn tile<T: Number, const R: usize>(
    rows: [&[T]; R],
    panel: &[[T::Lanes; VECTORS]],
) -> [[T::Lanes; VECTORS]; R] {
    let mut sums = [[T::Lanes::splat(T::default()); VECTORS]; R];
    let rows = rows.map(|row| &row[..panel.len()]);
    for (p, packed) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = T::Lanes::splat(row[p]);
            for (sum, &y) in sums.iter_mut().zip(packed) {
                *sum = x.mul_add(y, *sum);
            }
        }
    }
    sums
}

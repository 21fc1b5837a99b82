//! Systems of equations whose matrix is symmetric and positive.

use super::product::{Part, add_product};
use super::vectors::{add_scaled, dot};

/// Columns that are made of one product with all columns before them.
const COLUMNS: usize = 48;

/// `A = L L^T` of an `n x n` matrix whose lower triangle is given; L is left there. `None` where the matrix is not
/// positive as far as f64 can tell.
pub fn cholesky(a: &mut [f64], n: usize) -> Option<()> {
    let diagonal: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
    for first in (0..n).step_by(COLUMNS) {
        let columns = COLUMNS.min(n - first);
        subtract_before(a, n, first, columns);
        for (i, diagonal) in diagonal.iter().enumerate().skip(first) {
            let (above, row) = a.split_at_mut(i * n);
            let row = &mut row[first..first + columns];
            for j in 0..columns.min(i - first) {
                let other = &above[(first + j) * n + first..][..columns];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            if i < first + columns {
                let at = i - first;
                let pivot = row[at] - dot(&row[..at], &row[..at]);
                if pivot <= diagonal * 1e-14 {
                    return None;
                }
                row[at] = pivot.sqrt();
            }
        }
    }
    Some(())
}

/// Takes what the columns before give off some columns, from the diagonal down.
fn subtract_before(a: &mut [f64], n: usize, first: usize, columns: usize) {
    if first == 0 {
        return;
    }
    let before: Vec<f64> = a[first * n..].chunks_exact(n).flat_map(|row| &row[..first]).copied().collect();
    let mut products = vec![0.0; (n - first) * columns];
    add_product(&before, &before[..columns * first], first, &mut products, Part::Whole);
    for (row, products) in a[first * n..].chunks_exact_mut(n).zip(products.chunks_exact(columns)) {
        row[first..first + columns].iter_mut().zip(products).for_each(|(value, product)| *value -= product);
    }
}

/// Solves `L L^T X = B` for `columns` right-hand sides, `b[i * columns + column]`.
pub fn substitute(l: &[f64], n: usize, b: &mut [f64], columns: usize) {
    for i in 0..n {
        let (solved, rest) = b.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for (k, other) in solved.chunks_exact(columns).enumerate() {
            add_scaled(row, -l[i * n + k], other);
        }
        row.iter_mut().for_each(|value| *value /= l[i * n + i]);
    }
    for i in (0..n).rev() {
        let (rest, solved) = b.split_at_mut((i + 1) * columns);
        let row = &mut rest[i * columns..];
        for (k, other) in (i + 1..n).zip(solved.chunks_exact(columns)) {
            add_scaled(row, -l[k * n + i], other);
        }
        row.iter_mut().for_each(|value| *value /= l[i * n + i]);
    }
}

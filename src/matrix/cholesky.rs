//! Systems of equations whose matrix is symmetric and positive.

/// `A = L L^T` of an `n x n` matrix whose lower triangle is given; L is left there. `None` where the matrix is not
/// positive as far as f64 can tell.
pub fn cholesky(a: &mut [f64], n: usize) -> Option<()> {
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        let row = &mut row[..n];
        for j in 0..i {
            let other = &above[j * n..][..n];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if pivot <= row[i] * 1e-14 {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(())
}

/// Solves `L L^T X = B` for `columns` right-hand sides, `b[i * columns + column]`.
pub fn substitute(l: &[f64], n: usize, b: &mut [f64], columns: usize) {
    for i in 0..n {
        let (solved, rest) = b.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for (k, other) in solved.chunks_exact(columns).enumerate() {
            subtract(row, l[i * n + k], other);
        }
        row.iter_mut().for_each(|value| *value /= l[i * n + i]);
    }
    for i in (0..n).rev() {
        let (rest, solved) = b.split_at_mut((i + 1) * columns);
        let row = &mut rest[i * columns..];
        for (k, other) in (i + 1..n).zip(solved.chunks_exact(columns)) {
            subtract(row, l[k * n + i], other);
        }
        row.iter_mut().for_each(|value| *value /= l[i * n + i]);
    }
}

fn subtract(row: &mut [f64], factor: f64, other: &[f64]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value -= factor * other;
    }
}

/// Four sums side by side, which the compiler makes vectors of.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

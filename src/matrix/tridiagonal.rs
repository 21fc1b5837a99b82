//! A symmetric matrix as `Q T Q^T`, with T tridiagonal, by Householder's reflections (Golub and Van Loan, Matrix
//! Computations, 4th ed., algorithm 8.3.1). It takes a tenth of the work of eigenvalues, and `(A + lambda I)^-1` costs
//! as little as with them for any number of lambdas.

use super::vectors::{add_both, add_scaled, dot, dots};

/// Rows that are reflected together.
const ROWS: usize = 4;

/// Q and T of an `n x n` matrix.
pub struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Beside the diagonal.
    beside: Vec<f64>,
    /// `Q^T`: its rows are the columns of Q.
    pub transposed: Vec<f64>,
}

impl Tridiagonal {
    /// Takes a matrix whose upper triangle is given.
    pub fn new(mut a: Vec<f64>, n: usize) -> Tridiagonal {
        let mut beside = Vec::with_capacity(n);
        let mut scales = Vec::with_capacity(n);
        let mut product = vec![0.0; n];
        for k in 0..n.saturating_sub(1) {
            let (above, below) = a.split_at_mut((k + 1) * n);
            let vector = &mut above[k * n + k + 1..];
            let (scale, image) = reflector(vector);
            beside.push(image);
            scales.push(scale);
            if scale != 0.0 {
                reflect_both_sides(below, n, vector, scale, &mut product[..vector.len()]);
            }
        }
        let diagonal = (0..n).map(|i| a[i * n + i]).collect();

        let mut transposed = vec![0.0; n * n];
        (0..n).for_each(|i| transposed[i * n + i] = 1.0);
        for (at, rows) in transposed.chunks_mut(ROWS * n).enumerate() {
            reflect_rows(rows, n, at * ROWS, &a, &scales);
        }
        Tridiagonal { diagonal, beside, transposed }
    }

    /// `T + lambda I` as `L D L^T`, where that is positive.
    pub fn shifted(&self, lambda: f64) -> Shifted {
        let mut pivots: Vec<f64> = Vec::with_capacity(self.diagonal.len());
        let mut factors = Vec::with_capacity(self.beside.len());
        for (i, &diagonal) in self.diagonal.iter().enumerate() {
            let less = if i == 0 {
                0.0
            } else {
                let factor = self.beside[i - 1] / pivots[i - 1];
                factors.push(factor);
                factor * self.beside[i - 1]
            };
            pivots.push(diagonal + lambda - less);
        }
        Shifted { factors, pivots }
    }
}

/// `L` below its diagonal of ones, and `D`.
pub struct Shifted {
    factors: Vec<f64>,
    pivots: Vec<f64>,
}

impl Shifted {
    /// `z^T (T + lambda I)^-1 z`
    pub fn quadratic(&self, z: &[f64]) -> f64 {
        let (mut sum, mut before) = (z[0] * z[0] / self.pivots[0], z[0]);
        for ((&z, factor), pivot) in z[1..].iter().zip(&self.factors).zip(&self.pivots[1..]) {
            before = z - factor * before;
            sum += before * before / pivot;
        }
        sum
    }

    /// Replaces b by `(T + lambda I)^-1 b`.
    pub fn solve(&self, b: &mut [f64]) {
        for i in 1..b.len() {
            b[i] -= self.factors[i - 1] * b[i - 1];
        }
        b.iter_mut().zip(&self.pivots).for_each(|(b, pivot)| *b /= pivot);
        for i in (1..b.len()).rev() {
            b[i - 1] -= self.factors[i - 1] * b[i];
        }
    }
}

/// Replaces x by the v of a reflection `H = I - scale v v^T` with `H x = image e_1`; `scale` is 0 where x is so already.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let first = x[0];
    let rest = dot(&x[1..], &x[1..]);
    if rest == 0.0 {
        return (0.0, first);
    }
    let image = -(first * first + rest).sqrt().copysign(first);
    // v = x - image e_1, whose first number is a sum of two of one sign.
    x[0] = first - image;
    (2.0 / (x[0] * x[0] + rest), image)
}

/// Makes rows of the identity, from `first` on, rows of `Q^T`, with `Q = H_0 H_1 ...`, the last first: so each row meets
/// those reflections alone that change it.
fn reflect_rows(rows: &mut [f64], n: usize, first: usize, vectors: &[f64], scales: &[f64]) {
    let last = (first + rows.len() / n).min(scales.len() + 1) - 1;
    for k in (0..last).rev().filter(|&k| scales[k] != 0.0) {
        let v = &vectors[k * n + k + 1..(k + 1) * n];
        match rows.len() / n {
            ROWS => {
                let sums = dots([0, 1, 2, 3].map(|row| &rows[row * n + k + 1..(row + 1) * n]), v);
                for (row, sum) in rows.chunks_exact_mut(n).zip(sums) {
                    add_scaled(&mut row[k + 1..], -scales[k] * sum, v);
                }
            }
            _ => {
                for row in rows.chunks_exact_mut(n) {
                    let sum = dot(&row[k + 1..], v);
                    add_scaled(&mut row[k + 1..], -scales[k] * sum, v);
                }
            }
        }
    }
}

/// `A - v w^T - w v^T = H A H` for the upper triangle of A's last rows and columns, as many as v has numbers; `rows` are
/// whole.
fn reflect_both_sides(rows: &mut [f64], n: usize, v: &[f64], scale: f64, w: &mut [f64]) {
    let size = v.len();
    w.fill(0.0);
    for (i, row) in rows.chunks_exact(n).enumerate() {
        let row = &row[n - size + i..];
        let (now, later) = w[i..].split_at_mut(1);
        now[0] += row[0] * v[i] + dot(&row[1..], &v[i + 1..]);
        add_scaled(later, v[i], &row[1..]);
    }
    w.iter_mut().for_each(|w| *w *= scale);
    let half = scale / 2.0 * dot(w, v);
    add_scaled(w, -half, v);
    for (i, row) in rows.chunks_exact_mut(n).enumerate() {
        let row = &mut row[n - size + i..];
        add_both(row, [-w[i], -v[i]], [&v[i..], &w[i..]]);
    }
}

//! Ridge regression on the classes, and its predictions for each picture without that picture.
//!
//! A picture of a class of n_c pictures weighs 1 / n_c, so that each class counts the same. With X the features less
//! their weighted mean, one row a picture, and Y the targets less theirs (1 for a picture's own class and 0 for the
//! others, whose mean is 1 / K for K classes), both times the root of the weights, the classifier minimises
//! `|Y - X W|^2 + lambda |W|^2`.
//!
//! The prediction for a picture without it, the others weighing what they did, differs from its target by
//! `r / (1 - h)`: r is the residual with it, and h its leverage, the diagonal of
//! `w / K + X (X^T X + lambda I)^-1 X^T` (Allen 1974, PRESS; Cook and Weisberg 1982).
//! Where pictures are fewer than features, the same by a matrix of pictures by pictures, `M = X X^T`:
//! `r = lambda (M + lambda I)^-1 Y` and `1 - h = lambda (M + lambda I)^-1_ii - w / K` (Rifkin and Lippert 2007).

use super::{Classifier, Examples};
use crate::error::{Error, Result};
use crate::matrix::{Part, Tridiagonal, add_product, cholesky, substitute};
use std::ops::Range;

/// What is common to all penalties: the matrix of features by features, or of pictures by pictures.
struct Problem {
    /// Its upper triangle.
    matrix: Vec<f64>,
    side: usize,
    dual: bool,
    mean: Vec<f64>,
    /// What a relative penalty is relative to: the mean of the eigenvalues that are not 0.
    unit: f64,
}

impl Problem {
    fn new(examples: &mut Examples, counts: &[usize]) -> Problem {
        let width = examples.width;
        let dual = examples.len() < width;
        let (side, mean, mut matrix);
        if dual {
            side = examples.len();
            mean = mean_of(&examples.class_means(counts), width);
            let rows = weighted_rows(examples, counts, &mean, 0..side);
            matrix = vec![0.0; side * side];
            add_product(&rows, &rows, width, &mut matrix, Part::Upper);
        } else {
            examples.sum_up(counts);
            side = width;
            let classes = counts.len() as f64;
            mean = examples.sums.iter().map(|sum| sum / classes).collect::<Vec<_>>();
            matrix = examples.products.clone();
            for (row, mean_i) in matrix.chunks_exact_mut(side).zip(&mean) {
                row.iter_mut().zip(&mean).for_each(|(value, mean_j)| *value -= classes * mean_i * mean_j);
            }
        }
        let trace: f64 = (0..side).map(|i| matrix[i * side + i]).sum();
        // Where all pictures are the same, any penalty gives the same.
        let unit = if trace > 0.0 { trace / side as f64 } else { 1.0 };
        Problem { matrix, side, dual, mean, unit }
    }
}

/// Of class means, each of which counts the same.
fn mean_of(means: &[f64], width: usize) -> Vec<f64> {
    let mut mean = vec![0.0; width];
    for row in means.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, m)| *sum += m);
    }
    let classes = (means.len() / width) as f64;
    mean.iter_mut().for_each(|sum| *sum /= classes);
    mean
}

/// Pictures' features less the mean, times the root of their weights.
fn weighted_rows(examples: &Examples, counts: &[usize], mean: &[f64], range: Range<usize>) -> Vec<f64> {
    let mut rows = examples.centred(range.clone(), mean);
    for (row, &class) in rows.chunks_exact_mut(mean.len()).zip(&examples.classes[range]) {
        let root = (counts[class] as f64).sqrt();
        row.iter_mut().for_each(|x| *x /= root);
    }
    rows
}

/// One classifier, with a penalty relative to the mean eigenvalue.
pub(super) fn fit(examples: &mut Examples, counts: &[usize], penalty: f64) -> Result<Classifier> {
    if !(penalty > 0.0 && penalty.is_finite()) {
        return Err(Error::WrongShape(format!("the penalty is {penalty}, expected a number above 0")));
    }
    let Problem { mut matrix, side, dual, mean, unit } = Problem::new(examples, counts);
    let classes = counts.len();
    for i in 0..side {
        for j in 0..i {
            matrix[i * side + j] = matrix[j * side + i];
        }
        matrix[i * side + i] += penalty * unit;
    }
    cholesky(&mut matrix, side).ok_or_else(|| {
        Error::Unsupported("the penalty is too small for these pictures: use a larger one".into())
    })?;
    let mut sides = right_sides(examples, counts, &mean, dual);
    let mut columns = transposed(&sides, side);
    substitute(&matrix, side, &mut columns, classes);
    sides = transposed(&columns, classes);
    Ok(classifier(examples, counts, &mean, sides, dual))
}

/// `Y^T X`, `[classes, features]`, or `Y^T`, `[classes, pictures]`.
fn right_sides(examples: &Examples, counts: &[usize], mean: &[f64], dual: bool) -> Vec<f64> {
    let classes = counts.len();
    if !dual {
        let mut sides = examples.class_means(counts);
        for row in sides.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(mean).for_each(|(value, mean)| *value -= mean);
        }
        return sides;
    }
    let target = |k: usize, &class: &usize| target(k, class, classes) / (counts[class] as f64).sqrt();
    (0..classes).flat_map(|k| examples.classes.iter().map(move |class| target(k, class))).collect()
}

/// What the logit of class k is to be for a picture of a class.
pub(super) fn target(k: usize, class: usize, classes: usize) -> f64 {
    f64::from(u8::from(k == class)) - 1.0 / classes as f64
}

/// Of the weights, or of coefficients of the pictures, `[classes, pictures]`.
fn classifier(
    examples: &Examples,
    counts: &[usize],
    mean: &[f64],
    solution: Vec<f64>,
    dual: bool,
) -> Classifier {
    if !dual {
        return Classifier::about(mean, solution);
    }
    let (n, width) = (examples.len(), examples.width);
    let columns = transposed(&weighted_rows(examples, counts, mean, 0..n), width);
    let mut weight = vec![0.0; solution.len() / n * width];
    add_product(&solution, &columns, n, &mut weight, Part::Whole);
    Classifier::about(mean, weight)
}

/// `[rows, columns]` to `[columns, rows]`.
pub(super) fn transposed(matrix: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|j| matrix.iter().skip(j).step_by(columns).copied()).collect()
}

/// What several penalties leave of each picture, block by block.
pub(super) struct LeaveOneOut {
    problem: Tridiagonal,
    dual: bool,
    side: usize,
    mean: Vec<f64>,
    unit: f64,
    pub penalties: Vec<f64>,
    /// `(T + lambda I)^-1 Q^T` of the right sides, `[classes, side]`, for each penalty.
    coefficients: Vec<Vec<f64>>,
    /// `1 - h` of each picture, for each penalty.
    pub rest: Vec<Vec<f64>>,
    /// Weighted sums of squared leave-one-out residuals, of classes with two pictures or more.
    pub press: Vec<f64>,
    counts: Vec<usize>,
}

impl LeaveOneOut {
    /// Penalties are relative to the mean eigenvalue.
    pub fn new(examples: &mut Examples, counts: &[usize], penalties: &[f64]) -> LeaveOneOut {
        let Problem { matrix, side, dual, mean, unit } = Problem::new(examples, counts);
        let problem = Tridiagonal::new(matrix, side);
        let mut sides = vec![0.0; counts.len() * side];
        let given = right_sides(examples, counts, &mean, dual);
        add_product(&given, &problem.transposed, side, &mut sides, Part::Whole);
        let solved = |penalty: &f64| {
            let shifted = problem.shifted(penalty * unit);
            let mut solution = sides.clone();
            solution.chunks_exact_mut(side).for_each(|side| shifted.solve(side));
            solution
        };
        let coefficients = penalties.iter().map(solved).collect();
        let rest = vec![Vec::with_capacity(examples.len()); penalties.len()];
        let press = vec![0.0; penalties.len()];
        let (counts, penalties) = (counts.to_vec(), penalties.to_vec());
        LeaveOneOut { problem, dual, side, mean, unit, penalties, coefficients, rest, press, counts }
    }

    /// Takes the next pictures.
    pub fn add(&mut self, examples: &Examples, range: Range<usize>) {
        let (classes, side) = (self.counts.len(), self.side);
        let rows = self.rotated(examples, range.clone());
        let mut products = vec![0.0; range.len() * classes];
        for (at, (penalty, coefficients)) in self.penalties.iter().zip(&self.coefficients).enumerate() {
            let lambda = penalty * self.unit;
            let shifted = self.problem.shifted(lambda);
            products.fill(0.0);
            add_product(&rows, coefficients, side, &mut products, Part::Whole);
            let pictures = rows.chunks_exact(side).zip(products.chunks_exact(classes));
            for ((row, products), &class) in pictures.zip(&examples.classes[range.clone()]) {
                let weight = 1.0 / self.counts[class] as f64;
                let quadratic = shifted.quadratic(row);
                let rest = if self.dual { lambda * quadratic } else { 1.0 - quadratic };
                let rest = rest - weight / classes as f64;
                self.rest[at].push(rest);
                if self.counts[class] < 2 {
                    continue;
                }
                let squares = products.iter().enumerate().map(|(k, product)| {
                    let target = target(k, class, classes) * weight.sqrt();
                    let residual = if self.dual { lambda * product } else { target - product };
                    residual * residual
                });
                self.press[at] += squares.sum::<f64>() / (rest * rest);
            }
        }
    }

    /// `Q^T` times what stands for each picture: its features, or itself.
    fn rotated(&self, examples: &Examples, range: Range<usize>) -> Vec<f64> {
        let transposed = &self.problem.transposed;
        if self.dual {
            return range.flat_map(|i| transposed.iter().skip(i).step_by(self.side).copied()).collect();
        }
        let mut rows = vec![0.0; range.len() * self.side];
        let given = weighted_rows(examples, &self.counts, &self.mean, range);
        add_product(&given, transposed, self.side, &mut rows, Part::Whole);
        rows
    }

    /// The penalty of the smallest sum of squares.
    pub fn best(&self) -> usize {
        (0..self.press.len()).min_by(|&a, &b| self.press[a].total_cmp(&self.press[b])).unwrap_or(0)
    }

    /// The classifier with one of the penalties.
    pub fn classifier(&self, examples: &Examples, at: usize) -> Classifier {
        let mut solution = vec![0.0; self.coefficients[at].len()];
        let rows = transposed(&self.problem.transposed, self.side);
        add_product(&self.coefficients[at], &rows, self.side, &mut solution, Part::Whole);
        classifier(examples, &self.counts, &self.mean, solution, self.dual)
    }
}

//! The best 1 x 1 convolution from one block's maps to another's, by ridge regression, and how well it does
//! on positions that it was not fitted on.

use super::moments::Moments;
use super::{noise, quantile};
use crate::error::{Error, Result};
use crate::matrix::{Part, add_product, cholesky, substitute};

/// A 1 x 1 convolution with a bias: `y = weight x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearFit {
    /// `[channels of y, channels of x]`
    pub weight: Vec<f32>,
    /// `[channels of y]`
    pub bias: Vec<f32>,
}

/// A fit's coefficient of determination on held-out positions: 1 is all of the variance, 0 no better than the
/// mean, and below 0 worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// `1 - residual / total` sum of squares; 0 for the dead.
    pub per_channel: Vec<f32>,
    /// Channels that do not vary on the held-out positions.
    pub dead: Vec<i32>,
    /// Over the channels alive.
    pub mean: f64,
    /// Over the channels alive.
    pub median: f64,
}

/// A fit about the origin of the moments.
pub(super) struct Solution {
    /// `[channels of y][channels of x]`
    weight: Vec<f64>,
    bias: Vec<f64>,
}

/// Minimises `|y - w x - b|^2 + lambda |w|^2` with lambda = `ridge` times the mean variance sum of x's channels.
pub(super) fn solve(moments: &Moments, ridge: f64) -> Result<Solution> {
    let (cx, cy) = (moments.x.len(), moments.y.len());
    let n = moments.positions;
    let mut gram = vec![0.0; cx * cx];
    for i in 0..cx {
        for j in i..cx {
            // The lower triangle, which is all that is read of it.
            gram[j * cx + i] = moments.xx[i * cx + j] - moments.x[i] * moments.x[j] / n;
        }
    }
    let trace: f64 = (0..cx).map(|i| gram[i * cx + i]).sum();
    let lambda = ridge * trace / cx as f64;
    for i in 0..cx {
        // A dead channel's row is 0, and stays of no influence.
        let diagonal = &mut gram[i * cx + i];
        *diagonal = if *diagonal > 0.0 { *diagonal + lambda } else { 1.0 };
    }
    cholesky(&mut gram, cx).ok_or_else(|| {
        Error::Unsupported(
            "the fit has no one solution: some channels are sums of others, or there are too few positions; \
             use a ridge above 0"
                .into(),
        )
    })?;

    let mut weight = vec![0.0; cy * cx];
    // Few right-hand sides at a time stay in the cache.
    const COLUMNS: usize = 32;
    let mut sides = vec![0.0; cx * COLUMNS];
    for first in (0..cy).step_by(COLUMNS) {
        let count = COLUMNS.min(cy - first);
        for (i, side) in sides.chunks_exact_mut(COLUMNS).enumerate() {
            for (j, value) in side[..count].iter_mut().enumerate() {
                let y = first + j;
                *value = moments.xy[i * cy + y] - moments.x[i] * moments.y[y] / n;
            }
        }
        substitute(&gram, cx, &mut sides, COLUMNS);
        for (i, side) in sides.chunks_exact(COLUMNS).enumerate() {
            for (j, &value) in side[..count].iter().enumerate() {
                weight[(first + j) * cx + i] = value;
            }
        }
    }
    let dot = |w: &[f64]| w.iter().zip(&moments.x).map(|(w, x)| w * x).sum::<f64>();
    let bias = weight.chunks_exact(cx).zip(&moments.y).map(|(w, y)| (y - dot(w)) / n).collect();
    Ok(Solution { weight, bias })
}

impl Solution {
    /// The convolution for maps as they are: the moments' origin is at `shift_x` and `shift_y`.
    pub fn fit(&self, shift_x: &[f64], shift_y: &[f64]) -> LinearFit {
        let moved = |(w, (b, y)): (&[f64], (&f64, &f64))| {
            (b + y - w.iter().zip(shift_x).map(|(w, x)| w * x).sum::<f64>()) as f32
        };
        let rows = self.weight.chunks_exact(shift_x.len());
        LinearFit {
            bias: rows.zip(self.bias.iter().zip(shift_y)).map(moved).collect(),
            weight: self.weight.iter().map(|&w| w as f32).collect(),
        }
    }

    /// How well it does on other positions of the same origin:
    /// `residual = sum (y - b)^2 - 2 w . sum x (y - b) + w . (sum x x) w`
    pub fn score(&self, held: &Moments, shift_y: &[f64]) -> Held {
        let (cx, cy) = (held.x.len(), held.y.len());
        let n = held.positions;
        let mut xx = held.xx.clone();
        for i in 0..cx {
            for j in 0..i {
                xx[i * cx + j] = xx[j * cx + i];
            }
        }
        let mut curved = vec![0.0; cy * cx];
        add_product(&self.weight, &xx, cx, &mut curved, Part::Whole);

        let mut per_channel = vec![0.0; cy];
        let mut dead = Vec::new();
        for j in 0..cy {
            let (w, b) = (&self.weight[j * cx..][..cx], self.bias[j]);
            let total = held.yy[j] - held.y[j] * held.y[j] / n;
            if total <= noise(n, shift_y[j] + held.y[j] / n) {
                dead.push(j as i32);
                continue;
            }
            let linear: f64 = (0..cx).map(|i| w[i] * (held.xy[i * cy + j] - b * held.x[i])).sum();
            let quadratic: f64 = w.iter().zip(&curved[j * cx..]).map(|(w, v)| w * v).sum();
            let residual = held.yy[j] - 2.0 * b * held.y[j] + n * b * b - 2.0 * linear + quadratic;
            per_channel[j] = (1.0 - residual.max(0.0) / total) as f32;
        }
        let alive = (0..cy).filter(|&j| !dead.contains(&(j as i32)));
        let mut sorted: Vec<f64> = alive.map(|j| f64::from(per_channel[j])).collect();
        sorted.sort_by(f64::total_cmp);
        let mean = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
        Held { per_channel, dead, mean, median: quantile(&sorted, 0.5) }
    }
}

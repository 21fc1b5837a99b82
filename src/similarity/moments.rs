//! The sums that every measure follows from.

use crate::matrix::{Part, add_product};

/// Sums over positions, about an origin near the means.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    pub positions: f64,
    /// Of each channel of x.
    pub x: Vec<f64>,
    /// Of each channel of y.
    pub y: Vec<f64>,
    /// `[cx, cx]` of the products of x's channels; the upper triangle.
    pub xx: Vec<f64>,
    /// `[cx, cy]`
    pub xy: Vec<f64>,
    /// Of the squares of each channel of y.
    pub yy: Vec<f64>,
}

impl Moments {
    /// Of no positions, for `cx` channels of x and `cy` of y.
    pub fn new(cx: usize, cy: usize) -> Moments {
        let zeros = |n: usize| vec![0.0; n];
        Moments {
            positions: 0.0,
            x: zeros(cx),
            y: zeros(cy),
            xx: zeros(cx * cx),
            xy: zeros(cx * cy),
            yy: zeros(cy),
        }
    }

    /// Adds `count` positions of `[cx, count]` and `[cy, count]`.
    pub fn add(&mut self, x: &[f64], y: &[f64], count: usize) {
        self.positions += count as f64;
        for (sum, row) in self.x.iter_mut().zip(x.chunks_exact(count)) {
            *sum += row.iter().sum::<f64>();
        }
        for ((sum, squares), row) in self.y.iter_mut().zip(&mut self.yy).zip(y.chunks_exact(count)) {
            *sum += row.iter().sum::<f64>();
            *squares += row.iter().map(|v| v * v).sum::<f64>();
        }
        add_product(x, x, count, &mut self.xx, Part::Upper);
        add_product(x, y, count, &mut self.xy, Part::Whole);
    }

    /// Of the positions of both.
    pub fn plus(&self, other: &Moments) -> Moments {
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        Moments {
            positions: self.positions + other.positions,
            x: sum(&self.x, &other.x),
            y: sum(&self.y, &other.y),
            xx: sum(&self.xx, &other.xx),
            xy: sum(&self.xy, &other.xy),
            yy: sum(&self.yy, &other.yy),
        }
    }
}

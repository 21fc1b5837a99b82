//! How alike the feature maps of two taps are: best matches, held-out linear fits and CKA, with what they
//! are worth.
//!
//! Positions are samples and channels are variables. Sums are in f64, and no number is ever NaN: channels
//! that do not vary are listed as dead, and have neither a match nor a score.

mod accumulator;
mod moments;
mod order;
mod ridge;

pub use accumulator::{Accumulator, Caveats, Summary};
pub use order::{Order, order};
pub use ridge::{Held, LinearFit};

use crate::arch::MAX_WIDTH;
use crate::error::{Error, Result};
use crate::matrix::{Part, add_product};
use crate::random::Random;

/// What rounding leaves of a constant map, relative to its mean.
const NOISE: f64 = 1e-6;

/// Most numbers of a matrix of channels by channels.
const MAX_MATRIX: usize = 1 << 25;

/// Feature maps of one picture, `[channels, positions]`.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    data: &'a [f32],
    channels: usize,
    positions: usize,
}

impl<'a> Maps<'a> {
    /// `data` is row-major, `[channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::WrongShape`] where the length does not fit or a number is NaN or infinite.
    pub fn new(data: &'a [f32], [channels, height, width]: [usize; 3]) -> Result<Maps<'a>> {
        let positions = height.checked_mul(width);
        let elements = positions.and_then(|positions| positions.checked_mul(channels));
        if elements != Some(data.len()) || data.is_empty() || channels > MAX_WIDTH {
            return Err(Error::WrongShape(format!(
                "the maps have {} numbers and dims [{channels}, {height}, {width}], expected [channels, height, width] \
                 with as many numbers and at most {MAX_WIDTH} channels",
                data.len()
            )));
        }
        let positions = data.len() / channels;
        if let Some(at) = data.iter().position(|value| !value.is_finite()) {
            return Err(Error::WrongShape(format!(
                "map {} holds {} at position {}, expected finite numbers",
                at / positions,
                data[at],
                at % positions
            )));
        }
        Ok(Maps { data, channels, positions })
    }

    fn rows(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.data.chunks_exact(self.positions)
    }

    /// The same maps with their positions in another order, the same one for all channels.
    #[must_use]
    pub fn shuffled(&self, seed: u64) -> Vec<f32> {
        let mut order: Vec<usize> = (0..self.positions).collect();
        let mut random = Random::new(seed);
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        self.rows().flat_map(|row| order.iter().map(|&p| row[p])).collect()
    }
}

/// How two maps are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Of the maps less their means.
    Pearson,
    /// Of the maps as they are.
    Cosine,
}

/// For each channel the channel of the other side that is most like it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Best {
    /// -1 for a dead channel, and where the other side has none alive.
    pub channel: Vec<i32>,
    /// Signed; 0 where there is no match.
    pub score: Vec<f32>,
}

/// The similarity of every pair of channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// `[channels of a, channels of b]`, signed, 0 for dead channels.
    pub matrix: Vec<f32>,
    /// Channels of a and b.
    pub dims: [usize; 2],
    /// The match of each channel of a.
    pub best_of_a: Best,
    /// The match of each channel of b.
    pub best_of_b: Best,
    /// Channels of a that do not vary (Pearson) or are 0 (cosine).
    pub dead_a: Vec<i32>,
    /// Those of b.
    pub dead_b: Vec<i32>,
}

/// Compares every map of a with every map of b.
///
/// # Errors
/// [`Error::WrongShape`] where the maps have other positions, [`Error::OutOfMemory`] for a matrix above
/// the cap.
pub fn correlate(a: Maps, b: Maps, metric: Metric) -> Result<Correlation> {
    check_pair(a, b)?;
    let dims = [a.channels, b.channels];
    let (unit_a, dead_a) = unit(a, metric);
    let (unit_b, dead_b) = unit(b, metric);
    let mut matrix = vec![0.0; a.channels * b.channels];
    add_product(&unit_a, &unit_b, a.positions, &mut matrix, Part::Whole);
    for value in &mut matrix {
        // Rounding may pass the largest value there is.
        *value = value.clamp(-1.0, 1.0);
    }
    let (best_of_a, best_of_b) = best(&matrix, dims, &dead_a, &dead_b);
    Ok(Correlation { matrix, dims, best_of_a, best_of_b, dead_a, dead_b })
}

fn check_pair(a: Maps, b: Maps) -> Result<()> {
    if a.positions != b.positions {
        return Err(Error::WrongShape(format!(
            "the maps have {} and {} positions, expected the same number: compare taps of one stage",
            a.positions, b.positions
        )));
    }
    check_matrix(a.channels, b.channels)
}

fn check_matrix(rows: usize, columns: usize) -> Result<()> {
    if rows.checked_mul(columns).is_none_or(|elements| elements > MAX_MATRIX) {
        return Err(Error::OutOfMemory(format!(
            "a matrix of {rows} x {columns} channels was asked for, expected at most {MAX_MATRIX} pairs"
        )));
    }
    Ok(())
}

/// Each map, less its mean for Pearson, at length 1; dead ones are 0 and listed.
fn unit(maps: Maps, metric: Metric) -> (Vec<f32>, Vec<i32>) {
    let mut unit = vec![0.0; maps.data.len()];
    let mut dead = Vec::new();
    for (channel, (row, to)) in maps.rows().zip(unit.chunks_exact_mut(maps.positions)).enumerate() {
        let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / maps.positions as f64;
        let (center, noise) = match metric {
            Metric::Pearson => (mean, noise(maps.positions as f64, mean)),
            Metric::Cosine => (0.0, 0.0),
        };
        let squares: f64 = row.iter().map(|&v| (f64::from(v) - center).powi(2)).sum();
        if squares <= noise {
            dead.push(channel as i32);
            continue;
        }
        let scale = 1.0 / squares.sqrt();
        for (to, &v) in to.iter_mut().zip(row) {
            *to = ((f64::from(v) - center) * scale) as f32;
        }
    }
    (unit, dead)
}

/// Sum of squared differences from the mean that rounding alone may leave of a constant map.
fn noise(positions: f64, mean: f64) -> f64 {
    positions * (mean * NOISE).powi(2)
}

/// The largest magnitude of each row and of each column, the first of equals.
fn best(matrix: &[f32], [rows, columns]: [usize; 2], dead_a: &[i32], dead_b: &[i32]) -> (Best, Best) {
    let mut of_rows = Best { channel: vec![-1; rows], score: vec![0.0; rows] };
    let mut of_columns = Best { channel: vec![-1; columns], score: vec![0.0; columns] };
    let alive = |dead: &[i32], count: usize| {
        let mut alive = vec![true; count];
        dead.iter().for_each(|&channel| alive[channel as usize] = false);
        alive
    };
    let (alive_rows, alive_columns) = (alive(dead_a, rows), alive(dead_b, columns));
    for (a, row) in matrix.chunks_exact(columns).enumerate().filter(|(a, _)| alive_rows[*a]) {
        for (b, &score) in row.iter().enumerate().filter(|(b, _)| alive_columns[*b]) {
            for (best, own, other) in [(&mut of_rows, a, b), (&mut of_columns, b, a)] {
                if best.channel[own] < 0 || score.abs() > best.score[own].abs() {
                    best.channel[own] = other as i32;
                    best.score[own] = score;
                }
            }
        }
    }
    (of_rows, of_columns)
}

/// The middle of sorted numbers, or between the two nearest: `part` 0.5 is the median; 0 without numbers.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = part * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

//! Similarity over many pictures: sums that stream, so that memory grows with the channels alone.

use super::moments::Moments;
use super::ridge::{self, Held, LinearFit, Solution};
use super::{Best, Maps, best, check_matrix, check_pair, noise};
use crate::error::{Error, Result};
use crate::matrix::{Part, add_product};

/// Positions that are taken at a time.
const CHUNK: usize = 512;

/// The sums that CKA needs beside the moments, over all positions: with `k = |x|^2` and `l = |y|^2`.
#[derive(Clone, Debug, Default)]
struct Lengths {
    /// `[cy, cy]`, the upper triangle.
    yy: Vec<f64>,
    xk: Vec<f64>,
    xl: Vec<f64>,
    yk: Vec<f64>,
    yl: Vec<f64>,
    kk: f64,
    kl: f64,
    ll: f64,
}

/// Compares the maps of two taps, x and y, over many pictures.
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    images: usize,
    shift_x: Vec<f64>,
    shift_y: Vec<f64>,
    fitted: Moments,
    held: Moments,
    lengths: Lengths,
}

/// Why a measure is worth little, as sentences; absent where there are samples enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caveats {
    /// Of the best matches.
    pub matches: Option<String>,
    /// Of the fit.
    pub r2: Option<String>,
    /// Of CKA.
    pub cka: Option<String>,
}

/// What [`Accumulator::summary`] says.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Pictures that were added.
    pub images: usize,
    /// Positions of all of them.
    pub positions: usize,
    /// Channels of x and y.
    pub channels: [usize; 2],
    /// For each channel of y the channel of x with the largest Pearson correlation over all positions.
    pub pearson: Best,
    /// The same by cosine.
    pub cosine: Best,
    /// Channels of x that do not vary.
    pub dead_x: Vec<i32>,
    /// Channels of y that do not vary.
    pub dead_y: Vec<i32>,
    /// The largest magnitude of a correlation that chance alone may be expected to find for a channel, if
    /// positions were independent: `sqrt(2 ln cx / positions)`. Neighbours are alike, so it is more.
    pub chance: f64,
    /// Positions that were not held out.
    pub fitted_positions: usize,
    /// The best 1 x 1 convolution from x to y over them, where it was asked for.
    pub fit: Option<LinearFit>,
    /// How well it does on the others; `None` where none were held out.
    pub r2: Option<Held>,
    /// Linear CKA from the unbiased HSIC over all positions.
    pub cka: f64,
    /// What is worth little.
    pub caveats: Caveats,
}

impl Accumulator {
    /// Adds a picture's maps; where they are held out, the fit is scored on them instead of made from them.
    ///
    /// # Errors
    /// [`Error::WrongShape`] where x and y have other positions or the channels change,
    /// [`Error::OutOfMemory`] for too many channels; the sums stay as they were.
    pub fn add(&mut self, x: Maps, y: Maps, held_out: bool) -> Result<()> {
        self.add_split(x, y, if held_out { 0 } else { x.positions })
    }

    /// Adds a picture's maps; their positions from `held_from` on are held out.
    ///
    /// # Errors
    /// As [`Accumulator::add`].
    pub fn add_split(&mut self, x: Maps, y: Maps, held_from: usize) -> Result<()> {
        check_pair(x, y)?;
        check_matrix(x.channels, x.channels)?;
        check_matrix(y.channels, y.channels)?;
        if self.images == 0 {
            self.start(x, y);
        }
        let channels = [self.shift_x.len(), self.shift_y.len()];
        if channels != [x.channels, y.channels] {
            return Err(Error::WrongShape(format!(
                "the maps have {} and {} channels, those before had {channels:?}: add maps of the same taps",
                x.channels, y.channels
            )));
        }
        self.images += 1;
        let (mut about_x, mut about_y) = (Vec::new(), Vec::new());
        let cut = held_from.min(x.positions);
        for (range, moments) in [(0..cut, &mut self.fitted), (cut..x.positions, &mut self.held)] {
            for start in range.clone().step_by(CHUNK) {
                let count = CHUNK.min(range.end - start);
                about(x, start..start + count, &self.shift_x, &mut about_x);
                about(y, start..start + count, &self.shift_y, &mut about_y);
                moments.add(&about_x, &about_y, count);
                self.lengths.add(&about_x, &about_y, count);
            }
        }
        Ok(())
    }

    /// The origin is the first picture's means, so that no sum is a small difference of large numbers.
    fn start(&mut self, x: Maps, y: Maps) {
        let mean = |row: &[f32]| row.iter().map(|&v| f64::from(v)).sum::<f64>() / row.len() as f64;
        self.shift_x = x.rows().map(mean).collect();
        self.shift_y = y.rows().map(mean).collect();
        let (cx, cy) = (x.channels, y.channels);
        self.fitted = Moments::new(cx, cy);
        self.held = Moments::new(cx, cy);
        let zeros = |n: usize| vec![0.0; n];
        self.lengths = Lengths {
            yy: zeros(cy * cy),
            xk: zeros(cx),
            xl: zeros(cx),
            yk: zeros(cy),
            yl: zeros(cy),
            ..Lengths::default()
        };
    }

    /// What the pictures so far say; with a `ridge`, relative to the mean variance of x's channels, the fit
    /// too, which takes most of the time.
    ///
    /// # Errors
    /// [`Error::WrongShape`] where nothing was added, or for the fit all of it held out;
    /// [`Error::Unsupported`] for a ridge that is negative or too small for a fit.
    pub fn summary(&self, ridge: Option<f64>) -> Result<Summary> {
        let all = self.fitted.plus(&self.held);
        if all.positions < 2.0 {
            return Err(Error::WrongShape("there are no maps to compare: add some".into()));
        }
        let solution = ridge.map(|ridge| self.solve(ridge)).transpose()?;
        let scored = solution.as_ref().filter(|_| self.held.positions >= 2.0);
        let r2 = scored.map(|solution| solution.score(&self.held, &self.shift_y));
        let (pearson, cosine, dead_x, dead_y) = self.matches(&all);
        let channels = [self.shift_x.len(), self.shift_y.len()];
        let chance = (2.0 * (channels[0] as f64).ln() / all.positions).sqrt();
        let cka = self.cka(&all);
        Ok(Summary {
            images: self.images,
            positions: all.positions as usize,
            channels,
            pearson,
            cosine,
            dead_x,
            dead_y,
            chance,
            fitted_positions: self.fitted.positions as usize,
            caveats: self.caveats(&all, chance, solution.is_some().then_some(r2.is_some()), cka),
            fit: solution.map(|solution| solution.fit(&self.shift_x, &self.shift_y)),
            r2,
            cka: cka.unwrap_or(0.0),
        })
    }

    fn solve(&self, ridge: f64) -> Result<Solution> {
        if self.fitted.positions < 2.0 {
            let text = "there are no maps to fit on: add some that are not held out";
            return Err(Error::WrongShape(text.into()));
        }
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(Error::Unsupported(format!("the ridge is {ridge}, expected a number from 0")));
        }
        ridge::solve(&self.fitted, ridge)
    }

    fn caveats(&self, all: &Moments, chance: f64, scored: Option<bool>, cka: Option<f64>) -> Caveats {
        let channels = self.shift_x.len();
        let (positions, fitted) = (all.positions, self.fitted.positions);
        let pictures =
            if self.images == 1 { "one picture".into() } else { format!("{} pictures", self.images) };
        Caveats {
            matches: (chance > MAX_CHANCE).then(|| {
                format!(
                    "With {positions} positions of {pictures} against {channels} channels, chance alone finds matches \
                     of {chance:.2} and more: add pictures."
                )
            }),
            r2: match scored {
                None => None,
                Some(false) => Some("Nothing was held out to score the fit on.".into()),
                Some(true) => (fitted < MIN_POSITIONS_PER_CHANNEL * channels as f64).then(|| {
                    format!(
                        "The fit of {channels} channels rests on {fitted} positions, expected at least \
                         {MIN_POSITIONS_PER_CHANNEL} for each channel: add pictures."
                    )
                }),
            },
            cka: (cka.is_none() || positions < channels as f64).then(|| {
                format!("CKA rests on {positions} positions of {pictures}, fewer than its {channels} channels: add pictures.")
            }),
        }
    }

    /// Of y's channels among x's.
    fn matches(&self, all: &Moments) -> (Best, Best, Vec<i32>, Vec<i32>) {
        let (cx, cy) = (self.shift_x.len(), self.shift_y.len());
        let n = all.positions;
        let side = |sums: &[f64], squares: &dyn Fn(usize) -> f64, shift: &[f64]| {
            let mut dead = Vec::new();
            let (mut deviations, mut lengths) = (vec![0.0; sums.len()], vec![0.0; sums.len()]);
            for i in 0..sums.len() {
                let about_mean = squares(i) - sums[i] * sums[i] / n;
                let mean = shift[i] + sums[i] / n;
                if about_mean <= noise(n, mean) {
                    dead.push(i as i32);
                } else {
                    deviations[i] = 1.0 / about_mean.sqrt();
                }
                let length = about_mean.max(0.0) + n * mean * mean;
                lengths[i] = if length > 0.0 { 1.0 / length.sqrt() } else { 0.0 };
            }
            (dead, deviations, lengths)
        };
        let (dead_x, deviation_x, length_x) = side(&all.x, &|i| all.xx[i * cx + i], &self.shift_x);
        let (dead_y, deviation_y, length_y) = side(&all.y, &|j| all.yy[j], &self.shift_y);
        let (mut pearson, mut cosine) = (vec![0f32; cx * cy], vec![0f32; cx * cy]);
        for i in 0..cx {
            let mean_x = self.shift_x[i] + all.x[i] / n;
            for j in 0..cy {
                let covariance = all.xy[i * cy + j] - all.x[i] * all.y[j] / n;
                let product = covariance + n * mean_x * (self.shift_y[j] + all.y[j] / n);
                let limit = |value: f64| value.clamp(-1.0, 1.0) as f32;
                pearson[i * cy + j] = limit(covariance * deviation_x[i] * deviation_y[j]);
                cosine[i * cy + j] = limit(product * length_x[i] * length_y[j]);
            }
        }
        let none =
            |lengths: &[f64]| (0..lengths.len() as i32).filter(|&i| lengths[i as usize] == 0.0).collect();
        let (empty_x, empty_y): (Vec<i32>, Vec<i32>) = (none(&length_x), none(&length_y));
        let pearson = best(&pearson, [cx, cy], &dead_x, &dead_y).1;
        let cosine = best(&cosine, [cx, cy], &empty_x, &empty_y).1;
        (pearson, cosine, dead_x, dead_y)
    }

    /// `HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))` with the linear kernels `K = X X^T` and `L = Y Y^T` of all
    /// positions and the unbiased HSIC (Song et al. 2012; Nguyen, Raghu and Kornblith 2021). The kernels have
    /// positions x positions numbers, but all that HSIC needs of them are sums over positions:
    ///
    /// `n (n - 3) HSIC = tr(K' L') + (1 K' 1)(1 L' 1) / ((n - 1)(n - 2)) - 2 / (n - 2) (1 K' L' 1)`, where a
    /// prime takes the diagonal out: `tr(K' L') = |X^T Y|^2 - sum k l`, `1 K' 1 = |s|^2 - sum k`,
    /// `1 K' L' 1 = s X^T Y t - s . sum x l - t . sum y k + sum k l` with `s = sum x`, `t = sum y`.
    fn cka(&self, all: &Moments) -> Option<f64> {
        let n = all.positions;
        if n < 4.0 {
            return None;
        }
        let (cx, cy) = (self.shift_x.len(), self.shift_y.len());
        let Lengths { yy, xk, xl, yk, yl, kk, kl, ll } = &self.lengths;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let trace = |matrix: &[f64], size: usize| (0..size).map(|i| matrix[i * size + i]).sum::<f64>();
        let inside = |sums: &[f64], trace: f64| dot(sums, sums) - trace;
        let (inside_k, inside_l) = (inside(&all.x, trace(&all.xx, cx)), inside(&all.y, trace(yy, cy)));
        let hsic = |squares: f64, form: f64, lengths: f64, first: f64, second: f64, inside: [f64; 2]| {
            let between = form - first - second + lengths;
            (squares - lengths) + inside[0] * inside[1] / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * between
        };
        let squares = dot(&all.xy, &all.xy);
        let rows = all.xy.chunks_exact(cy);
        let form = rows.zip(&all.x).map(|(row, s)| s * dot(row, &all.y)).sum();
        let cross = hsic(squares, form, *kl, dot(&all.x, xl), dot(&all.y, yk), [inside_k, inside_l]);
        let own = |matrix: &[f64], sums: &[f64], lengths: f64, product: f64, inside: f64| {
            let (squares, form) = symmetric(matrix, sums);
            hsic(squares, form, lengths, product, product, [inside, inside])
        };
        let own_k = own(&all.xx, &all.x, *kk, dot(&all.x, xk), inside_k);
        let own_l = own(yy, &all.y, *ll, dot(&all.y, yl), inside_l);
        // With few positions an unbiased estimate of a square may be negative.
        (own_k > 0.0 && own_l > 0.0).then(|| cross / (own_k.sqrt() * own_l.sqrt()))
    }
}

/// Expected chance level of a best match above which it means little.
const MAX_CHANCE: f64 = 0.3;
/// Samples for each coefficient of a regression, a rule of thumb.
const MIN_POSITIONS_PER_CHANNEL: f64 = 10.0;

/// `|M|^2` and `v M v` of a symmetric matrix from its upper triangle.
fn symmetric(matrix: &[f64], v: &[f64]) -> (f64, f64) {
    let size = v.len();
    let (mut squares, mut form) = (0.0, 0.0);
    for i in 0..size {
        for j in i..size {
            let (value, times) = (matrix[i * size + j], if i == j { 1.0 } else { 2.0 });
            squares += times * value * value;
            form += times * value * v[i] * v[j];
        }
    }
    (squares, form)
}

/// Some positions of every map, less the map's origin.
fn about(maps: Maps, range: std::ops::Range<usize>, shift: &[f64], to: &mut Vec<f64>) {
    to.clear();
    for (row, shift) in maps.rows().zip(shift) {
        to.extend(row[range.clone()].iter().map(|&v| f64::from(v) - shift));
    }
}

impl Lengths {
    fn add(&mut self, x: &[f64], y: &[f64], count: usize) {
        add_product(y, y, count, &mut self.yy, Part::Upper);
        let lengths = |maps: &[f64]| {
            let mut lengths = vec![0.0; count];
            for row in maps.chunks_exact(count) {
                lengths.iter_mut().zip(row).for_each(|(length, v)| *length += v * v);
            }
            lengths
        };
        let (k, l) = (lengths(x), lengths(y));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        self.kk += dot(&k, &k);
        self.kl += dot(&k, &l);
        self.ll += dot(&l, &l);
        for (i, row) in x.chunks_exact(count).enumerate() {
            self.xk[i] += dot(row, &k);
            self.xl[i] += dot(row, &l);
        }
        for (j, row) in y.chunks_exact(count).enumerate() {
            self.yk[j] += dot(row, &k);
            self.yl[j] += dot(row, &l);
        }
    }
}

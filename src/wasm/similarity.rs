//! How alike feature maps are, as JavaScript sees it: numbers in typed arrays, the rest by getters.

use crate::similarity::{self, Best, Caveats, Correlation, Held, Maps, Metric, Summary};
use wasm_bindgen::prelude::*;

fn maps<'a>(data: &'a [f32], dims: &[usize]) -> Result<Maps<'a>, JsValue> {
    let &[channels, height, width] = dims else {
        let text = format!("the dims are {dims:?}, expected [channels, height, width]");
        return Err(crate::Error::WrongShape(text).into());
    };
    Ok(Maps::new(data, [channels, height, width])?)
}

/// Compares all maps of two taps; `cosine` instead of Pearson's correlation.
///
/// # Errors
/// As [`similarity::correlate`].
#[wasm_bindgen]
pub fn correlate(
    a: &[f32],
    a_dims: &[usize],
    b: &[f32],
    b_dims: &[usize],
    cosine: bool,
) -> Result<Matches, JsValue> {
    let metric = if cosine { Metric::Cosine } else { Metric::Pearson };
    let correlation = similarity::correlate(maps(a, a_dims)?, maps(b, b_dims)?, metric)?;
    Ok(Matches { correlation })
}

/// The same maps with their positions in another order, the same one for all channels.
///
/// # Errors
/// As [`Maps::new`].
#[wasm_bindgen]
pub fn shuffled(data: &[f32], dims: &[usize], seed: f64) -> Result<Vec<f32>, JsValue> {
    Ok(maps(data, dims)?.shuffled(seed as u64))
}

/// An order in which a matrix shows its structure: rows, then columns.
///
/// # Errors
/// As [`similarity::order`].
#[wasm_bindgen]
pub fn order(matrix: &[f32], rows: usize, columns: usize) -> Result<Vec<u32>, JsValue> {
    let order = similarity::order(matrix, [rows, columns])?;
    Ok([order.rows, order.columns].concat())
}

/// A matrix of similarities with its best matches.
#[wasm_bindgen]
pub struct Matches {
    correlation: Correlation,
}

#[wasm_bindgen]
impl Matches {
    /// `[channels of a, channels of b]`
    pub fn matrix(&self) -> Vec<f32> {
        self.correlation.matrix.clone()
    }

    /// The match of each channel of a, or of b.
    pub fn matches(&self, of_b: bool) -> Vec<i32> {
        self.best(of_b).channel.clone()
    }

    /// The score of each channel of a, or of b.
    pub fn scores(&self, of_b: bool) -> Vec<f32> {
        self.best(of_b).score.clone()
    }

    /// Dead channels of a, or of b.
    pub fn dead(&self, of_b: bool) -> Vec<i32> {
        if of_b { self.correlation.dead_b.clone() } else { self.correlation.dead_a.clone() }
    }

    fn best(&self, of_b: bool) -> &Best {
        if of_b { &self.correlation.best_of_b } else { &self.correlation.best_of_a }
    }
}

/// Sums over the pictures of a set.
#[wasm_bindgen]
#[derive(Default)]
pub struct Accumulator {
    sums: similarity::Accumulator,
}

#[wasm_bindgen]
impl Accumulator {
    /// Without a picture.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Accumulator {
        Accumulator::default()
    }

    /// Adds a picture's maps; their positions from `held_from` on are held out.
    ///
    /// # Errors
    /// As [`similarity::Accumulator::add_split`].
    pub fn add(
        &mut self,
        x: &[f32],
        x_dims: &[usize],
        y: &[f32],
        y_dims: &[usize],
        held_from: usize,
    ) -> Result<(), JsValue> {
        Ok(self.sums.add_split(maps(x, x_dims)?, maps(y, y_dims)?, held_from)?)
    }

    /// What the pictures so far say, with a ridge the fit too.
    ///
    /// # Errors
    /// As [`similarity::Accumulator::summary`].
    pub fn summary(&self, ridge: Option<f64>) -> Result<SetSummary, JsValue> {
        Ok(SetSummary { summary: self.sums.summary(ridge)? })
    }
}

/// The similarity of two taps over a set of pictures.
#[wasm_bindgen]
pub struct SetSummary {
    summary: Summary,
}

#[wasm_bindgen]
impl SetSummary {
    /// Pictures, positions, positions fitted on, channels of x, channels of y.
    pub fn counts(&self) -> Vec<usize> {
        let Summary { images, positions, fitted_positions, channels, .. } = self.summary;
        vec![images, positions, fitted_positions, channels[0], channels[1]]
    }

    /// The match of each channel of y by cosine, or by Pearson's correlation.
    pub fn matches(&self, cosine: bool) -> Vec<i32> {
        self.best(cosine).channel.clone()
    }

    /// Its score.
    pub fn scores(&self, cosine: bool) -> Vec<f32> {
        self.best(cosine).score.clone()
    }

    /// Dead channels of x, or of y.
    pub fn dead(&self, of_y: bool) -> Vec<i32> {
        if of_y { self.summary.dead_y.clone() } else { self.summary.dead_x.clone() }
    }

    /// The correlation that chance alone may find.
    pub fn chance(&self) -> f64 {
        self.summary.chance
    }

    /// Unbiased linear CKA.
    pub fn cka(&self) -> f64 {
        self.summary.cka
    }

    /// `[channels of y, channels of x]`
    pub fn weight(&self) -> Option<Vec<f32>> {
        Some(self.summary.fit.as_ref()?.weight.clone())
    }

    /// `[channels of y]`
    pub fn bias(&self) -> Option<Vec<f32>> {
        Some(self.summary.fit.as_ref()?.bias.clone())
    }

    /// The fit's R2 of each channel of y on what was held out, if anything was.
    #[wasm_bindgen(js_name = rSquared)]
    pub fn r_squared(&self) -> Option<Vec<f32>> {
        Some(self.held()?.per_channel.clone())
    }

    /// Channels of y that do not vary on what was held out.
    #[wasm_bindgen(js_name = deadHeld)]
    pub fn dead_held(&self) -> Option<Vec<i32>> {
        Some(self.held()?.dead.clone())
    }

    /// Mean and median of R2.
    #[wasm_bindgen(js_name = rSquaredOverAll)]
    pub fn r_squared_over_all(&self) -> Option<Vec<f64>> {
        self.held().map(|held| vec![held.mean, held.median])
    }

    /// Why a measure, `matches`, `r2` or `cka`, is worth little.
    pub fn caveat(&self, measure: &str) -> Option<String> {
        let Caveats { matches, r2, cka } = self.summary.caveats.clone();
        match measure {
            "matches" => matches,
            "r2" => r2,
            _ => cka,
        }
    }

    fn best(&self, cosine: bool) -> &Best {
        if cosine { &self.summary.cosine } else { &self.summary.pearson }
    }

    fn held(&self) -> Option<&Held> {
        self.summary.r2.as_ref()
    }
}

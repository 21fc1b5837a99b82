//! From logits to what a caller may believe: calibrated probabilities, and whether a picture shows anything that the
//! model knows. `confidenceOf` in `www/lib/engine.js` is the same in JavaScript.

use serde::{Deserialize, Serialize};

/// A score for telling pictures of the classes from strangers, and what it means; fitted by `train/known.py` when a
/// model is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Known {
    /// Which score.
    pub score: Score,
    /// The score at which a picture is as likely known as not: `known` is 1 / (1 + exp((location - score) / scale)).
    pub location: f64,
    /// How far the score must rise for the odds to grow by e.
    pub scale: f64,
    /// Below this `known` is `unsure`: 95% of the held-back pictures of the classes are above it.
    pub threshold: f64,
}

/// What is looked at, all of the logits over the temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Score {
    /// The logarithm of the sum of their exponentials, which is the negative free energy (Liu et al. 2020).
    Energy,
    /// The largest of them (Hendrycks et al. 2022).
    MaxLogit,
    /// The largest probability (Hendrycks and Gimpel 2017).
    MaxProbability,
}

impl Known {
    /// Whether its numbers make sense.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let positive = self.scale > 0.0 && self.scale.is_finite();
        positive && self.location.is_finite() && (0.0..=1.0).contains(&self.threshold)
    }

    /// How likely one picture shows one of the classes, 0 to 1, by its logits.
    #[must_use]
    pub fn of(&self, logits: &[f32], temperature: f64) -> f32 {
        let (largest, sum) = largest_and_sum(logits, temperature);
        let score = match self.score {
            Score::Energy => largest + sum.ln(),
            Score::MaxLogit => largest,
            Score::MaxProbability => 1.0 / sum,
        };
        (1.0 / (1.0 + ((self.location - score) / self.scale).exp())) as f32
    }
}

/// Probabilities of one picture: exp(x / temperature), over their sum.
#[must_use]
pub fn probabilities(logits: &[f32], temperature: f64) -> Vec<f32> {
    let (largest, sum) = largest_and_sum(logits, temperature);
    logits.iter().map(|&logit| ((f64::from(logit) / temperature - largest).exp() / sum) as f32).collect()
}

/// The largest logit over the temperature, and the sum of exp(x - largest).
fn largest_and_sum(logits: &[f32], temperature: f64) -> (f64, f64) {
    let scaled = || logits.iter().map(|&logit| f64::from(logit) / temperature);
    let largest = scaled().fold(f64::NEG_INFINITY, f64::max);
    (largest, scaled().map(|logit| (logit - largest).exp()).sum())
}

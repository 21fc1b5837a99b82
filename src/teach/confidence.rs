//! How far to trust what a taught network says, from its logits for pictures that it was not taught with: the
//! temperature, and a rule for telling strangers.

use crate::confidence::{Known, Score};

/// Part of the taught pictures that is above the threshold.
const KEPT: f64 = 0.95;

/// The range of temperatures that a model file may have.
const TEMPERATURES: (f64, f64) = (1e-3, 1e3);

/// The temperature of the least loss, each class the same: `sum over classes of the mean of -sum_k t_k log p_k`.
///
/// Where every picture is told right, the least loss would be at a temperature of 0, which says 100% for ever; so, as
/// Platt (1999) does, a picture's own class has the target `(n + 1) / (n + 2)`, of n pictures, and the others share the
/// rest. The loss is convex in 1 / temperature, and its minimum is found by halving.
pub(super) fn temperature(logits: &[f64], classes: &[usize], counts: &[usize]) -> f64 {
    let (n, k) = (classes.len() as f64, counts.len());
    let own = (n + 1.0) / (n + 2.0);
    let other = (1.0 - own) / (k - 1) as f64;
    let slope = |inverse: f64| -> f64 {
        let of_picture = |(row, &class): (&[f64], &usize)| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers = row.iter().map(|logit| ((logit - largest) * inverse).exp());
            let (sum, mean) = powers
                .zip(row)
                .fold((0.0, 0.0), |(sum, mean), (power, logit)| (sum + power, mean + power * logit));
            let wanted: f64 = other * row.iter().sum::<f64>() + (own - other) * row[class];
            (mean / sum - wanted) / counts[class] as f64
        };
        logits.chunks_exact(k).zip(classes).map(of_picture).sum()
    };
    let (mut low, mut high) = (1.0 / TEMPERATURES.1, 1.0 / TEMPERATURES.0);
    while high / low > 1.0 + 1e-13 {
        let middle = (low * high).sqrt();
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    (1.0 / (low * high).sqrt()).clamp(TEMPERATURES.0, TEMPERATURES.1)
}

/// How well strangers are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// The share of pairs of a taught picture and a stranger in which the former scores higher.
    pub auroc: f64,
    /// Strangers that are above the threshold, which 95% of the taught pictures are above.
    pub passed: usize,
    /// Of how many.
    pub strangers: usize,
}

/// A rule from the logits of pictures of the classes, each without itself, and of strangers, if there are any.
///
/// With strangers the score is that of the largest AUROC, and location and scale are those of a logistic regression in
/// which both sides weigh the same. Without, the score is the largest logit, `known` is 1/2 at the threshold and 0.95 at
/// the median of the taught pictures, and says how usual a picture is among them, not how likely it is one.
pub(super) fn rule(
    own: &[f64],
    strangers: &[f64],
    classes: usize,
    temperature: f64,
) -> Option<(Known, Option<Rejection>)> {
    let scores = |logits: &[f64], score| -> Vec<f64> {
        logits.chunks_exact(classes).map(|row| score_of(row, temperature, score)).collect()
    };
    if own.is_empty() {
        return None;
    }
    let quantile_of = |scores: &mut Vec<f64>, part: f64| {
        scores.sort_by(f64::total_cmp);
        scores[((scores.len() as f64 * part) as usize).min(scores.len() - 1)]
    };
    if strangers.is_empty() {
        let mut sorted = scores(own, Score::MaxLogit);
        let (location, median) = (quantile_of(&mut sorted, 1.0 - KEPT), quantile_of(&mut sorted, 0.5));
        let scale = ((median - location) / (KEPT / (1.0 - KEPT)).ln()).max(1e-3);
        return Some((Known { score: Score::MaxLogit, location, scale, threshold: 0.5 }, None));
    }
    let tried = [Score::Energy, Score::MaxLogit, Score::MaxProbability].map(|score| {
        let (own, strange) = (scores(own, score), scores(strangers, score));
        (auroc(&own, &strange), score, own, strange)
    });
    let [first, rest @ ..] = tried;
    let (auroc, score, mut own, strange) =
        rest.into_iter().fold(first, |best, other| if other.0 > best.0 { other } else { best });
    let limit = quantile_of(&mut own, 1.0 - KEPT);
    let rejection = Rejection {
        auroc,
        passed: strange.iter().filter(|&&score| score >= limit).count(),
        strangers: strange.len(),
    };
    // Strangers that score as high as what is taught give no rule, and the threshold lets all but 5% pass.
    let (location, scale) = logistic(&own, &strange).unwrap_or((limit, 1.0));
    let threshold = 1.0 / (1.0 + ((location - limit) / scale).exp());
    Some((Known { score, location, scale, threshold }, Some(rejection)))
}

fn score_of(logits: &[f64], temperature: f64, score: Score) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max) / temperature;
    let sum = || logits.iter().map(|logit| (logit / temperature - largest).exp()).sum::<f64>();
    match score {
        Score::Energy => largest + sum().ln(),
        Score::MaxLogit => largest,
        Score::MaxProbability => 1.0 / sum(),
    }
}

/// Ties count half.
fn auroc(own: &[f64], strangers: &[f64]) -> f64 {
    let mut sorted = strangers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |score: &f64| {
        let [less, not_more] =
            [sorted.partition_point(|other| other < score), sorted.partition_point(|other| other <= score)];
        (less + not_more) as f64 / 2.0
    };
    own.iter().map(below).sum::<f64>() / (own.len() * strangers.len()) as f64
}

/// Location and scale of `1 / (1 + exp((location - score) / scale))`, by Newton's method with a ridge of 1e-4 on what is
/// fitted to scores of mean 0 and deviation 1; `None` where the scale is not positive.
fn logistic(own: &[f64], strangers: &[f64]) -> Option<(f64, f64)> {
    const RIDGE: f64 = 1e-4;
    let weighted = |scores: &[f64], y: f64| -> Vec<(f64, f64, f64)> {
        scores.iter().map(|&score| (score, y, 1.0 / scores.len() as f64)).collect()
    };
    let mut points = [weighted(own, 1.0), weighted(strangers, 0.0)].concat();
    let n = points.len() as f64;
    let mean = points.iter().map(|point| point.0).sum::<f64>() / n;
    let deviation = (points.iter().map(|point| (point.0 - mean).powi(2)).sum::<f64>() / n).sqrt();
    if deviation == 0.0 {
        return None;
    }
    points.iter_mut().for_each(|point| point.0 = (point.0 - mean) / deviation);
    let (mut slope, mut offset) = (0.0, 0.0);
    for _ in 0..100 {
        let (mut by_slope, mut by_offset) = (RIDGE * slope, RIDGE * offset);
        let (mut square, mut mixed, mut plain) = (RIDGE, 0.0, RIDGE);
        for &(x, y, weight) in &points {
            let p = 1.0 / (1.0 + (-slope * x - offset).exp());
            let curve = weight * p * (1.0 - p);
            by_slope += weight * (p - y) * x;
            by_offset += weight * (p - y);
            square += curve * x * x;
            mixed += curve * x;
            plain += curve;
        }
        let determinant = square * plain - mixed * mixed;
        slope -= (plain * by_slope - mixed * by_offset) / determinant;
        offset -= (square * by_offset - mixed * by_slope) / determinant;
    }
    let found = (mean - offset * deviation / slope, deviation / slope);
    (slope > 0.0 && found.0.is_finite()).then_some(found)
}

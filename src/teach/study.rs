//! A report in steps, between which whoever waits can be told how far it is, or call it off.

use super::means::Means;
use super::report::Report;
use super::ridge::{LeaveOneOut, target};
use super::{Classifier, Examples, Method};
use crate::error::{Error, Result};
use crate::matrix::{Part, add_product};
use std::ops::Range;

/// Penalties that are tried, relative to the mean eigenvalue: 1e-4 to 10, evenly on a logarithmic scale. With few
/// pictures of a few classes the best is near the lower end, with many near 0.1.
const PENALTIES: usize = 9;

fn penalties() -> Vec<f64> {
    (0..PENALTIES).map(|i| 10f64.powf(-4.0 + 5.0 * i as f64 / (PENALTIES - 1) as f64)).collect()
}

/// Pictures of a step.
const BLOCK: usize = 256;

/// A report under way.
pub struct Study {
    examples: Examples,
    strangers: Vec<f32>,
    counts: Vec<usize>,
    way: Way,
    /// `[pictures, classes]`, of those that are done.
    logits: Vec<f64>,
}

enum Way {
    Means(Means),
    /// Before the matrix is brought into its form; then penalty after penalty at once, of one block after the other; then
    /// the logits with the best of them.
    Start(Vec<f64>),
    Penalties(LeaveOneOut, usize),
    Logits {
        rest: Vec<f64>,
        penalty: f64,
        classifier: Classifier,
    },
}

impl Study {
    /// Of pictures of so many classes, with strangers' features, if there are any; a penalty, or the best of several.
    ///
    /// # Errors
    /// As [`Examples::fit`]; [`Error::WrongShape`] for another number of the strangers' features.
    pub fn new(
        mut examples: Examples,
        strangers: &[f32],
        classes: usize,
        method: Method,
        penalty: Option<f64>,
    ) -> Result<Study> {
        let counts = examples.counts(classes)?;
        if !strangers.len().is_multiple_of(examples.width) || strangers.iter().any(|value| !value.is_finite())
        {
            return Err(Error::WrongShape(format!(
                "the strangers have {} features, expected finite numbers, a multiple of {}",
                strangers.len(),
                examples.width
            )));
        }
        if penalty.is_some_and(|penalty| !(penalty > 0.0 && penalty.is_finite())) {
            return Err(Error::WrongShape("the penalty is expected to be a number above 0".into()));
        }
        let way = match method {
            Method::Means => Way::Means(Means::new(&examples, &counts)),
            Method::Ridge => Way::Start(penalty.map_or_else(penalties, |penalty| vec![penalty])),
        };
        if matches!(way, Way::Means(_)) {
            examples.forget_sums();
        }
        let logits = Vec::with_capacity(examples.len() * classes);
        Ok(Study { examples, strangers: strangers.to_vec(), counts, way, logits })
    }

    /// Takes a step; how much is done, 0 to 1, until it is 1.
    pub fn step(&mut self) -> f64 {
        let n = self.examples.len();
        let block = |begin: usize| begin..n.min(begin + BLOCK);
        match &mut self.way {
            Way::Means(means) => {
                let range = block(self.logits.len() / self.counts.len());
                let rows = self.examples.centred(range.clone(), means.centre());
                let mut logits = vec![0.0; self.counts.len()];
                for (row, &class) in rows.chunks_exact(self.examples.width).zip(&self.examples.classes[range])
                {
                    means.left_out(row, class, &mut logits);
                    self.logits.extend_from_slice(&logits);
                }
            }
            Way::Start(penalties) => {
                let left_out = LeaveOneOut::new(&mut self.examples, &self.counts, penalties);
                self.examples.forget_sums();
                self.way = Way::Penalties(left_out, 0);
            }
            Way::Penalties(left_out, done) if *done < n => {
                let range = block(*done);
                *done = range.end;
                left_out.add(&self.examples, range);
            }
            Way::Penalties(left_out, _) => {
                let best = left_out.best();
                self.way = Way::Logits {
                    rest: std::mem::take(&mut left_out.rest[best]),
                    penalty: left_out.penalties[best],
                    classifier: left_out.classifier(&self.examples, best),
                };
            }
            Way::Logits { rest, classifier, .. } => {
                let range = block(self.logits.len() / self.counts.len());
                let logits = without(&self.examples, &self.counts, classifier, rest, range);
                self.logits.extend(logits);
            }
        }
        let logits = self.logits.len() as f64 / (n * self.counts.len()) as f64;
        match &self.way {
            Way::Means(_) => logits,
            Way::Start(_) => 0.0,
            Way::Penalties(_, done) => 0.2 + 0.6 * *done as f64 / n as f64,
            Way::Logits { .. } => 0.8 + 0.2 * logits,
        }
    }

    /// The report, of a study that is done.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one that is not.
    pub fn finish(self) -> Result<Report> {
        if self.logits.len() < self.examples.len() * self.counts.len() {
            return Err(Error::Unsupported("the study is not done: take its other steps first".into()));
        }
        let (made, classifier) = match self.way {
            Way::Means(means) => ((Method::Means, None), means.classifier()),
            Way::Logits { penalty, classifier, .. } => ((Method::Ridge, Some(penalty)), classifier),
            Way::Start(_) | Way::Penalties(..) => unreachable!("there are no logits before the classifier"),
        };
        Ok(Report::new(&self.examples, &self.counts, &self.strangers, made, (classifier, self.logits)))
    }

    /// All steps at once.
    ///
    /// # Errors
    /// As [`Study::new`].
    pub fn report(mut self) -> Result<Report> {
        while self.step() < 1.0 {}
        self.finish()
    }
}

/// Logits of some pictures by a classifier that is made without them: the target less `r / (1 - h)`.
fn without(
    examples: &Examples,
    counts: &[usize],
    classifier: &Classifier,
    rest: &[f64],
    range: Range<usize>,
) -> Vec<f64> {
    let classes = counts.len();
    let mut logits = vec![0.0; range.len() * classes];
    let rows = examples.centred(range.clone(), &vec![0.0; examples.width]);
    add_product(&rows, &classifier.weight, examples.width, &mut logits, Part::Whole);
    for (row, i) in logits.chunks_exact_mut(classes).zip(range) {
        for (k, (logit, bias)) in row.iter_mut().zip(&classifier.bias).enumerate() {
            let target = target(k, examples.classes[i], classes);
            *logit = target - (target - *logit - bias) / rest[i];
        }
    }
    logits
}

//! What a classifier is worth, from its logits for each picture without this picture.

use super::confidence::{self, Rejection};
use super::{Classifier, Examples, Method};
use crate::confidence::Known;

/// So many of so many, with a 95% interval (Wilson 1927).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Those that are.
    pub part: usize,
    /// All.
    pub whole: usize,
}

impl Share {
    /// The share; 0 of nothing.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.part as f64 / self.whole.max(1) as f64
    }

    /// From where to where the true share may well be: 0 to 1 of nothing.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        const Z: f64 = 1.959_963_984_540_054;
        if self.whole == 0 {
            return [0.0, 1.0];
        }
        let (n, p) = (self.whole as f64, self.value());
        let middle = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [middle - half, middle + half].map(|end| (end / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
    }
}

/// How one class does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassReport {
    /// Pictures.
    pub pictures: usize,
    /// Of its pictures, those that are told right.
    pub recall: Share,
    /// Of the pictures that are told to be of it, those that are.
    pub precision: Share,
}

/// What a classifier is worth. Pictures of classes that have but one are not judged: without them there is no class.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it was made.
    pub method: Method,
    /// The penalty of ridge regression, relative to the mean eigenvalue; of the least leave-one-out error.
    pub penalty: Option<f64>,
    /// With all pictures.
    pub classifier: Classifier,
    /// `[pictures, classes]`, each without its picture.
    pub logits: Vec<f64>,
    /// Of each picture, the class that it is told to be of.
    pub predicted: Vec<usize>,
    /// Of each picture, the probability of its own class at the temperature; NaN of one that is not judged.
    pub own: Vec<f64>,
    /// Right of those that are judged.
    pub accuracy: Share,
    /// `[class, told class]`, of those that are judged.
    pub confusion: Vec<usize>,
    /// Of each class.
    pub classes: Vec<ClassReport>,
    /// What logits are divided by before they become probabilities.
    pub temperature: f64,
    /// How to tell strangers; `None` where no picture is judged.
    pub known: Option<Known>,
    /// How well that does, where strangers were given.
    pub rejection: Option<Rejection>,
}

impl Report {
    /// Of a classifier and its logits for pictures without themselves; `strangers` are features.
    pub(super) fn new(
        examples: &Examples,
        counts: &[usize],
        strangers: &[f32],
        (method, penalty): (Method, Option<f64>),
        (classifier, logits): (Classifier, Vec<f64>),
    ) -> Report {
        let classes = counts.len();
        let rows = || logits.chunks_exact(classes).zip(&examples.classes);
        let predicted: Vec<usize> = rows().map(|(row, _)| largest(row)).collect();
        let judged = || rows().filter(|(_, class)| counts[**class] > 1);
        let judged_logits: Vec<f64> = judged().flat_map(|(row, _)| row).copied().collect();
        let judged_classes: Vec<usize> = judged().map(|(_, &class)| class).collect();
        let mut confusion = vec![0; classes * classes];
        for (row, &class) in judged() {
            confusion[class * classes + largest(row)] += 1;
        }
        let temperature = match judged_classes.is_empty() {
            true => 1.0,
            false => confidence::temperature(&judged_logits, &judged_classes, counts),
        };
        let strange: Vec<f64> =
            strangers.chunks_exact(examples.width).flat_map(|row| classifier.logits(row)).collect();
        let rule = confidence::rule(&judged_logits, &strange, classes, temperature);
        let own = rows().map(|(row, &class)| match counts[class] {
            1 => f64::NAN,
            _ => 1.0 / row.iter().map(|logit| ((logit - row[class]) / temperature).exp()).sum::<f64>(),
        });
        Report {
            method,
            penalty,
            own: own.collect(),
            accuracy: Share { part: diagonal(&confusion, classes).sum(), whole: judged_classes.len() },
            classes: class_reports(&confusion, counts),
            temperature,
            known: rule.map(|rule| rule.0),
            rejection: rule.and_then(|rule| rule.1),
            classifier,
            predicted,
            confusion,
            logits,
        }
    }
}

fn class_reports(confusion: &[usize], counts: &[usize]) -> Vec<ClassReport> {
    let classes = counts.len();
    let of_class = |(class, (right, &pictures)): (usize, (usize, &usize))| ClassReport {
        pictures,
        recall: Share { part: right, whole: confusion[class * classes..][..classes].iter().sum() },
        precision: Share { part: right, whole: confusion.iter().skip(class).step_by(classes).sum() },
    };
    diagonal(confusion, classes).zip(counts).enumerate().map(of_class).collect()
}

fn diagonal(matrix: &[usize], side: usize) -> impl Iterator<Item = usize> + '_ {
    matrix.iter().step_by(side + 1).copied()
}

/// Of equal ones the first.
fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best })
}

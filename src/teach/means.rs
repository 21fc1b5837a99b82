//! Nearest class means by cosine, and exactly without each picture.

use super::{Classifier, Examples};
use crate::matrix::{Part, add_product, dot};

/// Class means about the mean of these means.
pub struct Means {
    centre: Vec<f64>,
    /// `[classes, features]`
    means: Vec<f64>,
    counts: Vec<usize>,
    /// Products of any two of the means.
    products: Vec<f64>,
}

impl Means {
    /// Of pictures, so many of each class.
    pub fn new(examples: &Examples, counts: &[usize]) -> Means {
        let (width, classes) = (examples.width, counts.len());
        let mut means = examples.class_means(counts);
        let mut centre = vec![0.0; width];
        for mean in means.chunks_exact(width) {
            centre.iter_mut().zip(mean).for_each(|(sum, m)| *sum += m / classes as f64);
        }
        for mean in means.chunks_exact_mut(width) {
            mean.iter_mut().zip(&centre).for_each(|(m, c)| *m -= c);
        }
        let mut products = vec![0.0; classes * classes];
        add_product(&means, &means, width, &mut products, Part::Whole);
        Means { centre, means, counts: counts.to_vec(), products }
    }

    /// Rows are the directions of the means: of all classes the length of a picture's features is the same, so the
    /// order is that of cosines. A mean at the centre has no direction, and a row of zeros.
    pub fn classifier(&self) -> Classifier {
        let mut weight = self.means.clone();
        let classes = self.counts.len();
        for (class, row) in weight.chunks_exact_mut(self.centre.len()).enumerate() {
            let factor = inverse_root(self.products[class * classes + class]);
            row.iter_mut().for_each(|w| *w *= factor);
        }
        Classifier::about(&self.centre, weight)
    }

    /// Logits of a picture, whose features are less the centre, by means without it; zeros where it is alone.
    ///
    /// Of a picture u of class c, without it the mean of c moves by `delta = (a_c - u) / (n_c - 1)` and the centre by
    /// `delta / K`. So every length and product follows from those of the means a_k with each other and with u.
    pub fn left_out(&self, picture: &[f64], class: usize, logits: &mut [f64]) {
        let classes = self.counts.len();
        let others = self.counts[class] as f64 - 1.0;
        if others == 0.0 {
            logits.fill(0.0);
            return;
        }
        let with: Vec<f64> = self.means.chunks_exact(picture.len()).map(|mean| dot(mean, picture)).collect();
        let part = 1.0 / classes as f64;
        let square = dot(picture, picture);
        let own = &self.products[class * classes..][..classes];
        let delta_with = |k: usize| (own[k] - with[k]) / others;
        let delta_picture = (with[class] - square) / others;
        let delta_square = (own[class] - 2.0 * with[class] + square) / (others * others);
        for (k, logit) in logits.iter_mut().enumerate() {
            let moved = f64::from(u8::from(k == class)) - part;
            let product = with[k] + moved * delta_picture - part * (delta_with(k) + moved * delta_square);
            let length =
                self.products[k * classes + k] + moved * (2.0 * delta_with(k) + moved * delta_square);
            *logit = product * inverse_root(length);
        }
    }

    /// What pictures are centred by.
    pub fn centre(&self) -> &[f64] {
        &self.centre
    }
}

/// 0 for what is 0 but for rounding.
fn inverse_root(square: f64) -> f64 {
    if square > 1e-24 { square.sqrt().recip() } else { 0.0 }
}

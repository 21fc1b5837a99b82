//! Teaching a network new classes from a few pictures of each: a linear classifier on the features before its own, and
//! what it is worth by leaving out one picture after the other.
//!
//! Both classifiers have a closed form, and so have their predictions for each picture without that picture
//! (leave-one-out). So accuracy, confusion, temperature and threshold come from the pictures themselves, and none is
//! held back. All sums are in f64.

mod confidence;
mod file;
mod means;
mod report;
mod ridge;
mod study;

pub use confidence::Rejection;
pub use file::{Taught, TaughtExamples, examples_of};
pub use report::{ClassReport, Report, Share};
pub use study::Study;

use crate::error::{Error, Result};
use crate::matrix::{Part, add_product};
use crate::random::Random;
use std::sync::Arc;

/// Most features, and most classes: matrices of them have at most 128 MB.
pub const MAX_SIDE: usize = 1 << 12;

/// Most pictures: their features have at most 2 GB.
pub const MAX_EXAMPLES: usize = 1 << 17;

/// Pictures whose products are added to the sums at once.
const AT_ONCE: usize = 64;

/// How a classifier is made of pictures.
///
/// On pictures of things that the bundled network had no labels of, ridge regression is as good as class means with two
/// pictures a class and better with more, so class means are for classes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The mean of each class, compared by cosine about the mean of these means (Wang et al. 2019, SimpleShot).
    Means,
    /// Ridge regression on the classes, each of which counts the same.
    Ridge,
}

impl Method {
    /// The one that is usual for so many pictures of so many classes: leaving one out of a class needs two.
    #[must_use]
    pub fn usual(pictures: usize, classes: usize) -> Method {
        if pictures < 2 * classes { Method::Means } else { Method::Ridge }
    }
}

/// A linear classifier on the features as the network has them: centre and scale are in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// `[classes, features]`
    pub weight: Vec<f64>,
    /// `[classes]`
    pub bias: Vec<f64>,
}

impl Classifier {
    /// Logits of a picture.
    pub fn logits<'a>(&'a self, features: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        let dot = move |row: &[f64]| row.iter().zip(features).map(|(w, &x)| w * f64::from(x)).sum::<f64>();
        self.weight.chunks_exact(features.len()).zip(&self.bias).map(move |(row, bias)| dot(row) + bias)
    }

    /// With rows about a centre: what the centre itself gives is taken off.
    fn about(centre: &[f64], weight: Vec<f64>) -> Classifier {
        let rows = weight.chunks_exact(centre.len());
        let bias = rows.map(|row| -row.iter().zip(centre).map(|(w, c)| w * c).sum::<f64>()).collect();
        Classifier { weight, bias }
    }
}

/// Pictures as their features, each with its class.
#[derive(Clone, Debug)]
pub struct Examples {
    width: usize,
    /// `[pictures, features]`; a report that is under way reads them too.
    features: Arc<Vec<f32>>,
    classes: Vec<usize>,
    /// What each picture weighs in the sums of all features, and of the products of any two (their upper triangle):
    /// kept from fit to fit, so that what did not change is not added again.
    weights: Vec<f64>,
    sums: Vec<f64>,
    products: Vec<f64>,
}

impl Examples {
    /// Without a picture, of a network with so many features.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a number of features that no network has.
    pub fn new(width: usize) -> Result<Examples> {
        if !(1..=MAX_SIDE).contains(&width) {
            return Err(Error::WrongShape(format!(
                "a network with {width} features was named, expected 1 to {MAX_SIDE}"
            )));
        }
        Ok(Examples::of(width, Vec::new(), Vec::new()))
    }

    fn of(width: usize, features: Vec<f32>, classes: Vec<usize>) -> Examples {
        let weights = vec![0.0; classes.len()];
        Examples {
            width,
            features: Arc::new(features),
            classes,
            weights,
            sums: Vec::new(),
            products: Vec::new(),
        }
    }

    /// Number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Number of features of a picture.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Classes of the pictures.
    #[must_use]
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// `[pictures, features]`
    #[must_use]
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// Adds pictures of one class, `[pictures, features]`.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for another number of features, for one that is not finite, for a class beyond
    /// [`MAX_SIDE`], and for more than [`MAX_EXAMPLES`] pictures.
    pub fn add(&mut self, features: &[f32], class: usize) -> Result<()> {
        let count = features.len() / self.width;
        if features.is_empty() || !features.len().is_multiple_of(self.width) {
            return Err(Error::WrongShape(format!(
                "the pictures have {} features, expected a multiple of {}: are they of this network?",
                features.len(),
                self.width
            )));
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return Err(Error::WrongShape(format!(
                "feature {} of a picture is {}, expected a finite number",
                at % self.width,
                features[at]
            )));
        }
        if class >= MAX_SIDE || self.len() + count > MAX_EXAMPLES {
            return Err(Error::WrongShape(format!(
                "picture {} of class {class} was added, expected at most {MAX_EXAMPLES} pictures of {MAX_SIDE} \
                 classes",
                self.len() + count
            )));
        }
        let all = Arc::make_mut(&mut self.features);
        if all.capacity() - all.len() < features.len() {
            // They are most of the memory: an eighth more, not twice as many.
            all.reserve_exact(features.len().max(all.len() / 8));
        }
        all.extend_from_slice(features);
        self.classes.resize(self.len() + count, class);
        self.weights.resize(self.len(), 0.0);
        Ok(())
    }

    /// Removes a picture; those behind it move up.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for one that does not exist.
    pub fn remove(&mut self, index: usize) -> Result<()> {
        self.check(index)?;
        let weight = self.weights.remove(index);
        if weight != 0.0 {
            let row = &self.features[index * self.width..][..self.width];
            add_weighted(&mut self.sums, &mut self.products, &[(row, -weight)]);
        }
        Arc::make_mut(&mut self.features).drain(index * self.width..(index + 1) * self.width);
        self.classes.remove(index);
        Ok(())
    }

    /// Gives a picture another class.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a picture or a class that does not exist.
    pub fn set_class(&mut self, index: usize, class: usize) -> Result<()> {
        self.check(index)?;
        if class >= MAX_SIDE {
            return Err(Error::WrongShape(format!("class {class} was named, expected at most {MAX_SIDE}")));
        }
        self.classes[index] = class;
        Ok(())
    }

    /// At most so many pictures of each class, drawn by a seed.
    #[must_use]
    pub fn drawn(&self, of_each: usize, seed: u64) -> Examples {
        let mut order: Vec<usize> = (0..self.len()).collect();
        let mut random = Random::new(seed);
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        let mut taken = vec![0; self.classes.iter().max().map_or(0, |last| last + 1)];
        order.retain(|&i| {
            taken[self.classes[i]] += 1;
            taken[self.classes[i]] <= of_each
        });
        let features = order.iter().flat_map(|&i| self.row(i)).copied().collect();
        let classes = order.iter().map(|&i| self.classes[i]).collect();
        Examples::of(self.width, features, classes)
    }

    /// A classifier by class means, or by ridge regression with this penalty on the weights, relative to the mean
    /// square of the features along a direction that they have.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for fewer than two classes and for one without a picture; [`Error::WrongShape`] for a
    /// class that is not below `classes`, and for a penalty that is not positive.
    pub fn fit(&mut self, classes: usize, method: Method, penalty: f64) -> Result<Classifier> {
        let counts = self.counts(classes)?;
        match method {
            Method::Means => Ok(means::Means::new(self, &counts).classifier()),
            Method::Ridge => ridge::fit(self, &counts, penalty),
        }
    }

    fn check(&self, index: usize) -> Result<()> {
        if index < self.len() {
            return Ok(());
        }
        Err(Error::WrongShape(format!("picture {index} was named, expected one of {}", self.len())))
    }

    /// Pictures of each class.
    fn counts(&self, classes: usize) -> Result<Vec<usize>> {
        if classes < 2 {
            return Err(Error::Unsupported(format!(
                "there is {classes} class to be taught, expected two or more: add another"
            )));
        }
        if classes > MAX_SIDE {
            return Err(Error::WrongShape(format!(
                "{classes} classes were named, expected at most {MAX_SIDE}"
            )));
        }
        let mut counts = vec![0; classes];
        for &class in &self.classes {
            *counts.get_mut(class).ok_or_else(|| {
                Error::WrongShape(format!("a picture is of class {class}, expected one below {classes}"))
            })? += 1;
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(Error::Unsupported(format!(
                "class {class} has no picture: add some, or remove the class"
            )));
        }
        Ok(counts)
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.width..][..self.width]
    }

    /// Brings the weight of each picture in the sums to one over the pictures of its class.
    fn sum_up(&mut self, counts: &[usize]) {
        self.sums.resize(self.width, 0.0);
        self.products.resize(self.width * self.width, 0.0);
        let mut changed = Vec::with_capacity(AT_ONCE);
        let rows = self.features.chunks_exact(self.width).zip(&mut self.weights).zip(&self.classes);
        for ((row, weight), &class) in rows {
            let right = 1.0 / counts[class] as f64;
            if *weight != right {
                changed.push((row, right - *weight));
                *weight = right;
            }
            if changed.len() == AT_ONCE {
                add_weighted(&mut self.sums, &mut self.products, &changed);
                changed.clear();
            }
        }
        add_weighted(&mut self.sums, &mut self.products, &changed);
    }

    /// Frees what a classifier was made of.
    fn forget_sums(&mut self) {
        (self.sums, self.products) = (Vec::new(), Vec::new());
        self.weights.fill(0.0);
    }

    /// Means of the classes, `[classes, features]`.
    fn class_means(&self, counts: &[usize]) -> Vec<f64> {
        let mut means = vec![0.0; counts.len() * self.width];
        for (row, &class) in self.features.chunks_exact(self.width).zip(&self.classes) {
            let mean = &mut means[class * self.width..][..self.width];
            mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x));
        }
        for (mean, &count) in means.chunks_exact_mut(self.width).zip(counts) {
            mean.iter_mut().for_each(|mean| *mean /= count as f64);
        }
        means
    }

    /// Some pictures' features less a centre.
    fn centred(&self, range: std::ops::Range<usize>, centre: &[f64]) -> Vec<f64> {
        let rows = self.features[range.start * self.width..range.end * self.width].chunks_exact(self.width);
        rows.flat_map(|row| row.iter().zip(centre).map(|(&x, c)| f64::from(x) - c)).collect()
    }
}

/// Adds pictures with weights to the sums.
fn add_weighted(sums: &mut [f64], products: &mut [f64], rows: &[(&[f32], f64)]) {
    if rows.is_empty() {
        return;
    }
    let columns = |of: fn(f64, f64) -> f64| -> Vec<f64> {
        (0..sums.len())
            .flat_map(|j| rows.iter().map(move |(row, weight)| of(row[j].into(), *weight)))
            .collect()
    };
    let (plain, weighted) = (columns(|x, _| x), columns(|x, weight| weight * x));
    for (sum, column) in sums.iter_mut().zip(weighted.chunks_exact(rows.len())) {
        *sum += column.iter().sum::<f64>();
    }
    add_product(&weighted, &plain, rows.len(), products, Part::Upper);
}

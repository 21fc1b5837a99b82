//! Teaching new classes, as JavaScript sees it: numbers in typed arrays, the rest as JSON.

use super::file::MadeModel;
use crate::checkpoint::{self, EXAMPLES};
use crate::confidence::Known;
use crate::error::Error;
use crate::teach::{self, Classifier, Examples, Method, Rejection, Report, Share, Taught, TaughtExamples};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// Pictures to be taught, and strangers.
#[wasm_bindgen]
pub struct Lesson {
    examples: Examples,
    strangers: Vec<f32>,
}

#[wasm_bindgen]
impl Lesson {
    /// Without a picture, of a network with so many features.
    ///
    /// # Errors
    /// As [`Examples::new`].
    #[wasm_bindgen(constructor)]
    pub fn new(width: usize) -> Result<Lesson, JsValue> {
        Ok(Lesson { examples: Examples::new(width)?, strangers: Vec::new() })
    }

    /// Adds pictures of a class, or strangers where it is left out.
    ///
    /// # Errors
    /// As [`Examples::add`].
    pub fn add(&mut self, features: &[f32], class: Option<usize>) -> Result<(), JsValue> {
        match class {
            Some(class) => self.examples.add(features, class)?,
            None => {
                // They are held against the same rules.
                Examples::new(self.examples.width())?.add(features, 0)?;
                self.strangers.extend_from_slice(features);
            }
        }
        Ok(())
    }

    /// Removes a picture; those behind it move up.
    ///
    /// # Errors
    /// As [`Examples::remove`].
    pub fn remove(&mut self, index: usize) -> Result<(), JsValue> {
        Ok(self.examples.remove(index)?)
    }

    /// Removes a stranger.
    #[wasm_bindgen(js_name = removeStranger)]
    pub fn remove_stranger(&mut self, index: usize) {
        let width = self.examples.width();
        self.strangers.drain(index * width..(index + 1) * width);
    }

    /// Gives a picture another class.
    ///
    /// # Errors
    /// As [`Examples::set_class`].
    #[wasm_bindgen(js_name = setClass)]
    pub fn set_class(&mut self, index: usize, class: usize) -> Result<(), JsValue> {
        Ok(self.examples.set_class(index, class)?)
    }

    /// Features of a picture.
    #[must_use]
    pub fn features(&self, index: usize) -> Vec<f32> {
        self.examples.features()[index * self.examples.width()..][..self.examples.width()].to_vec()
    }

    /// Features of a stranger.
    #[wasm_bindgen(js_name = strangerFeatures)]
    #[must_use]
    pub fn stranger_features(&self, index: usize) -> Vec<f32> {
        self.strangers[index * self.examples.width()..][..self.examples.width()].to_vec()
    }

    /// At most so many pictures of each class, drawn by a seed, and no strangers.
    #[must_use]
    pub fn drawn(&self, of_each: usize, seed: f64) -> Lesson {
        Lesson { examples: self.examples.drawn(of_each, seed as u64), strangers: Vec::new() }
    }

    /// Whether class means are usual for so many pictures of so many classes, not ridge regression.
    #[wasm_bindgen(js_name = usesMeans)]
    #[must_use]
    pub fn uses_means(&self, classes: usize) -> bool {
        Method::usual(self.examples.len(), classes) == Method::Means
    }

    /// A classifier by class means, or by ridge regression with a penalty: weights, class by class, then biases.
    ///
    /// # Errors
    /// As [`Examples::fit`].
    pub fn fit(&mut self, classes: usize, means: bool, penalty: f64) -> Result<Vec<f64>, JsValue> {
        let Classifier { weight, bias } = self.examples.fit(classes, method(means), penalty)?;
        Ok([weight, bias].concat())
    }

    /// A report under way; the penalty is the best of several where it is left out.
    ///
    /// # Errors
    /// As [`teach::Study::new`].
    pub fn study(&self, classes: usize, means: bool, penalty: Option<f64>) -> Result<Study, JsValue> {
        let (examples, strangers) = (self.examples.clone(), &self.strangers);
        Ok(Study { study: teach::Study::new(examples, strangers, classes, method(means), penalty)? })
    }
}

fn method(means: bool) -> Method {
    if means { Method::Means } else { Method::Ridge }
}

/// A report under way.
#[wasm_bindgen]
pub struct Study {
    study: teach::Study,
}

#[wasm_bindgen]
impl Study {
    /// Takes a step; how much is done, until it is 1.
    pub fn step(&mut self) -> f64 {
        self.study.step()
    }

    /// The report of a study that is done.
    ///
    /// # Errors
    /// As [`teach::Study::finish`].
    pub fn finish(self) -> Result<StudyReport, JsValue> {
        Ok(StudyReport { report: self.study.finish()? })
    }
}

/// What a classifier is worth.
#[wasm_bindgen]
pub struct StudyReport {
    report: Report,
}

#[derive(Serialize)]
struct Counted {
    right: usize,
    of: usize,
    share: f64,
    interval: [f64; 2],
}

impl From<Share> for Counted {
    fn from(share: Share) -> Counted {
        Counted { right: share.part, of: share.whole, share: share.value(), interval: share.interval() }
    }
}

#[derive(Serialize)]
struct Class {
    examples: usize,
    recall: Counted,
    precision: Counted,
}

#[derive(Serialize)]
struct Strangers {
    auroc: f64,
    passed: Counted,
}

impl From<Rejection> for Strangers {
    fn from(Rejection { auroc, passed, strangers }: Rejection) -> Strangers {
        Strangers { auroc, passed: Share { part: passed, whole: strangers }.into() }
    }
}

#[derive(Serialize)]
struct Summary {
    method: &'static str,
    penalty: Option<f64>,
    accuracy: Counted,
    classes: Vec<Class>,
    temperature: f64,
    known: Option<Known>,
    rejection: Option<Strangers>,
}

#[wasm_bindgen]
impl StudyReport {
    /// What is no list of numbers, as JSON.
    pub fn summary(&self) -> String {
        let Report { method, penalty, accuracy, temperature, known, rejection, .. } = self.report;
        let class = |class: &teach::ClassReport| Class {
            examples: class.pictures,
            recall: class.recall.into(),
            precision: class.precision.into(),
        };
        let summary = Summary {
            method: if method == Method::Means { "means" } else { "ridge" },
            penalty,
            accuracy: accuracy.into(),
            classes: self.report.classes.iter().map(class).collect(),
            temperature,
            known,
            rejection: rejection.map(Strangers::from),
        };
        serde_json::to_string(&summary).expect("numbers are JSON")
    }

    /// `[class, told class]`
    pub fn confusion(&self) -> Vec<usize> {
        self.report.confusion.clone()
    }

    /// The class that each picture is told to be of.
    pub fn predicted(&self) -> Vec<usize> {
        self.report.predicted.clone()
    }

    /// The probability of each picture's own class; NaN of one that is not judged.
    pub fn own(&self) -> Vec<f64> {
        self.report.own.clone()
    }

    /// Weights, class by class, then biases.
    pub fn classifier(&self) -> Vec<f64> {
        let Classifier { weight, bias } = &self.report.classifier;
        [weight.as_slice(), bias].concat()
    }
}

/// What is written beside the classifier.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    labels: Vec<String>,
    temperature: f64,
    known: Option<Known>,
    golden: Option<Vec<f32>>,
}

#[wasm_bindgen]
impl Lesson {
    /// A model with another classifier, from the beginning of its file, to the end of the header at least, and its
    /// length. `numbers` are weights and biases; `said` is JSON with labels, temperature, `known` and golden logits.
    /// With the features of the self-test's input the pictures are written beside it, those of classes first, and their
    /// small pictures, if there are any.
    ///
    /// # Errors
    /// As [`Taught::apply`].
    pub fn model(
        &self,
        beginning: &[u8],
        length: usize,
        numbers: &[f64],
        said: &str,
        self_test: Option<Vec<f32>>,
        thumbnails: Vec<u8>,
        thumbnail_ends: &[f64],
    ) -> Result<MadeModel, JsValue> {
        let Said { labels, temperature, known, golden } =
            serde_json::from_str(said).map_err(|error| Error::Unsupported(error.to_string()))?;
        let (weight, bias) = numbers.split_at(numbers.len().saturating_sub(labels.len()));
        let classifier = Classifier { weight: weight.to_vec(), bias: bias.to_vec() };
        let mut checkpoint = checkpoint::index(beginning, length)?;
        let taught = Taught { classifier, labels, temperature, known, golden };
        let examples = self_test.map(|self_test| {
            let strangers = self.strangers.len() / self.examples.width();
            TaughtExamples {
                features: [self.examples.features(), &self.strangers].concat(),
                classes: (self.examples.classes().iter().map(|&class| class as i64))
                    .chain(std::iter::repeat_n(-1, strangers))
                    .collect(),
                self_test,
                thumbnails,
                thumbnail_ends: thumbnail_ends.iter().map(|&end| end as i64).collect(),
            }
        });
        taught.apply(&mut checkpoint, examples.as_ref())?;
        Ok(MadeModel::new(checkpoint, length))
    }
}

/// The labels of a file, and where it has the pictures that its network was taught with: JSON of
/// `{ labels, parts: { name: { place: [begin, end], shape } } }`.
///
/// # Errors
/// [`Error::BadModel`] for what is no safetensors file.
#[wasm_bindgen(js_name = taughtFile)]
pub fn taught_file(beginning: &[u8], length: usize) -> Result<String, JsValue> {
    #[derive(Serialize)]
    struct Part {
        place: [usize; 2],
        shape: Vec<usize>,
    }
    #[derive(Serialize)]
    struct Found<'a> {
        labels: Option<Vec<String>>,
        parts: BTreeMap<&'a str, Part>,
    }
    let checkpoint = checkpoint::index(beginning, length)?;
    let parts = checkpoint.tensors().iter().filter_map(|(name, tensor)| {
        let place = tensor.place()?;
        Some((
            name.strip_prefix(EXAMPLES)?,
            Part { place: [place.start, place.end], shape: tensor.shape.clone() },
        ))
    });
    let found = Found { labels: checkpoint.config.classes.clone(), parts: parts.collect() };
    Ok(serde_json::to_string(&found).expect("names and numbers are JSON"))
}

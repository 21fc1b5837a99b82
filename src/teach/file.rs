//! The file of a taught network: a model like any other, and beside it the features of the pictures that it was taught
//! with, so that it can be opened again to add to them.

use super::{Classifier, Examples};
use crate::arch::Network;
use crate::checkpoint::{Checkpoint, Dtype, EXAMPLES};
use crate::confidence::Known;
use crate::config::{Config, usual_input};
use crate::error::{Error, Result};
use crate::model::Model;

/// What a model's file says anew of a network that was taught other classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    /// The classifier.
    pub classifier: Classifier,
    /// Labels of its classes.
    pub labels: Vec<String>,
    /// As [`Config::temperature`].
    pub temperature: f64,
    /// As [`Config::known`].
    pub known: Option<Known>,
    /// As [`Config::golden`].
    pub golden: Option<Vec<f32>>,
}

/// The pictures that a network was taught with, as their features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaughtExamples {
    /// `[pictures, features]`
    pub features: Vec<f32>,
    /// The class of each, -1 for a stranger.
    pub classes: Vec<i64>,
    /// Features of the self-test's input, `[features]`: by them it is seen which network the others are of.
    pub self_test: Vec<f32>,
    /// Small pictures, files of any format one after the other; empty where none were kept.
    pub thumbnails: Vec<u8>,
    /// Where each ends.
    pub thumbnail_ends: Vec<i64>,
}

impl Taught {
    /// The model with this classifier, and the examples beside it. Of the checkpoint only the index is needed.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a checkpoint whose config does not name its network; [`Error::WrongShape`] for
    /// another number of features or labels; [`Error::NotFinite`] for weights beyond f32.
    pub fn apply(&self, checkpoint: &mut Checkpoint, examples: Option<&TaughtExamples>) -> Result<()> {
        let Some(architecture) = checkpoint.config.architecture()? else {
            return Err(Error::Unsupported(
                "the model does not name its network: save it in this library".into(),
            ));
        };
        let input = checkpoint.config.input.unwrap_or_else(|| usual_input(&architecture));
        let classes = self.labels.len();
        let network = Network::new(&architecture, classes, input.side, input.side)?;
        let (step, conv) = network.classifier();
        let width = step.x.channels;
        let Classifier { weight, bias } = &self.classifier;
        if weight.len() != classes * width || bias.len() != classes {
            return Err(Error::WrongShape(format!(
                "the classifier has {} weights and {} biases, expected {classes} x {width} and {classes}",
                weight.len(),
                bias.len()
            )));
        }
        let key = conv.weights.conv.as_str();
        let replaced = ["weight", "bias", "scale", "input"].map(|part| format!("{key}.{part}"));
        checkpoint.rename(&|name| {
            let goes = name.starts_with(EXAMPLES) || replaced.iter().any(|replaced| replaced == name);
            (!goes).then(|| name.into())
        });
        for (name, shape, values) in
            [(&replaced[0], vec![classes, width], weight), (&replaced[1], vec![classes], bias)]
        {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let value = values[index].to_string();
                return Err(Error::NotFinite { name: name.clone(), index, value });
            }
            checkpoint.put(name.clone(), shape, false, &values);
        }
        if let Some(examples) = examples {
            examples.put(checkpoint, width)?;
        }
        checkpoint.config = Config {
            classes: Some(self.labels.clone()),
            input: Some(input),
            temperature: Some(self.temperature),
            known: self.known,
            golden: self.golden.clone(),
            ..Config::of(&architecture)
        };
        Ok(())
    }

    /// As [`Taught::apply`], of a model that is loaded.
    ///
    /// # Errors
    /// Those of [`Taught::apply`].
    pub fn model(&self, model: Model) -> Result<Model> {
        let mut checkpoint = model.checkpoint;
        checkpoint.config = Config { input: Some(model.input), ..Config::of(&model.architecture) };
        self.apply(&mut checkpoint, None)?;
        Model::from_own_layout(checkpoint, None)
    }
}

impl TaughtExamples {
    fn put(&self, checkpoint: &mut Checkpoint, width: usize) -> Result<()> {
        let n = self.classes.len();
        let thumbnails = self.thumbnail_ends.last().copied().unwrap_or(0);
        if self.features.len() != n * width
            || self.self_test.len() != width
            || ![0, n].contains(&self.thumbnail_ends.len())
            || thumbnails != self.thumbnails.len() as i64
        {
            return Err(Error::WrongShape(format!(
                "there are {} features and {} small pictures for {n} pictures of {width} features",
                self.features.len(),
                self.thumbnail_ends.len()
            )));
        }
        let name = |part: &str| format!("{EXAMPLES}{part}");
        let integers = |values: &[i64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        checkpoint.put(name("features"), vec![n, width], false, &self.features);
        checkpoint.put(name("selfTest"), vec![width], false, &self.self_test);
        checkpoint.put_bytes(name("classes"), vec![n], Dtype::I64, &integers(&self.classes));
        if !self.thumbnail_ends.is_empty() {
            let ends = integers(&self.thumbnail_ends);
            checkpoint.put_bytes(name("thumbnailEnds"), vec![n], Dtype::I64, &ends);
            checkpoint.put_bytes(
                name("thumbnails"),
                vec![self.thumbnails.len()],
                Dtype::I8,
                &self.thumbnails,
            );
        }
        Ok(())
    }
}

/// The pictures that a model's file has beside it: those of classes, and the strangers' features.
///
/// # Errors
/// [`Error::BadModel`] for a file that has none, or whose parts do not fit each other.
pub fn examples_of(checkpoint: &Checkpoint) -> Result<(Examples, Vec<f32>)> {
    let part = |part: &str| checkpoint.read(&format!("{EXAMPLES}{part}"));
    let shape = checkpoint.shape(&format!("{EXAMPLES}features"));
    let Some(&[n, width]) = shape else {
        return Err(Error::BadModel(
            "the model has no examples beside it: it was not taught here, or saved without them".into(),
        ));
    };
    let (features, classes) = (part("features")?, part("classes")?);
    if classes.len() != n {
        return Err(Error::BadModel(format!(
            "the model has {n} examples and {} classes of them",
            classes.len()
        )));
    }
    let (mut examples, mut strangers) = (Examples::new(width)?, Vec::new());
    for (row, &class) in features.chunks_exact(width).zip(&classes) {
        if class < 0.0 {
            strangers.extend_from_slice(row);
        } else {
            examples.add(row, class as usize)?;
        }
    }
    Ok((examples, strangers))
}

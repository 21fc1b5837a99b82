//! A loaded model: architecture, labels, pre-processing and checkpoint, checked against each other.

use crate::arch::{Architecture, Network};
use crate::checkpoint::Checkpoint;
use crate::confidence;
#[cfg(feature = "edit")]
use crate::config::Config;
use crate::config::{Preprocess, usual_input};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a caller knows better than the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name of the network, where it is not to be recognised.
    #[cfg(feature = "read")]
    pub variant: Option<String>,
    /// Labels in class order.
    pub labels: Option<Vec<String>>,
    /// Which weights of a file that has several: `ema` for those of a moving average before the plain ones, or the
    /// name that the file has them under.
    #[cfg(feature = "read")]
    pub weights: Option<String>,
}

/// Which network of how many classes, for pictures of which size: enough to plan any run, without the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Which network.
    pub architecture: Architecture,
    /// Number of classes.
    pub classes: usize,
    /// Usual height and width of the input.
    pub side: usize,
}

impl Outline {
    /// The network for inputs of `height` x `width`.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a side that is not accepted.
    pub fn network(&self, height: usize, width: usize) -> Result<Network> {
        Network::new(&self.architecture, self.classes, height, width)
    }
}

/// A checkpoint that fits a network.
#[derive(Clone, Debug)]
pub struct Model {
    /// Which network.
    pub architecture: Architecture,
    /// Labels in class order; their number is the number of classes.
    pub labels: Vec<String>,
    /// How a picture becomes the input.
    pub input: Preprocess,
    /// The weights as they are in the file; a classifier of one logit is one of two.
    pub checkpoint: Checkpoint,
}

impl Model {
    /// Reads a model file and checks it whole; the network, the classes and the pre-processing come
    /// from the options, else from the file's config, else from the shapes of its tensors.
    ///
    /// Without the feature `read`, the file is one of the project's own layout: its config names the network, and its
    /// keys are the network's.
    ///
    /// # Errors
    /// Those of [`Checkpoint::from_bytes`] and [`Checkpoint::check`].
    pub fn from_bytes(bytes: Vec<u8>, options: &Options) -> Result<Model> {
        #[cfg(feature = "read")]
        let checkpoint = Checkpoint::from_bytes_of(bytes, options.weights.as_deref())?;
        #[cfg(not(feature = "read"))]
        let checkpoint = Checkpoint::from_bytes(bytes)?;
        Model::from_checkpoint(checkpoint, options)
    }

    /// As [`Model::from_bytes`], from a checkpoint.
    ///
    /// # Errors
    /// Those of [`Checkpoint::check`].
    #[cfg_attr(not(feature = "read"), allow(unused_mut, reason = "only readers bring it to another layout"))]
    pub fn from_checkpoint(mut checkpoint: Checkpoint, options: &Options) -> Result<Model> {
        #[cfg(feature = "read")]
        crate::read::adopt(&mut checkpoint, options)?.make(&mut checkpoint)?;
        Model::from_own_layout(checkpoint, options.labels.clone())
    }

    /// A model of a checkpoint in the project's own layout: its config names the network, and its keys are the
    /// network's.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a checkpoint in another layout; those of [`Checkpoint::check`].
    pub fn from_own_layout(checkpoint: Checkpoint, labels: Option<Vec<String>>) -> Result<Model> {
        let Some(architecture) = checkpoint.config.architecture()? else {
            return Err(Error::BadModel(
                "the model's file does not say which network it is of: this build reads the project's own files alone"
                    .into(),
            ));
        };
        let input = input_of(&checkpoint, &architecture)?;
        let key = Network::new(&architecture, 1, input.side, input.side)?.classifier().1.weights.conv.clone();
        let classes =
            checkpoint.shape(&format!("{key}.weight")).and_then(|shape| shape.first().copied()).unwrap_or(0);
        checkpoint.check(&Network::new(&architecture, classes, input.side, input.side)?)?;
        let given = labels.or_else(|| checkpoint.config.classes.clone());
        let labels = given.unwrap_or_else(|| (0..classes).map(|class| format!("class {class}")).collect());
        let golden = checkpoint.config.golden.as_ref().map_or(classes, Vec::len);
        for (found, what) in [(labels.len(), "labels"), (golden, "golden logits")] {
            if found != classes {
                return Err(Error::BadModel(format!(
                    "{found} {what} for a classifier of {classes} classes: they must be as many"
                )));
            }
        }
        Ok(Model { architecture, labels, input, checkpoint })
    }

    /// The config of another network with this model's labels, pre-processing and temperature; what it knows was not
    /// asked of that one.
    #[cfg(feature = "edit")]
    pub(crate) fn config_for(&self, architecture: &Architecture) -> Config {
        Config {
            classes: Some(self.labels.clone()),
            input: Some(self.input),
            temperature: self.checkpoint.config.temperature,
            ..Config::of(architecture)
        }
    }

    /// What the logits are divided by before they become probabilities.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        self.checkpoint.config.temperature.unwrap_or(1.0)
    }

    /// Calibrated probabilities of one picture's logits.
    #[must_use]
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        confidence::probabilities(logits, self.temperature())
    }

    /// How likely a picture with these logits shows one of the classes, 0 to 1, and whether that is too little to be
    /// sure; `None` of a model that was not fitted to tell.
    #[must_use]
    pub fn known(&self, logits: &[f32]) -> Option<(f32, bool)> {
        let rule = self.checkpoint.config.known?;
        let known = rule.of(logits, self.temperature());
        Some((known, f64::from(known) < rule.threshold))
    }

    /// The model without its weights.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let (architecture, classes) = (self.architecture.clone(), self.labels.len());
        Outline { architecture, classes, side: self.input.side }
    }

    /// The network for inputs of `height` x `width`.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a side that is not accepted.
    pub fn network(&self, height: usize, width: usize) -> Result<Network> {
        self.outline().network(height, width)
    }
}

/// How a picture becomes the input: as the file says, else as is usual.
pub(crate) fn input_of(checkpoint: &Checkpoint, architecture: &Architecture) -> Result<Preprocess> {
    let input = checkpoint.config.input.unwrap_or_else(|| usual_input(architecture));
    input.check()?;
    Ok(input)
}

/// The input of the self-test, `[3, side, side]`: the same numbers in -2 to 2 everywhere.
#[must_use]
pub fn self_test_input(side: usize) -> Vec<f32> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1 << 30) - 2.0) as f32
    };
    std::iter::repeat_with(next).take(3 * side * side).collect()
}

/// Indices of the `count` largest numbers, the largest first.
#[must_use]
pub fn top(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}

//! Networks to hold a model against, with random weights that follow from a seed.
//!
//! Filters have a sum of 0 and an even variance; every batch norm has scale 1, shift 0 and the variance that its
//! input is expected to have, as in training. So each block adds as much as a new network's does, where a
//! batch norm of scale 0 at the end of each block would make all of them the identity.

use crate::arch::regnet::RegNet;
use crate::arch::{Activation, Architecture, Network, Op, Step};
use crate::error::{Error, Result};
use crate::model::{Model, Options};
use crate::random::Random;
use crate::weights::{Checkpoint, Dtype, expected_of_step};
use std::collections::BTreeMap;

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// The model's own.
    Same,
    /// The RegNetX of the same depths and widths without ghost stages.
    Plain,
}

/// A random model with the labels, the pre-processing and the dtype of another.
///
/// # Errors
/// [`Error::Unsupported`] for the plain twin of a network that is no RegNetX.
pub fn random_twin(model: &Model, twin: Twin, seed: u64) -> Result<Model> {
    let architecture = match (twin, &model.architecture) {
        (Twin::Same, architecture) => architecture.clone(),
        (Twin::Plain, Architecture::RegNet(regnet)) => {
            Architecture::RegNet(RegNet { ghost: None, ..regnet.clone() })
        }
        (Twin::Plain, _) => {
            return Err(Error::Unsupported("only a G-Ghost-RegNetX has a plain RegNetX of its size".into()));
        }
    };
    let network = Network::new(&architecture, model.labels.len(), model.input.side, model.input.side)?;
    let half = (model.checkpoint.tensors().iter()).any(|(name, tensor)| {
        name.ends_with(".weight") && tensor.shape.len() == 4 && tensor.dtype == Dtype::F16
    });
    let mut checkpoint = Checkpoint::new(Vec::new(), BTreeMap::new(), model.config_for(&architecture))?;
    let mut variances = vec![1.0; network.values.len()];
    let mut random = Random::new(seed);
    for step in &network.steps {
        for (name, shape) in expected_of_step(step) {
            let values = fill(&name, &shape, variances[step.x.value], &mut random);
            let half = half && shape.len() == 4;
            checkpoint.put(name, shape, half, &values);
        }
        variances[step.y.value] = variance_after(step, &variances);
    }
    Model::from_checkpoint(checkpoint, &Options::default())
}

fn fill(name: &str, shape: &[usize], variance: f64, random: &mut Random) -> Vec<f32> {
    let count: usize = shape.iter().product();
    match (name.rsplit('.').next().unwrap_or_default(), shape.len()) {
        ("weight", 2 | 4) => {
            let fan: usize = shape[1..].iter().product();
            let limit = (3.0 / fan as f64).sqrt();
            let mut values: Vec<f64> = (0..count).map(|_| limit * random.signed()).collect();
            if fan > 1 {
                for filter in values.chunks_exact_mut(fan) {
                    let mean = filter.iter().sum::<f64>() / fan as f64;
                    filter.iter_mut().for_each(|value| *value -= mean);
                }
            }
            values.iter().map(|&value| value as f32).collect()
        }
        ("weight", _) => vec![1.0; count],
        ("running_var", _) => vec![variance as f32; count],
        _ => vec![0.0; count],
    }
}

/// Of a channel of what a step writes, over pictures and positions: a filter with an even variance of
/// 1 / fan keeps its input's.
fn variance_after(step: &Step, variances: &[f64]) -> f64 {
    /// Part of a normal distribution's variance that ReLU leaves.
    const RECTIFIED: f64 = 0.5 - 0.5 / std::f64::consts::PI;
    let x = variances[step.x.value];
    match &step.op {
        Op::Conv(conv) => {
            let own = if conv.weights.norm.is_some() { 1.0 } else { x };
            let sum = own + conv.add.map_or(0.0, |add| variances[add.value]);
            match conv.activation {
                Activation::None => sum,
                Activation::Relu => sum * RECTIFIED,
                // A gate is about a half everywhere.
                Activation::HardSigmoid => sum / 36.0,
            }
        }
        Op::Add { by } => x + variances[by.value],
        Op::Scale { .. } => x / 4.0,
        Op::Mean | Op::MaxPool | Op::Copy => x,
    }
}

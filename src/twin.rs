//! Networks to hold a model against, with random weights that follow from a seed.
//!
//! Filters have a sum of 0 and an even variance; every batch norm has scale 1, shift 0 and the variance that its
//! input is expected to have, as in training. So each block adds as much as a new network's does, where a
//! batch norm of scale 0 at the end of each block would make all of them the identity.

use crate::arch::regnet::RegNet;
use crate::arch::{Activation, Architecture, Network, Op, Step, View};
use crate::checkpoint::{Checkpoint, Dtype};
use crate::error::{Error, Result};
use crate::fold::expected_of_step;
use crate::model::{Model, Options};
use crate::random::Random;
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
    let mut moments: Vec<_> =
        network.values.iter().map(|value| vec![Moments::UNIT; value.channels]).collect();
    let mut random = Random::new(seed);
    for step in &network.steps {
        let of = |view: View| Moments::mean(&moments[view.value][view.first..view.first + view.channels]);
        for (name, shape) in expected_of_step(step) {
            let values = fill(&name, &shape, of(step.x).variance, &mut random);
            let half = half && shape.len() == 4;
            checkpoint.put(name, shape, half, &values);
        }
        let after = after(step, of);
        moments[step.y.value][step.y.first..step.y.first + step.y.channels].fill(after);
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

/// Expected mean and variance of a channel, over pictures and positions.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    variance: f64,
}

impl Moments {
    const UNIT: Moments = Moments { mean: 0.0, variance: 1.0 };

    fn mean(of: &[Moments]) -> Moments {
        let mean = |f: fn(&Moments) -> f64| of.iter().map(f).sum::<f64>() / of.len() as f64;
        Moments { mean: mean(|m| m.mean), variance: mean(|m| m.variance) }
    }

    fn plus(self, other: Moments) -> Moments {
        Moments { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }

    /// Of max(x, 0) for a normal distribution.
    fn rectified(self) -> Moments {
        let Moments { mean, variance } = self;
        let deviation = variance.sqrt();
        let at = mean / deviation;
        let density = (-0.5 * at * at).exp() / (2.0 * std::f64::consts::PI).sqrt();
        // The part above 0, within a hundredth.
        let above = 1.0 / (1.0 + (-1.702 * at).exp());
        let rectified = mean * above + deviation * density;
        let square = (mean * mean + variance) * above + mean * deviation * density;
        Moments { mean: rectified, variance: square - rectified * rectified }
    }
}

/// Of what a step writes: a filter with a sum of 0 and a variance of 1 / fan keeps its input's variance, and
/// a batch norm makes it 1.
fn after(step: &Step, of: impl Fn(View) -> Moments) -> Moments {
    let x = of(step.x);
    match &step.op {
        Op::Conv(conv) => {
            let own = match conv.weights.norm {
                Some(_) => Moments::UNIT,
                None => Moments { mean: 0.0, ..x },
            };
            let sum = conv.add.map_or(own, |add| own.plus(of(add)));
            match conv.activation {
                Activation::None => sum,
                Activation::Relu => sum.rectified(),
                Activation::HardSigmoid => {
                    Moments { mean: sum.mean / 6.0 + 0.5, variance: sum.variance / 36.0 }
                }
            }
        }
        Op::Add { by } => x.plus(of(*by)),
        // A gate is about a half everywhere.
        Op::Scale { .. } => Moments { mean: x.mean / 2.0, variance: x.variance / 4.0 },
        Op::Mean | Op::MaxPool | Op::Copy => x,
    }
}

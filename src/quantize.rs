//! A model of eight bits from one of floats: weights by output channel, activations by calibration.
//!
//! Every convolution whose weights are worth it is stored as integers with a scale for each output
//! channel, the batch norm folded in. Those that the CPU engine computes in integers also get their
//! input's step and zero, from what their input was on a set of pictures. The first convolution and
//! depthwise ones stay floats; 3 x 3 filters of stride 1 are stored in eight bits and computed in floats,
//! because Winograd's algorithm takes less time than integers do.

use crate::arch::{Activation, Conv, Op, Step};
use crate::checkpoint::{Dtype, NewTensor, write_safetensors};
use crate::config::Config;
use crate::cpu::{Pool, Weights, Workspace};
use crate::error::{Error, Result};
use crate::model::{Model, Options, self_test_input};
use crate::plan::Plan;
use crate::session::{CpuSession, check_input};
use std::collections::BTreeMap;

/// Largest weight, and largest input that is never, or may be, negative.
const WEIGHT_LEVELS: f32 = 127.0;
const LEVELS: f64 = 127.0;
const SIGNED_LEVELS: f64 = 63.0;
/// Largest magnitude that is worth counting: far above what a trained network has, far below where f32 ends.
const LARGEST: f32 = 1e30;
/// What zero becomes in an input that may be negative.
const SIGNED_ZERO: f32 = 64.0;

/// Watches what the convolutions of a model get.
pub struct Calibration<'a> {
    model: &'a Model,
    plan: Plan,
    weights: Weights,
    pool: Pool,
    workspace: Workspace,
    inputs: BTreeMap<String, Histogram>,
}

impl<'a> Calibration<'a> {
    /// Makes the model ready to run at its own input size.
    ///
    /// # Errors
    /// Those of [`Weights::new`], [`Plan::new`] and [`Workspace::new`].
    pub fn new(model: &'a Model, threads: usize) -> Result<Calibration<'a>> {
        let network = model.network(model.input.side, model.input.side)?;
        let plan = Plan::new(&network, &[] as &[&str])?;
        let weights = Weights::new(&network, &model.checkpoint)?;
        let pool = Pool::new(threads);
        let workspace = Workspace::new(&plan, &weights, pool.threads())?;
        Ok(Calibration { model, plan, weights, pool, workspace, inputs: BTreeMap::new() })
    }

    /// Runs one picture, `[3, side, side]` normalised.
    ///
    /// # Errors
    /// [`crate::Error::WrongShape`]; [`crate::Error::BadModel`] where a convolution gets numbers that eight bits
    /// cannot stand for.
    pub fn add(&mut self, image: &[f32]) -> Result<()> {
        let side = self.model.input.side;
        check_input(image, [1, 3, side, side])?;
        self.workspace.set_image(&self.plan, image);
        let mut values = Vec::new();
        for step in &self.plan.steps {
            if let Some(conv) = integer_conv(step) {
                values.clear();
                self.workspace.read(&self.plan, step.x, &mut values);
                let histogram = self.inputs.entry(conv.weights.conv.clone()).or_default();
                if let Some(value) = values.iter().find(|value| value.is_nan() || value.abs() > LARGEST) {
                    return Err(Error::BadModel(format!(
                        "`{}` gets {value:e}, expected numbers up to {LARGEST:e}: the network's numbers grow out of \
                         bounds, check its weights and the pictures' pre-processing",
                        conv.weights.conv
                    )));
                }
                values.iter().for_each(|&value| histogram.add(value));
            }
            self.workspace.run_step(&self.plan, &self.weights, &self.pool, step);
        }
        Ok(())
    }

    /// The model in eight bits, as a safetensors file, with the logits of the self-test's input as this engine's
    /// integers give them.
    ///
    /// # Errors
    /// Those of [`crate::checkpoint::Checkpoint::read`].
    pub fn finish(&self) -> Result<Vec<u8>> {
        let mut tensors = Vec::new();
        for step in &self.plan.steps {
            let Op::Conv(conv) = &step.op else { continue };
            self.store(step, conv, &mut tensors)?;
        }
        let of_floats = &self.model.checkpoint.config;
        let config = Config {
            classes: of_floats.classes.clone(),
            input: Some(self.model.input),
            temperature: of_floats.temperature,
            known: of_floats.known,
            ..Config::of(&self.model.architecture)
        };
        let small = Model::from_bytes(write_safetensors(tensors.clone(), &config), &Options::default())?;
        let side = small.input.side;
        let outputs = CpuSession::new(&small, self.pool.threads())?.run::<&str>(
            &self_test_input(side),
            [1, 3, side, side],
            &[],
        )?;
        Ok(write_safetensors(tensors, &Config { golden: Some(outputs.logits), ..config }))
    }

    fn store(&self, step: &Step, conv: &Conv, tensors: &mut Vec<NewTensor>) -> Result<()> {
        let (checkpoint, key) = (&self.model.checkpoint, &conv.weights.conv);
        if is_kept(step, conv) {
            for (name, shape) in checkpoint.expected_of(step) {
                let values = checkpoint.read(&name)?;
                tensors.push(NewTensor::floats(name, shape, &values));
            }
            return Ok(());
        }
        let folded = checkpoint.folded(conv, step.y.channels)?;
        let filters = folded.weight.chunks_exact(folded.weight.len() / step.y.channels);
        let mut scales = Vec::with_capacity(step.y.channels);
        let mut bytes = Vec::with_capacity(folded.weight.len());
        for filter in filters {
            let largest = filter.iter().fold(0f32, |largest, w| largest.max(w.abs()));
            let scale = if largest > 0.0 { largest / WEIGHT_LEVELS } else { 1.0 };
            bytes.extend(filter.iter().map(|w| (w / scale).round_ties_even() as i8 as u8));
            scales.push(scale);
        }
        let name = format!("{key}.weight");
        let shape = checkpoint.shape(&name).unwrap_or_default().to_vec();
        tensors.push(NewTensor { name, dtype: Dtype::I8, shape, bytes: bytes.into() });
        tensors.push(NewTensor::floats(format!("{key}.scale"), vec![scales.len()], &scales));
        tensors.push(NewTensor::floats(format!("{key}.bias"), vec![scales.len()], &folded.bias));
        if let Some(histogram) = self.inputs.get(key) {
            tensors.push(NewTensor::floats(format!("{key}.input"), vec![2], &histogram.step_and_zero()));
        }
        Ok(())
    }
}

/// The first convolution, whose few weights see the picture itself, and one filter a channel.
fn is_kept(step: &Step, conv: &Conv) -> bool {
    step.x.value == 0 || conv.groups == step.x.channels
}

/// The convolution of a step that is computed in integers.
fn integer_conv(step: &Step) -> Option<&Conv> {
    let Op::Conv(conv) = &step.op else { return None };
    let winograd = conv.kernel == 3 && conv.stride == 1;
    let smooth = conv.activation == Activation::HardSigmoid;
    (!is_kept(step, conv) && !winograd && !smooth && step.x.pixels() > 1).then_some(conv)
}

/// How often numbers of each magnitude were seen.
struct Histogram {
    counts: Vec<u64>,
    /// Magnitude where the bins end; it doubles where it is too small.
    end: f32,
    negative: bool,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; Histogram::BINS], end: 1.0, negative: false }
    }
}

impl Histogram {
    const BINS: usize = 2048;
    /// Thresholds that are tried.
    const TRIES: usize = 256;

    fn add(&mut self, value: f32) {
        let magnitude = value.abs();
        self.negative |= value < 0.0;
        while magnitude >= self.end {
            for bin in 0..Histogram::BINS {
                let pair = 2 * bin;
                self.counts[bin] = self.counts.get(pair..pair + 2).map_or(0, |pair| pair.iter().sum());
            }
            self.end *= 2.0;
        }
        self.counts[(magnitude / self.end * Histogram::BINS as f32) as usize] += 1;
    }

    /// Step and zero of the least squared error: finer steps round less and cut more.
    fn step_and_zero(&self) -> [f32; 2] {
        let (levels, zero) = if self.negative { (SIGNED_LEVELS, SIGNED_ZERO) } else { (LEVELS, 0.0) };
        let width = f64::from(self.end) / Histogram::BINS as f64;
        let error = |threshold: f64| {
            let rounding = (threshold / levels).powi(2) / 12.0;
            let of_bin = |(bin, &count): (usize, &u64)| {
                let beyond = (bin as f64 + 0.5) * width - threshold;
                // Zeros are exact.
                let error = if bin == 0 { 0.0 } else { rounding };
                count as f64 * if beyond > 0.0 { beyond * beyond } else { error }
            };
            self.counts.iter().enumerate().map(of_bin).sum::<f64>()
        };
        let last = self.counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let largest = (last + 1) as f64 * width;
        let thresholds = (1..=Histogram::TRIES).map(|part| largest * part as f64 / Histogram::TRIES as f64);
        let best = thresholds.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(largest);
        [(best / levels) as f32, zero]
    }
}

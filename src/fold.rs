//! Checked weights, folded with their batch norms, one convolution at a time.
//!
//! A checkpoint is held against a network whole; then executors ask for one convolution after the other, so
//! that the f32 form of the weights exists once, in the executor's own layout.

use crate::arch::{Conv, Network, Op, Step};
use crate::checkpoint::{Checkpoint, Dtype, EXAMPLES, Tensor};
use crate::error::{Error, Result};
use std::ops::Range;

/// Added to a batch norm's variance, as in PyTorch.
const EPSILON: f32 = 1e-5;

/// A convolution's weight with the batch norm beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<f32>,
    /// `[channels_out]`
    pub scale: Vec<f32>,
    /// `[channels_out]`
    pub shift: Vec<f32>,
    /// Whether the file has the weight in f16.
    pub half: bool,
}

impl Scaled {
    /// All of it as one array, for the border between two modules: weight, scale, shift, and 1 or 0 for `half`.
    #[must_use]
    pub fn into_numbers(self) -> Vec<f32> {
        [self.weight, self.scale, self.shift, vec![f32::from(u8::from(self.half))]].concat()
    }

    /// What [`Scaled::into_numbers`] made; `None` where they are too few.
    #[must_use]
    pub fn from_numbers(mut numbers: Vec<f32>, channels_out: usize) -> Option<Scaled> {
        let half = numbers.pop()? != 0.0;
        let shift = numbers.split_off(numbers.len().checked_sub(channels_out)?);
        let scale = numbers.split_off(numbers.len().checked_sub(channels_out)?);
        Some(Scaled { weight: numbers, scale, shift, half })
    }
}

#[cfg(feature = "int8")]
/// A convolution's weights of eight bits, and how its input becomes seven:
/// `x -> x / step + zero`, rounded and held to 0..=127.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<i8>,
    /// `[channels_out]`: what a weight is multiplied by.
    pub scale: Vec<f32>,
    /// `[channels_out]`
    pub bias: Vec<f32>,
    /// Distance of neighbouring inputs.
    pub step: f32,
    /// What an input of zero becomes, a whole number.
    pub zero: f32,
}

/// What a batch norm does to a channel, the convolution's bias included.
type ScaleAndShift = (f64, f64);

/// A convolution's weight and bias with the batch norm folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<f32>,
    /// `[channels_out]`
    pub bias: Vec<f32>,
}

/// A convolution with its batch norm folded in, whose weight is read some filters at a time.
pub struct Folding<'a> {
    checkpoint: &'a Checkpoint,
    tensor: &'a Tensor,
    /// Of the weight.
    name: String,
    norm: Vec<ScaleAndShift>,
}

impl Folding<'_> {
    /// `[channels_out]`
    #[must_use]
    pub fn bias(&self) -> Vec<f32> {
        self.norm.iter().map(|&(_, shift)| shift as f32).collect()
    }

    /// Numbers of a filter, `channels_in / groups * kernel * kernel`.
    #[must_use]
    pub fn filter_len(&self) -> usize {
        self.tensor.len() / self.norm.len()
    }

    /// The filters of some output channels, one after the other.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn filters(&self, channels: Range<usize>) -> Result<Vec<f32>> {
        let len = self.filter_len();
        let range = channels.start * len..channels.end * len;
        let mut filters = self.checkpoint.read_part(&self.name, self.tensor, range)?;
        for (filter, &(scale, _)) in filters.chunks_exact_mut(len).zip(&self.norm[channels]) {
            for w in filter {
                *w = (f64::from(*w) * scale) as f32;
            }
        }
        Ok(filters)
    }
}

impl Checkpoint {
    /// Where the last of a step's tensors ends in the file.
    #[cfg(feature = "cpu")]
    pub(crate) fn end_of(&self, step: &Step) -> usize {
        let tensors = self.expected_of(step).into_iter().filter_map(|(name, _)| self.tensors().get(&name));
        tensors.filter_map(Tensor::place).map(|place| place.end).max().unwrap_or(0)
    }

    /// Holds every key, shape and dtype against the network; nothing is converted.
    ///
    /// # Errors
    /// [`Error::WrongKeys`] with all missing and unknown keys, [`Error::WrongTensorShape`],
    /// [`Error::BadModel`] for a dtype that is no float.
    pub fn check(&self, network: &Network) -> Result<()> {
        let expected: Vec<_> = network.steps.iter().flat_map(|step| self.expected_of(step)).collect();
        let missing: Vec<_> = expected
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !self.tensors().contains_key(*name))
            .cloned()
            .collect();
        let unknown: Vec<_> = (self.tensors().keys())
            .filter(|name| {
                !expected.iter().any(|known| known.0 == **name)
                    && !name.ends_with(".num_batches_tracked")
                    && !name.starts_with(EXAMPLES)
            })
            .cloned()
            .collect();
        #[cfg(feature = "read")]
        if let Some((name, kind)) = missing.iter().find_map(|name| self.beside.unread.get_key_value(name)) {
            return Err(Error::BadModel(format!(
                "`{name}` in the checkpoint is {kind}, expected a tensor of F16, BF16, F32 or F64"
            )));
        }
        if !missing.is_empty() || !unknown.is_empty() {
            return Err(Error::WrongKeys { network: network.name.clone(), missing, unknown });
        }
        for (name, shape) in expected {
            let tensor = &self.tensors()[&name];
            if tensor.shape != shape {
                return Err(Error::WrongTensorShape { name, expected: shape, found: tensor.shape.clone() });
            }
            let is_quantized = name.strip_suffix(".weight").is_some_and(|key| self.is_quantized(key));
            if tensor.dtype == Dtype::I64 || (tensor.dtype == Dtype::I8 && !is_quantized) {
                return Err(Error::BadModel(format!(
                    "tensor `{name}` holds integers, expected F16, BF16, F32 or F64"
                )));
            }
        }
        Ok(())
    }

    /// A convolution's weight as it is, with its batch norm (or bias) as a scale and a shift of each
    /// output channel: `scale = gamma / sqrt(variance + 1e-5)`, `shift = (b - mean) * scale + beta`.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn scaled(&self, conv: &Conv, channels_out: usize) -> Result<Scaled> {
        let norm = self.scales_and_shifts(conv, channels_out)?;
        let weight = self.read(&format!("{}.weight", conv.weights.conv))?;
        let (scale, shift) = norm.iter().map(|&(scale, shift)| (scale as f32, shift as f32)).unzip();
        let half = self.dtype(&format!("{}.weight", conv.weights.conv)) == Some(Dtype::F16);
        Ok(Scaled { weight, scale, shift, half })
    }

    /// A convolution's weight and bias with its batch norm folded in: `w' = w * scale`, `b' = shift`
    /// with the scale and shift of [`Checkpoint::scaled`].
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn folded(&self, conv: &Conv, channels_out: usize) -> Result<Folded> {
        let folding = self.folding(conv, channels_out)?;
        Ok(Folded { weight: folding.filters(0..channels_out)?, bias: folding.bias() })
    }

    /// As [`Checkpoint::folded`], but the weight is read some filters at a time, so that it is never whole.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn folding(&self, conv: &Conv, channels_out: usize) -> Result<Folding<'_>> {
        let norm = self.scales_and_shifts(conv, channels_out)?;
        let name = format!("{}.weight", conv.weights.conv);
        Ok(Folding { checkpoint: self, tensor: self.tensor(&name)?, name, norm })
    }

    /// Whether a convolution's weights have eight bits.
    #[must_use]
    pub fn is_quantized(&self, key: &str) -> bool {
        self.dtype(&format!("{key}.weight")) == Some(Dtype::I8)
    }

    #[cfg(feature = "int8")]
    /// Weights that are computed with in integers; none where they are floats or no input's range is known.
    ///
    /// # Errors
    /// As [`Checkpoint::read`]; [`Error::BadModel`] for an impossible range.
    pub fn quantized(&self, conv: &Conv) -> Result<Option<Quantized>> {
        let key = &conv.weights.conv;
        let input = format!("{key}.input");
        if !self.is_quantized(key) || !self.tensors().contains_key(&input) {
            return Ok(None);
        }
        let [step, zero] = self.read(&input)?[..] else { unreachable!("its shape was checked") };
        if !(f32::MIN_POSITIVE..f32::MAX).contains(&step)
            || !(0.0..=127.0).contains(&zero)
            || zero.fract() != 0.0
        {
            return Err(Error::BadModel(format!(
                "tensor `{input}` is [{step}, {zero}], expected a positive step and a whole number from 0 to 127",
            )));
        }
        let weight = self.read(&format!("{key}.weight"))?.into_iter().map(|w| (w as i8).max(-127)).collect();
        let (scale, bias) = (self.read(&format!("{key}.scale"))?, self.read(&format!("{key}.bias"))?);
        Ok(Some(Quantized { weight, scale, bias, step, zero }))
    }

    /// Whether some of the network is computed in integers, by engines that can.
    #[must_use]
    pub fn has_integers(&self) -> bool {
        self.tensors()
            .keys()
            .any(|name| name.strip_suffix(".input").is_some_and(|key| self.is_quantized(key)))
    }

    /// Forgets the inputs' ranges: weights of eight bits are computed with in floats. The golden logits of such a model
    /// are those of the integers, so they are forgotten too.
    pub fn compute_in_floats(&mut self) {
        if !self.has_integers() {
            return;
        }
        self.config.golden = None;
        self.rename(&|name| (!name.ends_with(".input")).then(|| name.to_owned()));
    }

    /// Names and shapes of a convolution's tensors as this checkpoint has them: a classifier may have no bias; where its weights have eight bits, the batch norm is
    /// in their scale and bias.
    #[must_use]
    pub fn expected_of(&self, step: &Step) -> Vec<(String, Vec<usize>)> {
        let mut expected = expected_of_step(step);
        let Op::Conv(Conv { weights, .. }) = &step.op else { return expected };
        let key = &weights.conv;
        // A classifier may have no bias.
        let bias = format!("{key}.bias");
        if weights.matrix && !self.tensors().contains_key(&bias) {
            expected.retain(|(name, _)| *name != bias);
        }
        if self.is_quantized(key) {
            expected.truncate(1);
            expected.extend(["scale", "bias"].map(|part| (format!("{key}.{part}"), vec![step.y.channels])));
            let input = format!("{key}.input");
            if self.tensors().contains_key(&input) {
                expected.push((input, vec![2]));
            }
        }
        expected
    }

    /// Scale and shift of each output channel, in f64: the rounding of numbers that are made once would be in
    /// every number after.
    fn scales_and_shifts(&self, conv: &Conv, channels_out: usize) -> Result<Vec<ScaleAndShift>> {
        let key = &conv.weights.conv;
        if self.is_quantized(key) {
            let (scale, bias) = (self.read(&format!("{key}.scale"))?, self.read(&format!("{key}.bias"))?);
            let widen = |(&scale, &bias): (&f32, &f32)| (f64::from(scale), f64::from(bias));
            return Ok(scale.iter().zip(&bias).map(widen).collect());
        }
        let bias = format!("{key}.bias");
        let bias = match conv.weights.bias && (!conv.weights.matrix || self.tensors().contains_key(&bias)) {
            true => self.read(&bias)?,
            false => vec![0.0; channels_out],
        };
        let Some(norm) = &conv.weights.norm else {
            return Ok(bias.iter().map(|&bias| (1.0, f64::from(bias))).collect());
        };
        let part = |name: &str| self.read(&format!("{norm}.{name}"));
        let (gamma, beta) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        (0..channels_out)
            .map(|o| {
                let scale = f64::from(gamma[o]) / (f64::from(variance[o]) + f64::from(EPSILON)).sqrt();
                if !scale.is_finite() {
                    let (name, value) = (format!("{norm}.running_var"), variance[o].to_string());
                    return Err(Error::NotFinite { name, index: o, value });
                }
                Ok((scale, (f64::from(bias[o]) - f64::from(mean[o])) * scale + f64::from(beta[o])))
            })
            .collect()
    }
}

/// Every tensor a network needs, with its shape, in the order of the steps.
#[must_use]
pub fn expected_tensors(network: &Network) -> Vec<(String, Vec<usize>)> {
    network.steps.iter().flat_map(expected_of_step).collect()
}

/// Those of one step.
pub(crate) fn expected_of_step(step: &Step) -> Vec<(String, Vec<usize>)> {
    let Op::Conv(conv) = &step.op else { return Vec::new() };
    let (channels_out, channels_in) = (step.y.channels, step.x.channels / conv.groups);
    let shape = match conv.weights.matrix {
        true => vec![channels_out, channels_in],
        false => vec![channels_out, channels_in, conv.kernel, conv.kernel],
    };
    let mut tensors = vec![(format!("{}.weight", conv.weights.conv), shape)];
    if conv.weights.bias {
        tensors.push((format!("{}.bias", conv.weights.conv), vec![channels_out]));
    }
    if let Some(norm) = &conv.weights.norm {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{norm}.{part}"), vec![channels_out]));
        }
    }
    tensors
}

//! A model without a part of itself: edits of its weights, so that every engine runs the result.
//!
//! A channel is switched off where it is made: its batch norm's scale and shift become 0, and so do those of
//! what is added to it. Where a block's own input is added, no weight can take it away; there the shift
//! becomes so low that the sum is below 0 for any input, and ReLU makes it 0.

use crate::arch::{Activation, Architecture, Conv, Network, Op, StageKind, Step, TapSource, View};
use crate::error::{Error, Result};
use crate::model::{Model, Options};
use std::collections::BTreeMap;

/// A part to do without.
#[derive(Clone, Debug, PartialEq)]
pub enum Ablation {
    /// The ghost maps of a stage are 0.
    GhostOff {
        /// `layer3`
        stage: String,
    },
    /// Nothing aggregated from the blocks is added to the ghost maps of a stage.
    MergeOff {
        /// `layer3`
        stage: String,
    },
    /// The ghost maps of a stage are `ReLU(weight x + bias)`, with nothing aggregated; x is the output of
    /// block 1, or the part of it that the cheap operation reads.
    GhostFit {
        /// `layer3`
        stage: String,
        /// `[cheap, channels of x]`
        weight: Vec<f32>,
        /// `[cheap]`
        bias: Vec<f32>,
    },
    /// A channel of a tap is 0 for whatever reads it.
    ChannelOff {
        /// A tap that convolutions make.
        tap: String,
        /// From 0.
        channel: usize,
    },
}

/// A shift under which no sum of a network comes near 0.
const FAR_BELOW: f32 = -1e30;

/// A batch norm's variance whose square root is 1 with the epsilon added.
const UNIT_VARIANCE: f32 = 1.0 - 1e-5;

/// The model with all edits made.
///
/// # Errors
/// [`Error::Unsupported`] for a stage that is no ghost stage or has nothing aggregated, and for a channel that
/// no convolution makes; [`Error::WrongShape`] for a fit or a channel that does not belong there;
/// [`Error::UnknownTap`].
pub fn ablate(model: Model, ablations: &[Ablation]) -> Result<Model> {
    let network = model.network(model.input.side, model.input.side)?;
    let architecture = model.architecture.clone();
    let mut edit = Edit { model, network, architecture, tensors: BTreeMap::new(), removed: Vec::new() };
    for ablation in ablations {
        match ablation {
            Ablation::GhostOff { stage } => edit.ghost_off(stage)?,
            Ablation::MergeOff { stage } => {
                let merge = edit.merge(stage)?.ok_or_else(|| {
                    Error::Unsupported(format!("nothing is aggregated in {stage} of this network"))
                })?;
                edit.silence(merge)?;
            }
            Ablation::GhostFit { stage, weight, bias } => edit.ghost_fit(stage, weight, bias)?,
            Ablation::ChannelOff { tap, channel } => edit.channel_off(tap, *channel)?,
        }
    }
    edit.finish()
}

struct Edit {
    model: Model,
    network: Network,
    architecture: Architecture,
    /// Tensors that replace the checkpoint's.
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Tensors that the result is without.
    removed: Vec<String>,
}

impl Edit {
    fn finish(self) -> Result<Model> {
        let config = self.model.config_for(&self.architecture);
        let mut checkpoint = self.model.checkpoint;
        checkpoint.rename(&|name| (!self.removed.iter().any(|removed| removed == name)).then(|| name.into()));
        for (name, (shape, values)) in self.tensors {
            checkpoint.put(name, shape, false, &values);
        }
        checkpoint.config = config;
        Model::from_checkpoint(checkpoint, &Options::default())
    }

    /// Index of the step that makes the ghost maps of a stage.
    fn cheap(&self, stage: &str) -> Result<usize> {
        let known = self.network.stages.iter().find(|known| known.name == stage);
        let path = known.and_then(|known| known.ghost_path.as_ref());
        path.and_then(|path| self.network.steps.iter().position(|step| step.name == path.step)).ok_or_else(
            || {
                let ghosts = (self.network.stages.iter()).filter(|stage| stage.kind == StageKind::Ghost);
                let names: Vec<_> = ghosts.map(|stage| stage.name.as_str()).collect();
                Error::Unsupported(format!(
                    "{stage} is no ghost stage of {}, whose ghost stages are [{}]",
                    self.network.name,
                    names.join(", ")
                ))
            },
        )
    }

    /// What is aggregated for the ghost maps of a stage.
    fn merge(&self, stage: &str) -> Result<Option<View>> {
        Ok(self.conv(self.cheap(stage)?).0.add)
    }

    fn ghost_off(&mut self, stage: &str) -> Result<()> {
        let ghost = self.network.steps[self.cheap(stage)?].y;
        self.silence(ghost)
    }

    fn ghost_fit(&mut self, stage: &str, weight: &[f32], bias: &[f32]) -> Result<()> {
        let index = self.cheap(stage)?;
        let (conv, step) = self.conv(index);
        let (kernel, cheap, reads) = (conv.kernel, step.y.channels, step.x.channels);
        let (key, norm) = (conv.weights.conv.clone(), conv.weights.norm.clone());
        let width = self.network.values[step.y.value].channels;
        let channels_in = [reads, width].into_iter().find(|channels| cheap * channels == weight.len());
        let (Some(channels_in), true) = (channels_in, bias.len() == cheap) else {
            return Err(Error::WrongShape(format!(
                "the fit for {stage} has {} weights and {} biases, expected [{cheap}, {reads}] or [{cheap}, {width}] \
                 and {cheap}",
                weight.len(),
                bias.len()
            )));
        };
        if let Some(value) = weight.iter().chain(bias).find(|value| !value.is_finite()) {
            return Err(Error::WrongShape(format!("the fit for {stage} holds {value}")));
        }
        if let (true, Architecture::RegNet(regnet)) = (channels_in > reads, &mut self.architecture)
            && let Some(ghost) = &mut regnet.ghost
            && let Some(index) = self.network.stages.iter().position(|known| known.name == stage)
        {
            ghost.cheap_reads_all[index] = true;
        }
        if let Some(merge) = self.merge(stage)? {
            self.silence(merge)?;
        }
        // The fit sits in the middle of the filters.
        let taps = kernel * kernel;
        let mut filters = vec![0.0; weight.len() * taps];
        for (filter, &w) in filters.chunks_exact_mut(taps).zip(weight) {
            filter[taps / 2] = w;
        }
        self.put(format!("{key}.weight"), vec![cheap, channels_in, kernel, kernel], filters);
        // Weights of eight bits have a scale of their own and no batch norm.
        self.removed.extend(["scale", "bias", "input"].map(|part| format!("{key}.{part}")));
        if let Some(norm) = norm {
            self.put(format!("{norm}.weight"), vec![cheap], vec![1.0; cheap]);
            self.put(format!("{norm}.bias"), vec![cheap], bias.to_vec());
            self.put(format!("{norm}.running_mean"), vec![cheap], vec![0.0; cheap]);
            self.put(format!("{norm}.running_var"), vec![cheap], vec![UNIT_VARIANCE; cheap]);
        }
        Ok(())
    }

    fn channel_off(&mut self, name: &str, channel: usize) -> Result<()> {
        let tap = self.network.tap(name)?;
        let view = self.network.tap_view(tap);
        if channel >= view.channels {
            return Err(Error::WrongShape(format!(
                "channel {channel} of {name} does not exist, expected 0 to {}",
                view.channels - 1
            )));
        }
        match tap.source {
            TapSource::View(view) => self.silence(view.range(channel, 1)),
            TapSource::BeforeAdd { step } => self.zero_rows(step, channel..channel + 1),
        }
    }

    fn conv(&self, index: usize) -> (&Conv, &Step) {
        let step = &self.network.steps[index];
        match &step.op {
            Op::Conv(conv) => (conv, step),
            _ => unreachable!("asked for convolutions only"),
        }
    }

    /// Makes the channels of a view 0.
    fn silence(&mut self, view: View) -> Result<()> {
        let range = |view: View| view.first..view.first + view.channels;
        let mut left: Vec<usize> = range(view).collect();
        for index in 0..self.network.steps.len() {
            let step = &self.network.steps[index];
            let made = range(step.y);
            if step.y.value != view.value || !left.iter().any(|channel| made.contains(channel)) {
                continue;
            }
            let Op::Conv(conv) = &step.op else {
                return Err(Error::Unsupported(format!(
                    "{} is made by no convolution, so its channels cannot be switched off: choose a tap before or after",
                    step.name
                )));
            };
            let (first, last) = (view.first.max(made.start), (view.first + view.channels).min(made.end));
            let rows = first - made.start..last - made.start;
            left.retain(|channel| !made.contains(channel));
            match conv.add {
                None => self.zero_rows(index, rows)?,
                // What is made for this sum alone can be 0 itself.
                Some(add) if self.only_reader(add) == Some(index) && self.made_by_conv(add) => {
                    self.zero_rows(index, rows.clone())?;
                    self.silence(add.range(rows.start, rows.len()))?;
                }
                Some(_) => self.sink_rows(index, rows)?,
            }
        }
        if let Some(channel) = left.first() {
            let name = &self.network.values[view.value].name;
            return Err(Error::Unsupported(format!("channel {channel} of {name} is made by no convolution")));
        }
        Ok(())
    }

    /// The step that reads a view's value, where there is but one.
    fn only_reader(&self, view: View) -> Option<usize> {
        let steps = self.network.steps.iter().enumerate();
        let mut readers = steps.filter(|(_, step)| step.reads().any(|read| read.value == view.value));
        let (index, _) = readers.next()?;
        readers.next().is_none().then_some(index)
    }

    fn made_by_conv(&self, view: View) -> bool {
        let mut makers = self.network.steps.iter().filter(|step| step.y.value == view.value);
        makers.all(|step| matches!(step.op, Op::Conv(_)))
    }

    /// A convolution's output channels become 0, before what is added.
    fn zero_rows(&mut self, index: usize, rows: std::ops::Range<usize>) -> Result<()> {
        let (conv, step) = self.conv(index);
        if conv.activation == Activation::HardSigmoid {
            return Err(Error::Unsupported(format!("{} is a gate, which no weight makes 0", step.name)));
        }
        let (channels, weights) = (step.y.channels, conv.weights.clone());
        let changed = match self.scale_and_shift(conv) {
            Some(names) => names.to_vec(),
            None if weights.bias => {
                vec![format!("{}.weight", weights.conv), format!("{}.bias", weights.conv)]
            }
            None => vec![format!("{}.weight", weights.conv)],
        };
        for name in changed {
            let values = self.tensor(&name)?;
            let row = values.len() / channels;
            values[rows.start * row..rows.end * row].fill(0.0);
        }
        Ok(())
    }

    /// A convolution's output channels become 0 by its ReLU, whatever is added.
    fn sink_rows(&mut self, index: usize, rows: std::ops::Range<usize>) -> Result<()> {
        let (conv, step) = self.conv(index);
        let (Activation::Relu, Some([scale, shift])) = (conv.activation, self.scale_and_shift(conv)) else {
            return Err(Error::Unsupported(format!(
                "a channel of {} cannot be switched off: it is a sum without a ReLU after it",
                step.name
            )));
        };
        self.tensor(&scale)?[rows.clone()].fill(0.0);
        self.tensor(&shift)?[rows].fill(FAR_BELOW);
        Ok(())
    }

    /// The tensors that scale and shift a convolution's output: weights of eight bits have their own.
    fn scale_and_shift(&self, conv: &Conv) -> Option<[String; 2]> {
        let key = &conv.weights.conv;
        if self.model.checkpoint.is_quantized(key) {
            return Some([format!("{key}.scale"), format!("{key}.bias")]);
        }
        let norm = conv.weights.norm.as_ref()?;
        Some([format!("{norm}.weight"), format!("{norm}.bias")])
    }

    fn put(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(name, (shape, values));
    }

    /// A tensor to change.
    fn tensor(&mut self, name: &str) -> Result<&mut Vec<f32>> {
        if !self.tensors.contains_key(name) {
            let values = self.model.checkpoint.read(name)?;
            let shape = self.model.checkpoint.shape(name).unwrap_or_default().to_vec();
            self.put(name.into(), shape, values);
        }
        Ok(&mut self.tensors.get_mut(name).expect("put there above").1)
    }
}

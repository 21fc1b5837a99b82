//! Networks as data: what is computed, never how.
//!
//! A [`Network`] is a list of [`Step`]s over named [`Value`]s; names are the checkpoint's own, so a
//! weight's key, a step, a GPU pass, a bench row and a tap share one name. A step reads and writes
//! [`View`]s, channel ranges of values, so that the split and the concatenation of a ghost stage are
//! ranges and never copies.
//!
//! The families live in files of their own ([`regnet`], [`resnet`], [`ghostnet`]) and use the
//! few building blocks of `Builder` here.

pub mod ghostnet;
pub mod regnet;
pub mod resnet;

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Index of a value in [`Network::values`].
pub type ValueId = usize;

/// A tensor of one image: `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Name of the step or module that makes it.
    pub name: String,
    /// Number of channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Value {
    /// Elements of one image.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether it has no element; networks have no such value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A channel range of a value: what a step reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The value it is part of.
    pub value: ValueId,
    /// First channel of the range.
    pub first: usize,
    /// Number of channels in the range.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl View {
    /// `channels` channels of this view from `first` on.
    #[must_use]
    pub fn range(self, first: usize, channels: usize) -> View {
        debug_assert!(first + channels <= self.channels);
        View { first: self.first + first, channels, ..self }
    }

    /// Rows x columns.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Elements of one image.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels * self.pixels()
    }

    /// Whether the range is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels == 0
    }
}

/// What is applied to a convolution's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0)
    Relu,
    /// min(max(x + 3, 0), 6) / 6, the gate of squeeze-and-excite.
    HardSigmoid,
}

/// How a convolution's weights are stored and folded.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvWeights {
    /// Key of the weight without `.weight`: `layer3.base.conv1`.
    pub conv: String,
    /// Key of the batch norm folded into it, without `.weight`.
    pub norm: Option<String>,
    /// Whether the convolution has a bias of its own.
    pub bias: bool,
    /// Whether the weight is stored as a matrix `[channels_out, channels_in]` (a fully connected layer).
    pub matrix: bool,
}

/// A convolution: `y = activation(w * x + b + add)` with padding `kernel / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Where its weights come from.
    pub weights: ConvWeights,
    /// Filter side, odd.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Channel groups; equal to the channels for a depthwise convolution.
    pub groups: usize,
    /// Added before the activation: a residual of y's shape, or one number a channel (1 x 1 pixel).
    pub add: Option<View>,
    /// Applied last.
    pub activation: Activation,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution, also every fully connected layer (1 x 1 on one pixel).
    Conv(Conv),
    /// `y[c] = mean of plane c of x`
    Mean,
    /// 3 x 3 maximum with stride 2 and padding 1, where the padding never wins.
    MaxPool,
    /// `y[c, p] = x[c, p] * by[c]`, the channel gate of squeeze-and-excite.
    Scale {
        /// One number a channel.
        by: View,
    },
    /// `y = x`, where a concatenation has a part that is read while another part is written.
    Copy,
    /// `y = x + by`: the residual sum where x is not made by a convolution of its own.
    Add {
        /// Of x's shape.
        by: View,
    },
}

/// One operation with its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The convolution's checkpoint key, or the module's path.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// Input.
    pub x: View,
    /// Output.
    pub y: View,
}

impl Step {
    /// Every view the step reads.
    pub fn reads(&self) -> impl Iterator<Item = View> + use<> {
        let second = match &self.op {
            Op::Conv(conv) => conv.add,
            Op::Scale { by } | Op::Add { by } => Some(*by),
            Op::Mean | Op::MaxPool | Op::Copy => None,
        };
        std::iter::once(self.x).chain(second)
    }

    /// Multiply-accumulate operations for one image: of the convolutions, as papers count them.
    #[must_use]
    pub fn macs(&self) -> u64 {
        match &self.op {
            // In 64 bits from the first factor on: a step of the largest networks has more than 2^32.
            Op::Conv(conv) => {
                self.y.len() as u64 * (self.x.channels / conv.groups * conv.kernel * conv.kernel) as u64
            }
            _ => 0,
        }
    }

    /// Trainable parameters: weight, bias, and scale and shift of the batch norm.
    #[must_use]
    pub fn params(&self) -> u64 {
        match &self.op {
            Op::Conv(conv) => {
                let weights = self.x.channels / conv.groups * conv.kernel * conv.kernel;
                let per_channel =
                    2 * usize::from(conv.weights.norm.is_some()) + usize::from(conv.weights.bias);
                self.y.channels as u64 * (weights + per_channel) as u64
            }
            _ => 0,
        }
    }

    /// Activations in the sense of Radosavovic et al. (2020): the size of a convolution's output.
    #[must_use]
    pub fn activations(&self) -> u64 {
        match &self.op {
            Op::Conv(conv) if !conv.weights.matrix => self.y.len() as u64,
            _ => 0,
        }
    }
}

/// Where a tap's numbers come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TapSource {
    /// A view of a value.
    View(View),
    /// A convolution's output before `add` and activation (after its batch norm).
    BeforeAdd {
        /// Index in [`Network::steps`].
        step: usize,
    },
}

/// A named output that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tap {
    /// Checkpoint module path, such as `layer3.base`.
    pub name: String,
    /// Where it is read.
    pub source: TapSource,
}

/// Whether a stage makes part of its maps by a cheap operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StageKind {
    /// Every block at full width.
    Plain,
    /// Block 1 at full width, the others on `raw` channels, the rest made from block 1.
    Ghost,
}

/// One stage of the network, for people who look at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// `layer1` ... `layer4`
    pub name: String,
    /// Plain or ghost.
    pub kind: StageKind,
    /// Number of blocks.
    pub depth: usize,
    /// Channels of the stage's output.
    pub width: usize,
    /// Channels that pass the inner blocks; the whole width in a plain stage.
    pub raw: usize,
    /// Channels made by the cheap operation; 0 in a plain stage.
    pub cheap: usize,
    /// Rows and columns of the stage's maps.
    pub size: [usize; 2],
    /// Tap of each block's output, block 1 first, block n last.
    pub blocks: Vec<String>,
    /// Tap of what each block adds to its shortcut.
    pub added: Vec<String>,
    /// Taps whose maps have the stage's size, in execution order: any two can be compared position by position.
    pub taps: Vec<String>,
    /// How the ghost maps are made; `None` in a plain stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost_path: Option<GhostPath>,
}

/// How a ghost stage makes its ghost maps, as names of taps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GhostPath {
    /// The convolution that is the cheap operation: a step's name.
    pub step: String,
    /// Channels of block 1 that it reads: the first, and their number.
    pub reads: [usize; 2],
    /// Tap of its result before aggregation and ReLU.
    pub cheap: String,
    /// Tap of what is aggregated from the blocks, one number a ghost map; `None` where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// Tap of the ghost maps.
    pub ghost: String,
    /// Tap of the raw channels after the inner blocks; `None` where there are no raw channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intrinsic: Option<String>,
}

/// A network for one input size, as steps in execution order.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// `g_ghost_regnetx_008`, `resnet34`, ...
    pub name: String,
    /// Number of classes.
    pub classes: usize,
    /// All values; the first is the image.
    pub values: Vec<Value>,
    /// All steps in execution order; the last makes the logits.
    pub steps: Vec<Step>,
    /// The four stages.
    pub stages: Vec<Stage>,
    /// Everything that can be tapped, in execution order.
    pub taps: Vec<Tap>,
}

/// A family of networks with its free numbers: what a checkpoint's shapes or config decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Architecture {
    /// G-Ghost-RegNetX, and plain RegNetX as its special case.
    RegNet(regnet::RegNet),
    /// ResNet, ResNeXt and wide ResNet.
    ResNet(resnet::ResNet),
    /// C-GhostNet (CVPR 2020).
    GhostNet(ghostnet::GhostNet),
}

/// Smallest height and width of an input: five halvings down to one pixel.
pub const MIN_SIDE: usize = 32;
/// Largest height and width of an input.
pub const MAX_SIDE: usize = 4096;
/// Most elements of a value of one image: 1 GiB of f32.
pub const MAX_ELEMENTS: usize = 1 << 28;

impl Network {
    /// The network for inputs of `height` x `width`.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a side outside [`MIN_SIDE`]..=[`MAX_SIDE`],
    /// [`Error::BadModel`] for numbers no network can have,
    /// [`Error::OutOfMemory`] for a value of more than [`MAX_ELEMENTS`].
    pub fn new(architecture: &Architecture, classes: usize, height: usize, width: usize) -> Result<Network> {
        let sides = MIN_SIDE..=MAX_SIDE;
        if !sides.contains(&height) || !sides.contains(&width) {
            return Err(Error::WrongShape(format!(
                "the input is {height} x {width} pixels, expected {MIN_SIDE} to {MAX_SIDE} on each side"
            )));
        }
        if classes == 0 || classes > 1 << 20 {
            return Err(Error::BadModel(format!("{classes} classes, expected 1 to {}", 1 << 20)));
        }
        let builder = Builder::new(classes, height, width);
        let network = match architecture {
            Architecture::RegNet(regnet) => regnet.build(builder),
            Architecture::ResNet(resnet) => resnet.build(builder),
            Architecture::GhostNet(ghostnet) => ghostnet.build(builder),
        }?;
        // In 64 bits, because an address of WebAssembly has 32.
        let elements = |value: &Value| (value.channels as u64) * (value.height * value.width) as u64;
        if let Some(value) = network.values.iter().find(|value| elements(value) > MAX_ELEMENTS as u64) {
            return Err(Error::OutOfMemory(format!(
                "`{}` has {} x {} x {} numbers for an input of {height} x {width} pixels, expected at most \
                 {MAX_ELEMENTS}: use a smaller picture or network",
                value.name, value.channels, value.height, value.width
            )));
        }
        Ok(network)
    }

    /// The input.
    #[must_use]
    pub fn image(&self) -> View {
        self.view(0)
    }

    /// The output: one number a class.
    #[must_use]
    pub fn logits(&self) -> View {
        self.steps.last().map_or_else(|| self.image(), |step| step.y)
    }

    /// The step whose matrix makes the logits, and its convolution.
    ///
    /// # Panics
    /// Never: every network has one.
    #[must_use]
    pub fn classifier(&self) -> (&Step, &Conv) {
        let found = self.steps.iter().rev().find_map(|step| match &step.op {
            Op::Conv(conv) if conv.weights.matrix => Some((step, conv)),
            _ => None,
        });
        found.expect("every network has a classifier")
    }

    /// All channels of a value.
    #[must_use]
    pub fn view(&self, value: ValueId) -> View {
        let Value { channels, height, width, .. } = self.values[value];
        View { value, first: 0, channels, height, width }
    }

    /// The tap of that name.
    ///
    /// # Errors
    /// [`Error::UnknownTap`], which lists what there is.
    pub fn tap(&self, name: &str) -> Result<&Tap> {
        self.taps.iter().find(|tap| tap.name == name).ok_or_else(|| Error::UnknownTap {
            name: name.into(),
            known: self.taps.iter().map(|tap| tap.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The view whose shape a tap has.
    #[must_use]
    pub fn tap_view(&self, tap: &Tap) -> View {
        match tap.source {
            TapSource::View(view) => view,
            TapSource::BeforeAdd { step } => self.steps[step].y,
        }
    }

    /// Multiply-accumulate operations for one image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(Step::macs).sum()
    }

    /// Trainable parameters.
    #[must_use]
    pub fn params(&self) -> u64 {
        self.steps.iter().map(Step::params).sum()
    }

    /// Sum of all convolution outputs for one image.
    #[must_use]
    pub fn activations(&self) -> u64 {
        self.steps.iter().map(Step::activations).sum()
    }
}

/// The convolution being added to a builder: its free numbers, with the rest at their usual value.
pub(crate) struct NewConv {
    name: String,
    norm: Option<String>,
    bias: bool,
    matrix: bool,
    channels_out: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    activation: Activation,
    add: Option<View>,
    into: Option<View>,
}

impl NewConv {
    /// A 1 x 1 convolution with a batch norm and nothing else.
    pub fn pointwise(name: impl Into<String>, norm: impl Into<String>, channels_out: usize) -> NewConv {
        NewConv {
            name: name.into(),
            norm: Some(norm.into()),
            bias: false,
            matrix: false,
            channels_out,
            kernel: 1,
            stride: 1,
            groups: 1,
            activation: Activation::None,
            add: None,
            into: None,
        }
    }

    /// A `kernel` x `kernel` convolution in groups, with a batch norm.
    pub fn spatial(
        name: impl Into<String>,
        norm: impl Into<String>,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> NewConv {
        NewConv { kernel, stride, groups, ..NewConv::pointwise(name, norm, channels_out) }
    }

    /// A fully connected layer with a bias, on one pixel.
    pub fn linear(name: impl Into<String>, channels_out: usize) -> NewConv {
        NewConv { norm: None, bias: true, matrix: true, ..NewConv::pointwise(name, "", channels_out) }
    }

    /// A 1 x 1 convolution with a bias and no batch norm.
    pub fn biased(name: impl Into<String>, channels_out: usize) -> NewConv {
        NewConv { matrix: false, ..NewConv::linear(name, channels_out) }
    }

    pub fn stride(self, stride: usize) -> NewConv {
        NewConv { stride, ..self }
    }

    pub fn relu(self) -> NewConv {
        self.activation(Activation::Relu)
    }

    pub fn activation(self, activation: Activation) -> NewConv {
        NewConv { activation, ..self }
    }

    /// Adds a residual or one number a channel before the activation.
    pub fn add(self, add: View) -> NewConv {
        NewConv { add: Some(add), ..self }
    }

    /// Writes to a range that exists instead of a new value.
    pub fn into(self, into: Option<View>) -> NewConv {
        NewConv { into, ..self }
    }
}

/// A bottleneck block: 1 x 1, grouped 3 x 3 and 1 x 1 convolutions around a shortcut.
pub(crate) struct Bottleneck<'a> {
    pub path: &'a str,
    /// Channels of the 3 x 3 convolution.
    pub inner: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Of the 3 x 3 convolution.
    pub stride: usize,
    pub groups: usize,
    /// Whether the shortcut is a convolution (of another width or stride) instead of the input.
    pub project: bool,
    /// Range to write to instead of a new value.
    pub into: Option<View>,
}

/// Grows a network step by step.
pub(crate) struct Builder {
    network: Network,
    /// The stage that is being built.
    stage: StageSoFar,
}

/// What a stage's blocks have said of themselves.
#[derive(Default)]
struct StageSoFar {
    /// Number of taps before its first block.
    first_tap: usize,
    blocks: Vec<String>,
    added: Vec<String>,
}

impl Builder {
    fn new(classes: usize, height: usize, width: usize) -> Builder {
        let mut builder = Builder {
            network: Network {
                name: String::new(),
                classes,
                values: Vec::new(),
                steps: Vec::new(),
                stages: Vec::new(),
                taps: Vec::new(),
            },
            stage: StageSoFar::default(),
        };
        builder.value("image", 3, height, width);
        builder
    }

    pub fn image(&self) -> View {
        self.network.image()
    }

    pub fn value(&mut self, name: &str, channels: usize, height: usize, width: usize) -> View {
        self.network.values.push(Value { name: name.into(), channels, height, width });
        self.network.view(self.network.values.len() - 1)
    }

    pub fn tap(&mut self, name: impl Into<String>, view: View) {
        self.network.taps.push(Tap { name: name.into(), source: TapSource::View(view) });
    }

    /// A tap on the last step's sum before `add` and activation.
    pub fn tap_before_add(&mut self, name: impl Into<String>) {
        let step = self.network.steps.len() - 1;
        self.network.taps.push(Tap { name: name.into(), source: TapSource::BeforeAdd { step } });
    }

    fn step(&mut self, name: String, op: Op, x: View, y: View) -> View {
        self.network.steps.push(Step { name, op, x, y });
        y
    }

    /// Adds the convolution and a tap of its name: its output after batch norm and activation, but
    /// before the sum where something is added.
    pub fn conv(&mut self, x: View, new: NewConv) -> View {
        let y = new.into.unwrap_or_else(|| {
            let (height, width) = (x.height.div_ceil(new.stride), x.width.div_ceil(new.stride));
            self.value(&new.name, new.channels_out, height, width)
        });
        let weights =
            ConvWeights { conv: new.name.clone(), norm: new.norm, bias: new.bias, matrix: new.matrix };
        let NewConv { kernel, stride, groups, add, activation, name, .. } = new;
        self.step(name.clone(), Op::Conv(Conv { weights, kernel, stride, groups, add, activation }), x, y);
        match add {
            Some(_) => self.tap_before_add(name),
            None => self.tap(name, y),
        }
        y
    }

    pub fn mean(&mut self, name: impl Into<String>, x: View, into: Option<View>) -> View {
        let name = name.into();
        let y = into.unwrap_or_else(|| self.value(&name, x.channels, 1, 1));
        self.step(name, Op::Mean, x, y)
    }

    pub fn max_pool(&mut self, name: impl Into<String>, x: View) -> View {
        let name = name.into();
        let y = self.value(&name, x.channels, x.height.div_ceil(2), x.width.div_ceil(2));
        self.tap(name.clone(), y);
        self.step(name, Op::MaxPool, x, y)
    }

    pub fn scale(&mut self, name: impl Into<String>, x: View, by: View) -> View {
        let name = name.into();
        let y = self.value(&name, x.channels, x.height, x.width);
        self.tap(name.clone(), y);
        self.step(name, Op::Scale { by }, x, y)
    }

    pub fn add(&mut self, name: impl Into<String>, x: View, by: View) -> View {
        let name = name.into();
        let y = self.value(&name, x.channels, x.height, x.width);
        self.step(name, Op::Add { by }, x, y)
    }

    pub fn copy(&mut self, name: impl Into<String>, x: View, into: View) -> View {
        self.step(name.into(), Op::Copy, x, into)
    }

    /// A block's shortcut: a strided 1 x 1 convolution where `project`, else the input.
    pub fn shortcut(&mut self, x: View, path: &str, channels: usize, stride: usize, project: bool) -> View {
        if !project {
            return x;
        }
        let at = |name: &str| format!("{path}.downsample.{name}");
        self.conv(x, NewConv::pointwise(at("0"), at("1"), channels).stride(stride))
    }

    /// A bottleneck block and a tap of its output.
    pub fn bottleneck(&mut self, x: View, block: &Bottleneck) -> View {
        let &Bottleneck { path, inner, channels, stride, groups, project, into } = block;
        let at = |name: &str| format!("{path}.{name}");
        let shortcut = self.shortcut(x, path, channels, stride, project);
        let y = self.conv(x, NewConv::pointwise(at("conv1"), at("bn1"), inner).relu());
        let y = self.conv(y, NewConv::spatial(at("conv2"), at("bn2"), inner, 3, stride, groups).relu());
        let last = NewConv::pointwise(at("conv3"), at("bn3"), channels).relu().add(shortcut).into(into);
        let y = self.conv(y, last);
        self.end_block(path, at("conv3"), y);
        y
    }

    /// What follows belongs to a stage, until [`Builder::end_stage`].
    pub fn begin_stage(&mut self) {
        self.stage = StageSoFar { first_tap: self.network.taps.len(), ..StageSoFar::default() };
    }

    /// The end of a block: taps its output, and notes it with the tap of what it adds to its shortcut.
    pub fn end_block(&mut self, path: &str, added: String, y: View) {
        self.tap(path, y);
        self.stage.blocks.push(path.into());
        self.stage.added.push(added);
    }

    /// A stage of the blocks since [`Builder::begin_stage`]; its maps have the size of `y`. The taps of a ghost
    /// stage come with its numbers of raw and of ghost maps.
    pub fn end_stage(
        &mut self,
        name: &str,
        depth: usize,
        y: View,
        ghosts: Option<(usize, usize, GhostPath)>,
    ) {
        let StageSoFar { first_tap, blocks, added } = std::mem::take(&mut self.stage);
        let size = [y.height, y.width];
        let has_size = |tap: &&Tap| {
            let view = self.network.tap_view(tap);
            [view.height, view.width] == size
        };
        let taps = self.network.taps[first_tap..].iter().filter(has_size).map(|tap| tap.name.clone());
        let taps: Vec<_> = taps.collect();
        let kind = if ghosts.is_some() { StageKind::Ghost } else { StageKind::Plain };
        let (raw, cheap, ghost_path) = match ghosts {
            Some((raw, cheap, path)) => (raw, cheap, Some(path)),
            None => (y.channels, 0, None),
        };
        let name = name.into();
        let width = y.channels;
        self.network.stages.push(Stage {
            name,
            kind,
            depth,
            width,
            raw,
            cheap,
            size,
            blocks,
            added,
            taps,
            ghost_path,
        });
    }

    /// The pooled features and the classifier, named as in the RegNet and ResNet checkpoints.
    pub fn finish(mut self, name: String, x: View) -> Network {
        let pooled = self.mean("avgpool", x, None);
        self.tap("avgpool", pooled);
        let classes = self.network.classes;
        self.finish_with(name, pooled, NewConv::linear("fc", classes))
    }

    /// The classifier alone.
    pub fn finish_with(mut self, name: String, x: View, classifier: NewConv) -> Network {
        let logits = self.conv(x, classifier);
        self.tap("logits", logits);
        self.network.name = name;
        self.network
    }

    pub fn classes(&self) -> usize {
        self.network.classes
    }
}

/// Checks that a number read from a config or from shapes is one that a network can have, before
/// anything is built from it.
pub(crate) fn check_extent(what: &str, found: usize, at_most: usize) -> Result<()> {
    if found == 0 || found > at_most {
        return Err(Error::BadModel(format!("{what} is {found}, expected 1 to {at_most}")));
    }
    Ok(())
}

/// Deepest stage that is accepted.
pub(crate) const MAX_DEPTH: usize = 64;
/// Widest layer that is accepted.
pub const MAX_WIDTH: usize = 1 << 14;

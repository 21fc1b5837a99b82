//! C-GhostNet (CVPR 2020), with the authors' and timm's key names: the paper's CPU half, where the
//! ghost maps are made inside one layer by depthwise convolutions.

use super::{Activation, Builder, Network, NewConv, View};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A GhostNet of some width multiplier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GhostNet {
    /// Width multiplier: 0.5, 1.0 or 1.3.
    pub width: f64,
}

/// A bottleneck's row in the paper's table.
struct Row {
    kernel: usize,
    expansion: usize,
    channels: usize,
    /// Ratio of the squeeze-and-excite's hidden width; 0 for none.
    squeeze: f64,
    stride: usize,
}

const fn row(kernel: usize, expansion: usize, channels: usize, squeeze: f64, stride: usize) -> Row {
    Row { kernel, expansion, channels, squeeze, stride }
}

/// The paper's table 1, in the blocks of the authors' code.
const ROWS: &[&[Row]] = &[
    &[row(3, 16, 16, 0.0, 1)],
    &[row(3, 48, 24, 0.0, 2)],
    &[row(3, 72, 24, 0.0, 1)],
    &[row(5, 72, 40, 0.25, 2)],
    &[row(5, 120, 40, 0.25, 1)],
    &[row(3, 240, 80, 0.0, 2)],
    &[
        row(3, 200, 80, 0.0, 1),
        row(3, 184, 80, 0.0, 1),
        row(3, 184, 80, 0.0, 1),
        row(3, 480, 112, 0.25, 1),
        row(3, 672, 112, 0.25, 1),
    ],
    &[row(5, 672, 160, 0.25, 2)],
    &[
        row(5, 960, 160, 0.0, 1),
        row(5, 960, 160, 0.25, 1),
        row(5, 960, 160, 0.0, 1),
        row(5, 960, 160, 0.25, 1),
    ],
];

/// Rounds to a multiple of `divisor`, never below 90% of the number, as in the authors' code.
fn make_divisible(channels: f64, divisor: usize) -> usize {
    let rounded = (((channels + divisor as f64 / 2.0) as usize) / divisor * divisor).max(divisor);
    if (rounded as f64) < 0.9 * channels { rounded + divisor } else { rounded }
}

impl GhostNet {
    /// `ghostnet_100` for width 1.0.
    #[must_use]
    pub fn name(&self) -> String {
        format!("ghostnet_{:03}", (self.width * 100.0).round() as u64)
    }

    /// Channels of the stem's output.
    #[must_use]
    pub fn stem_channels(&self) -> usize {
        make_divisible(16.0 * self.width, 4)
    }

    pub(super) fn build(&self, mut builder: Builder) -> Result<Network> {
        if !(0.1..=8.0).contains(&self.width) {
            return Err(Error::BadModel(format!(
                "the width multiplier is {}, expected 0.1 to 8",
                self.width
            )));
        }
        let scaled = |channels: usize| make_divisible(channels as f64 * self.width, 4);
        let image = builder.image();
        let stem = NewConv::spatial("conv_stem", "bn1", self.stem_channels(), 3, 2, 1).relu();
        let mut x = builder.conv(image, stem);
        for (index, rows) in ROWS.iter().enumerate() {
            let stage_path = format!("blocks.{index}");
            builder.begin_stage();
            for (i, row) in rows.iter().enumerate() {
                let path = format!("{stage_path}.{i}");
                x = bottleneck(&mut builder, x, &path, row, scaled(row.expansion), scaled(row.channels));
            }
            builder.end_stage(&stage_path, rows.len(), x, None);
        }
        let expanded = scaled(960);
        x = builder.conv(x, NewConv::pointwise("blocks.9.0.conv", "blocks.9.0.bn1", expanded).relu());
        let pooled = builder.mean("global_pool", x, None);
        builder.tap("avgpool", pooled);
        let head = builder.conv(pooled, NewConv::biased("conv_head", 1280).relu());
        let classes = builder.classes();
        Ok(builder.finish_with(self.name(), head, NewConv::linear("classifier", classes)))
    }
}

/// Expansion by a ghost module, depthwise stride, squeeze-and-excite, projection by a ghost module.
fn bottleneck(
    builder: &mut Builder,
    x: View,
    path: &str,
    row: &Row,
    expansion: usize,
    channels: usize,
) -> View {
    let at = |name: &str| format!("{path}.{name}");
    let &Row { kernel, stride, squeeze, .. } = row;
    let mut y = ghost_module(builder, x, &at("ghost1"), expansion, Activation::Relu);
    if stride > 1 {
        y = builder
            .conv(y, NewConv::spatial(at("conv_dw"), at("bn_dw"), expansion, kernel, stride, expansion));
    }
    if squeeze > 0.0 {
        let hidden = make_divisible(expansion as f64 * squeeze, 4);
        let mean = builder.mean(at("se.mean"), y, None);
        let gate = builder.conv(mean, NewConv::biased(at("se.conv_reduce"), hidden).relu());
        let expand = NewConv::biased(at("se.conv_expand"), expansion).activation(Activation::HardSigmoid);
        let gate = builder.conv(gate, expand);
        y = builder.scale(at("se"), y, gate);
    }
    let y = ghost_module(builder, y, &at("ghost2"), channels, Activation::None);
    let shortcut = if stride == 1 && x.channels == channels {
        x
    } else {
        let depthwise =
            NewConv::spatial(at("shortcut.0"), at("shortcut.1"), x.channels, kernel, stride, x.channels);
        let depthwise = builder.conv(x, depthwise);
        builder.conv(depthwise, NewConv::pointwise(at("shortcut.2"), at("shortcut.3"), channels))
    };
    let y = builder.add(path, y, shortcut);
    builder.end_block(path, at("ghost2"), y);
    y
}

/// Half of the channels by a 1 x 1 convolution, the other half from them by a depthwise 3 x 3.
fn ghost_module(builder: &mut Builder, x: View, path: &str, channels: usize, activation: Activation) -> View {
    let at = |name: &str| format!("{path}.{name}");
    let intrinsic = channels.div_ceil(2);
    // The authors compute 2 * intrinsic maps and keep the first `channels`; all published widths are even.
    let cat = builder.value(&at("cat"), 2 * intrinsic, x.height, x.width);
    let primary =
        NewConv::pointwise(at("primary_conv.0"), at("primary_conv.1"), intrinsic).activation(activation);
    let primary = builder.conv(x, primary);
    builder.copy(at("intrinsic"), primary, cat.range(0, intrinsic));
    let cheap =
        NewConv::spatial(at("cheap_operation.0"), at("cheap_operation.1"), intrinsic, 3, 1, intrinsic);
    builder.conv(primary, cheap.activation(activation).into(Some(cat.range(intrinsic, intrinsic))));
    let y = cat.range(0, channels);
    builder.tap(path, y);
    y
}

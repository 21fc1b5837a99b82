//! G-Ghost-RegNetX in all its forms, and plain RegNetX.
//!
//! The released form follows the authors' code (`g_ghost_regnet.py`), which differs from the paper's
//! figure: `layer1` is always plain and the others are ghost stages only if deeper than two blocks;
//! block 1's output is split, one part for the inner blocks and the other for the cheap operation;
//! the aggregation covers block 1 too and has two layers; block n follows the concatenation.

use super::{Bottleneck, Builder, GhostPath, MAX_DEPTH, MAX_WIDTH, Network, NewConv, View, check_extent};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which form of the ghost stage a network has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// The authors' released code.
    #[default]
    Released,
    /// The paper's figure: block 1's whole output feeds the cheap operation, one fully connected
    /// layer aggregates blocks 2..n, and the concatenation is the stage's output.
    Paper,
}

/// How ghost stages make their cheap part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ghost {
    /// Released or paper form.
    pub form: Form,
    /// Whether one number a channel, aggregated from the blocks' means, is added to the ghost maps.
    pub aggregation: bool,
    /// Filter side of the cheap operation: 1, 3 or 5.
    pub cheap_kernel: usize,
    /// Ghost ratio of each stage before rounding, 0 (plain) to 1.
    pub cheap_ratio: [f64; 4],
    /// Whether the cheap operation of each stage reads block 1 whole, as it always does in the paper's form.
    pub cheap_reads_all: [bool; 4],
}

impl Default for Ghost {
    fn default() -> Ghost {
        Ghost {
            form: Form::Released,
            aggregation: true,
            cheap_kernel: 1,
            cheap_ratio: [0.5; 4],
            cheap_reads_all: [false; 4],
        }
    }
}

/// A RegNetX: four stages of bottleneck blocks with grouped 3 x 3 convolutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegNet {
    /// Blocks of each stage.
    pub depths: [usize; 4],
    /// Channels of each stage.
    pub widths: [usize; 4],
    /// Channels of a group of the 3 x 3 convolutions.
    pub group_width: usize,
    /// `None` for a plain RegNetX.
    pub ghost: Option<Ghost>,
}

/// The twelve published sizes: name, depths, widths, group width.
pub const VARIANTS: [(&str, [usize; 4], [usize; 4], usize); 12] = [
    ("002", [1, 1, 4, 7], [24, 56, 152, 368], 8),
    ("004", [1, 2, 7, 12], [32, 64, 160, 384], 16),
    ("006", [1, 3, 5, 7], [48, 96, 240, 528], 24),
    ("008", [1, 3, 7, 5], [64, 128, 288, 672], 16),
    ("016", [2, 4, 10, 2], [72, 168, 408, 912], 24),
    ("032", [2, 6, 15, 2], [96, 192, 432, 1008], 48),
    ("040", [2, 5, 14, 2], [80, 240, 560, 1360], 40),
    ("064", [2, 4, 10, 1], [168, 392, 784, 1624], 56),
    ("080", [2, 5, 15, 1], [80, 240, 720, 1920], 120),
    ("120", [2, 5, 11, 1], [224, 448, 896, 2240], 112),
    ("160", [2, 6, 13, 1], [256, 512, 896, 2048], 128),
    ("320", [2, 7, 13, 1], [336, 672, 1344, 2520], 168),
];

impl RegNet {
    /// A published G-Ghost-RegNetX by its number, such as `008`.
    #[must_use]
    pub fn variant(number: &str) -> Option<RegNet> {
        let (_, depths, widths, group_width) = *VARIANTS.iter().find(|variant| variant.0 == number)?;
        Some(RegNet { depths, widths, group_width, ghost: Some(Ghost::default()) })
    }

    /// torchvision's `regnet_x_400mf`, whose last stage is wider than 004's in the authors' code and timm.
    #[must_use]
    pub fn torchvision_400mf() -> RegNet {
        RegNet { depths: [1, 2, 7, 12], widths: [32, 64, 160, 400], group_width: 16, ghost: None }
    }

    /// `g_ghost_regnetx_008` or `regnetx_008` for the published sizes, with `_custom` for others.
    #[must_use]
    pub fn name(&self) -> String {
        if *self == RegNet::torchvision_400mf() {
            return "regnet_x_400mf".into();
        }
        let family = if self.ghost.is_some() { "g_ghost_regnetx" } else { "regnetx" };
        let published = VARIANTS.iter().find(|(_, depths, widths, group_width)| {
            (*depths, *widths, *group_width) == (self.depths, self.widths, self.group_width)
                && self.ghost.as_ref().is_none_or(|ghost| *ghost == Ghost::default())
        });
        format!("{family}_{}", published.map_or("custom", |variant| variant.0))
    }

    /// Group width of the inner blocks of a ghost stage.
    fn inner_group_width(&self) -> usize {
        self.group_width * 3 / 4
    }

    /// Channels that pass the inner blocks of stage `index`, a multiple of the inner group width;
    /// `None` where the stage is plain.
    pub(crate) fn raw(&self, index: usize) -> Option<usize> {
        let ghost = self.ghost.as_ref()?;
        if index == 0 || self.depths[index] <= 2 {
            return None;
        }
        let inner = self.inner_group_width();
        // In the order and precision of the released code: int(c * (1 - ratio) / inner) * inner.
        let groups = (self.widths[index] as f64 * (1.0 - ghost.cheap_ratio[index]) / inner as f64) as usize;
        let raw = groups * inner;
        (ghost.cheap_ratio[index] > 0.0 && raw < self.widths[index]).then_some(raw)
    }

    fn check(&self) -> Result<()> {
        check_extent("the group width", self.group_width, MAX_WIDTH)?;
        for (index, (&depth, &width)) in self.depths.iter().zip(&self.widths).enumerate() {
            check_extent(&format!("the depth of stage {}", index + 1), depth, MAX_DEPTH)?;
            check_extent(&format!("the width of stage {}", index + 1), width, MAX_WIDTH)?;
            let group_width = self.group_width.min(width);
            if width % group_width != 0 {
                return Err(Error::BadModel(format!(
                    "the width {width} of stage {} is no multiple of the group width {group_width}",
                    index + 1
                )));
            }
        }
        let Some(ghost) = &self.ghost else { return Ok(()) };
        if !matches!(ghost.cheap_kernel, 1 | 3 | 5) {
            return Err(Error::BadModel(format!(
                "the cheap kernel is {}, expected 1, 3 or 5",
                ghost.cheap_kernel
            )));
        }
        if ghost.cheap_ratio.iter().any(|ratio| !(0.0..=1.0).contains(ratio)) {
            return Err(Error::BadModel(format!(
                "the ghost ratios are {:?}, expected 0 to 1",
                ghost.cheap_ratio
            )));
        }
        if self.inner_group_width() == 0 {
            return Err(Error::BadModel(format!(
                "the group width is {}, too small for a ghost stage, whose inner blocks have three quarters of it",
                self.group_width
            )));
        }
        Ok(())
    }

    pub(super) fn build(&self, mut builder: Builder) -> Result<Network> {
        self.check()?;
        let image = builder.image();
        let mut x = builder.conv(image, NewConv::spatial("conv1", "bn1", 32, 3, 2, 1).relu());
        for index in 0..4 {
            let path = format!("layer{}", index + 1);
            x = match self.raw(index) {
                None => self.plain_stage(&mut builder, &path, index, x),
                Some(raw) => self.ghost_stage(&mut builder, &path, index, raw, x),
            };
        }
        Ok(builder.finish(self.name(), x))
    }

    fn plain_stage(&self, builder: &mut Builder, path: &str, index: usize, mut x: View) -> View {
        let (depth, channels, group_width) = (self.depths[index], self.widths[index], self.group_width);
        builder.begin_stage();
        for i in 0..depth {
            let path = &format!("{path}.{i}");
            let (stride, project) = if i == 0 { (2, true) } else { (1, false) };
            x = builder.bottleneck(x, &bottleneck(path, channels, stride, group_width, project));
        }
        builder.end_stage(path, depth, x, None);
        x
    }

    fn ghost_stage(&self, builder: &mut Builder, path: &str, index: usize, raw: usize, x: View) -> View {
        let ghost = self.ghost.clone().unwrap_or_default();
        let (depth, width, group_width) = (self.depths[index], self.widths[index], self.group_width);
        let at = |name: &str| format!("{path}.{name}");
        let cheap = width - raw;
        let released = ghost.form == Form::Released;
        // In the paper's form every block after the first works on the raw channels only.
        let inner_blocks = if raw == 0 { 0 } else { depth - if released { 2 } else { 1 } };

        builder.begin_stage();
        let base_path = at("base");
        let base = builder.bottleneck(x, &bottleneck(&base_path, width, 2, group_width, true));
        let cat = builder.value(&at("cat"), width, base.height, base.width);
        // Every aggregated mean is written to its range of one vector.
        let first = if released { width } else { 0 };
        let aggregated = first + raw * inner_blocks;
        let means =
            (ghost.aggregation && aggregated > 0).then(|| builder.value(&at("means"), aggregated, 1, 1));
        if let (Some(means), true) = (means, released) {
            builder.mean(at("base.mean"), base, Some(means.range(0, width)));
        }

        let mut intrinsic = base.range(0, raw);
        let mut intrinsic_tap = None;
        for i in 0..inner_blocks {
            let path = at(&format!("layers.{i}"));
            let into = (i + 1 == inner_blocks).then(|| cat.range(0, raw));
            let inner = bottleneck(&path, raw, 1, self.inner_group_width(), false);
            intrinsic = builder.bottleneck(intrinsic, &Bottleneck { into, ..inner });
            if let Some(means) = means {
                builder.mean(format!("{path}.mean"), intrinsic, Some(means.range(first + raw * i, raw)));
            }
            intrinsic_tap = Some(path);
        }

        let merge = means.map(|means| {
            let merge = if released {
                let hidden =
                    builder.conv(means, NewConv::pointwise(at("merge.1"), at("merge.2"), cheap).relu());
                builder.conv(hidden, NewConv::pointwise(at("merge.4"), at("merge.5"), cheap))
            } else {
                builder.conv(means, NewConv::biased(at("merge.1"), cheap))
            };
            builder.tap(at("merge"), merge);
            merge
        });
        let reads_all = !released || ghost.cheap_reads_all[index];
        let source = if reads_all { base } else { base.range(raw, cheap) };
        let mut operation =
            NewConv::spatial(at("cheap.0"), at("cheap.1"), cheap, ghost.cheap_kernel, 1, 1).relu();
        operation = operation.into(Some(cat.range(raw, cheap)));
        // A zero addend would cost nothing to read, but without aggregation there is none to name.
        if let Some(merge) = merge {
            operation = operation.add(merge);
        }
        let ghost_maps = builder.conv(source, operation);
        builder.tap_before_add(at("cheap"));
        builder.tap(at("ghost"), ghost_maps);
        builder.tap(at("cat"), cat);

        let output = if released {
            let end = at("end");
            builder.bottleneck(cat, &bottleneck(&end, width, 1, group_width, false))
        } else {
            cat
        };
        let ghost_path = GhostPath {
            step: at("cheap.0"),
            reads: [source.first, source.channels],
            cheap: at("cheap"),
            merge: merge.map(|_| at("merge")),
            ghost: at("ghost"),
            intrinsic: intrinsic_tap,
        };
        builder.end_stage(path, depth, output, Some((raw, cheap, ghost_path)));
        output
    }
}

/// A RegNetX's block, as wide inside as outside.
fn bottleneck(
    path: &str,
    channels: usize,
    stride: usize,
    group_width: usize,
    project: bool,
) -> Bottleneck<'_> {
    let groups = channels / group_width.min(channels);
    Bottleneck { path, inner: channels, channels, stride, groups, project, into: None }
}

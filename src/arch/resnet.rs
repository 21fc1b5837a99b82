//! ResNet, ResNeXt and wide ResNet, with torchvision's key names. ResNet-34 is the network of the paper's motivating
//! figure.
//!
//! A bottleneck block has its stride in the 3 x 3 convolution, as in torchvision and timm. The first ResNets (Caffe)
//! have it in the 1 x 1 convolution before; keys and shapes are the same, so nothing tells the two apart.

use super::{Bottleneck, Builder, MAX_DEPTH, MAX_WIDTH, Network, NewConv, View, check_extent};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a ResNet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stem {
    /// A 7 x 7 convolution of stride 2 and a max pool.
    #[default]
    ImageNet,
    /// A 3 x 3 convolution of stride 1 and no max pool, for pictures of 32 x 32 pixels.
    Cifar,
    /// A 3 x 3 convolution of stride 1 and a max pool: the same keys and shapes as without.
    CifarPool,
}

impl Stem {
    /// What it adds to a network's name.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Stem::ImageNet => "",
            Stem::Cifar => "_cifar",
            Stem::CifarPool => "_cifar_pool",
        }
    }

    /// A network's name without what its stem adds, and the stem.
    pub(crate) fn split(name: &str) -> (&str, Stem) {
        [Stem::CifarPool, Stem::Cifar]
            .into_iter()
            .find_map(|stem| Some((name.strip_suffix(stem.suffix())?, stem)))
            .unwrap_or((name, Stem::ImageNet))
    }
}

/// The inside of bottleneck blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inner {
    /// Channels of the first stage's 3 x 3 convolutions; doubled from stage to stage.
    pub width: usize,
    /// Groups of the 3 x 3 convolutions.
    pub groups: usize,
}

/// A ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResNet {
    /// Blocks of each stage.
    pub depths: [usize; 4],
    /// Channels of the stem; doubled from stage to stage.
    pub width: usize,
    /// Blocks of three convolutions, which have four times the channels outside; `None` for basic blocks, of two.
    pub inner: Option<Inner>,
    /// How it begins.
    pub stem: Stem,
}

/// Name, depths, and width and groups inside a bottleneck.
type Size = (&'static str, [usize; 4], Option<(usize, usize)>);

/// Published sizes, all with a stem of 64 channels.
pub const SIZES: [Size; 13] = [
    ("resnet18", [2, 2, 2, 2], None),
    ("resnet34", [3, 4, 6, 3], None),
    ("resnet26", [2, 2, 2, 2], Some((64, 1))),
    ("resnet50", [3, 4, 6, 3], Some((64, 1))),
    ("resnet101", [3, 4, 23, 3], Some((64, 1))),
    ("resnet152", [3, 8, 36, 3], Some((64, 1))),
    ("resnext50_32x4d", [3, 4, 6, 3], Some((128, 32))),
    ("resnext101_32x4d", [3, 4, 23, 3], Some((128, 32))),
    ("resnext101_32x8d", [3, 4, 23, 3], Some((256, 32))),
    ("resnext101_32x16d", [3, 4, 23, 3], Some((512, 32))),
    ("resnext101_64x4d", [3, 4, 23, 3], Some((256, 64))),
    ("wide_resnet50_2", [3, 4, 6, 3], Some((128, 1))),
    ("wide_resnet101_2", [3, 4, 23, 3], Some((128, 1))),
];

impl ResNet {
    /// A published size by its name, such as `resnet50`, with `_cifar` or `_cifar_pool` behind it for another stem.
    #[must_use]
    pub fn named(name: &str) -> Option<ResNet> {
        let (size, stem) = Stem::split(name);
        let (_, depths, inner) = *SIZES.iter().find(|known| known.0 == size)?;
        let inner = inner.map(|(width, groups)| Inner { width, groups });
        Some(ResNet { depths, width: 64, inner, stem })
    }

    /// The published name, `resnet_custom` for other sizes; with `_cifar` or `_cifar_pool` behind it for another stem.
    #[must_use]
    pub fn name(&self) -> String {
        let size = SIZES.iter().map(|known| known.0).find(|name| {
            ResNet::named(name).is_some_and(|known| ResNet { stem: self.stem, ..known } == *self)
        });
        format!("{}{}", size.unwrap_or("resnet_custom"), self.stem.suffix())
    }

    pub(super) fn build(&self, mut builder: Builder) -> Result<Network> {
        let expansion = if self.inner.is_some() { 4 } else { 1 };
        check_extent("the width", self.width, MAX_WIDTH / 8 / expansion)?;
        if let Some(Inner { width, groups }) = self.inner {
            check_extent("the width inside blocks", width, MAX_WIDTH / 8)?;
            check_extent("the number of groups", groups, width)?;
            if width % groups != 0 {
                return Err(Error::BadModel(format!(
                    "the width {width} inside blocks is no multiple of the {groups} groups"
                )));
            }
        }
        let image = builder.image();
        let (kernel, stride) = if self.stem == Stem::ImageNet { (7, 2) } else { (3, 1) };
        let stem = NewConv::spatial("conv1", "bn1", self.width, kernel, stride, 1).relu();
        let mut x = builder.conv(image, stem);
        if self.stem != Stem::Cifar {
            x = builder.max_pool("maxpool", x);
        }
        for (index, &depth) in self.depths.iter().enumerate() {
            check_extent(&format!("the depth of stage {}", index + 1), depth, MAX_DEPTH)?;
            let (path, channels) = (format!("layer{}", index + 1), (self.width * expansion) << index);
            builder.begin_stage();
            for i in 0..depth {
                let block_path = &format!("{path}.{i}");
                let stride = if index > 0 && i == 0 { 2 } else { 1 };
                let project = stride != 1 || x.channels != channels;
                x = match self.inner {
                    None => basic(&mut builder, x, block_path, channels, stride, project),
                    Some(Inner { width, groups }) => {
                        let inner = width << index;
                        let block = Bottleneck {
                            path: block_path,
                            inner,
                            channels,
                            stride,
                            groups,
                            project,
                            into: None,
                        };
                        builder.bottleneck(x, &block)
                    }
                };
            }
            builder.end_stage(&path, depth, x, None);
        }
        Ok(builder.finish(self.name(), x))
    }
}

/// Two 3 x 3 convolutions around a shortcut.
fn basic(builder: &mut Builder, x: View, path: &str, channels: usize, stride: usize, project: bool) -> View {
    let at = |name: &str| format!("{path}.{name}");
    let shortcut = builder.shortcut(x, path, channels, stride, project);
    let y = builder.conv(x, NewConv::spatial(at("conv1"), at("bn1"), channels, 3, stride, 1).relu());
    let y = builder.conv(y, NewConv::spatial(at("conv2"), at("bn2"), channels, 3, 1, 1).relu().add(shortcut));
    builder.end_block(path, at("conv2"), y);
    y
}

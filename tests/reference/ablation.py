"""Writes ../golden/ablation/*.json: networks without a part of themselves. Nothing here edits a weight: hooks replace what
modules return.

usage: ablation.py      (needs torch, torchvision)
"""
import math
from pathlib import Path
import torch
import torchvision
from gghost import RegNetX
from networks import FORMS, OPTIONS, SMALL
from recipe import fill, reference, unit, write

GOLDEN = Path(__file__).parent.parent / "golden/ablation"


def replace(module, change):
    module.register_forward_hook(lambda _module, _input, output: change(output))


def zero(module):
    replace(module, torch.zeros_like)


def without_channel(channel):
    def change(output):
        output = output.clone()
        output[:, channel] = 0
        return output
    return change


def ghost_off(net, stage):
    zero(net.get_submodule(f"{stage}.cheap"))
    merge_off(net, stage)


def merge_off(net, stage):
    if net.get_submodule(stage).merge is not None:
        zero(net.get_submodule(f"{stage}.merge")[-1])


def ghost_fit(net, stage, name, channels_in):
    """weight = unit(name + ".weight") sqrt(3 / channels_in), bias = 0.1 unit(name + ".bias")"""
    module = net.get_submodule(stage)
    cheap = module.cheap[0].out_channels
    weight = torch.from_numpy(unit(f"{name}.weight", cheap * channels_in)).reshape(cheap, channels_in, 1, 1)
    weight = weight * math.sqrt(3 / channels_in)
    bias = torch.from_numpy(unit(f"{name}.bias", cheap)) * 0.1
    kept = {}
    replace(module.base, lambda output: kept.setdefault("base", output))
    # The last channels of block 1: all of them, or the part that the cheap operation reads.
    replace(module.cheap, lambda _: torch.nn.functional.conv2d(kept["base"][:, -channels_in:], weight, bias))
    merge_off(net, stage)


def channel_off(net, tap, channel):
    stage, _, part = tap.partition(".")
    if part == "ghost":
        module = net.get_submodule(stage)
        replace(module.cheap, without_channel(channel))
        if module.merge is not None:
            replace(module.merge[-1], without_channel(channel))
    elif part == "cat":
        raw = net.get_submodule(stage).raw
        last = f"layers.{len(net.get_submodule(stage).layers) - 1}"
        channel_off(net, *((f"{stage}.{last}", channel) if channel < raw else (f"{stage}.ghost", channel - raw)))
    else:
        # A convolution's tap is after its batch norm; zero stays zero in a ReLU.
        replace(net.get_submodule(tap.replace("conv", "bn")), without_channel(channel))


EDITS = dict(ghostOff=ghost_off, mergeOff=merge_off, ghostFit=ghost_fit, channelOff=channel_off)


def off(*pairs):
    return [dict(kind="channelOff", tap=tap, channel=channel) for tap, channel in pairs]


CASES = {  # name of the file -> form of the network, edits
    "ghost_off": ("released", [dict(kind="ghostOff", stage="layer3")]),
    "ghost_off_everywhere": ("released", [dict(kind="ghostOff", stage=f"layer{i}") for i in (2, 3, 4)]),
    "ghost_off_paper": ("paper", [dict(kind="ghostOff", stage="layer3")]),
    "ghost_off_bare": ("released_bare_3x3", [dict(kind="ghostOff", stage="layer2")]),
    "merge_off": ("released", [dict(kind="mergeOff", stage="layer2"), dict(kind="mergeOff", stage="layer4")]),
    "merge_off_paper": ("paper", [dict(kind="mergeOff", stage="layer3")]),
    "ghost_fit_part": ("released_bare_3x3", [dict(kind="ghostFit", stage="layer3", name="part", channelsIn=24)]),
    "ghost_fit_whole": ("released", [dict(kind="ghostFit", stage="layer3", name="whole", channelsIn=48)]),
    "ghost_fit_paper": ("paper", [dict(kind="ghostFit", stage="layer3", name="paper", channelsIn=48)]),
    "channels_off": ("released", off(
        ("conv1", 7), ("layer1.0", 3), ("layer2.base", 1), ("layer2.base", 30), ("layer3.base.conv3", 2), ("layer3.ghost", 5),
        ("layer3.layers.0", 4), ("layer3.layers.0.conv1", 6), ("layer3.cat", 9), ("layer3.cat", 40), ("layer4.end", 17),
        ("layer4.end.conv3", 18))),
}


def case(name):
    form, edits = CASES[name]
    config = SMALL | FORMS[form]
    net = fill(RegNetX(config["depths"], config["widths"], config["groupWidth"], 5,
                       **{OPTIONS[key]: value for key, value in FORMS[form].items()}), salt=form)
    return net, "g_ghost_regnetx_custom", form, dict(config=config), edits


def main():
    torch.set_num_threads(1)
    cases = {name: case(name) for name in CASES}
    resnet = fill(torchvision.models.resnet18(num_classes=6), salt="resnet")
    cases["channels_off_resnet"] = (resnet, "resnet18", "resnet", {}, off(("layer1.0", 3), ("layer2.1", 100), ("layer3.0.conv1", 9)))
    for name, (net, variant, salt, extra, edits) in cases.items():
        for edit in edits:
            kind, *values = edit.values()
            EDITS[kind](net, *values)
        taps = {} if hasattr(net, "stages") else {f"layer{s}.{i}": net.get_submodule(f"layer{s}.{i}")
                                                  for s in range(1, 5) for i in range(2)}
        data = reference(net, variant, (2, 3, 40, 56), taps, salt=salt, samples=8, ablations=edits, **extra)
        write(GOLDEN / f"{name}.json", data)


if __name__ == "__main__":
    main()

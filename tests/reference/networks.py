"""Writes ../golden/reference/*.json and ../golden/keys/*.json: the networks of torchvision and timm, those of other
libraries under their names, and every form of the ghost stage, on weights and inputs that follow from names.

usage: networks.py [WORD]     (needs torch, torchvision, timm, transformers and pycls; the pictures here are small so
that the tests are fast; a word chooses the files that have it in their names)
"""
import json
import re
import sys
from pathlib import Path
import timm
import torch
import torchvision
from gghost import RegNetX
from recipe import fill, reference, write

GOLDEN = Path(__file__).parent.parent / "golden"


def library_network(variant, classes):
    if hasattr(torchvision.models, variant):
        return torchvision.models.get_model(variant, weights=None, num_classes=classes)
    return timm.create_model(variant, pretrained=False, num_classes=classes)


def library_taps(net, variant):
    """Name in the file -> module. A RegNet's blocks have the names of the released G-Ghost code."""
    if "resne" in variant:
        return {f"layer{s}.{i}": block for s in range(1, 5) for i, block in enumerate(getattr(net, f"layer{s}"))}
    if variant.startswith("regnet_x"):
        return {f"layer{s + 1}.{i}": block for s, stage in enumerate(net.trunk_output)
                for i, block in enumerate(stage)}
    if variant.startswith("regnetx"):
        return {f"layer{s}.{i}": block for s in range(1, 5) for i, block in enumerate(getattr(net, f"s{s}").children())}
    return {f"blocks.{s}.{i}": block for s, stage in enumerate(net.blocks[:-1]) for i, block in enumerate(stage)}


LIBRARY = [  # variant, classes, input
    ("resnet18", 1000, (1, 3, 64, 96)),
    ("resnet34", 10, (2, 3, 65, 47)),
    ("resnet50", 1000, (1, 3, 64, 96)),
    ("resnet101", 10, (2, 3, 65, 47)),
    ("resnet152", 10, (1, 3, 33, 70)),
    ("resnext50_32x4d", 10, (2, 3, 47, 65)),
    ("resnext101_32x8d", 10, (1, 3, 64, 64)),
    ("resnext101_64x4d", 10, (1, 3, 50, 64)),
    ("wide_resnet50_2", 10, (2, 3, 33, 47)),
    ("wide_resnet101_2", 10, (1, 3, 64, 64)),
    ("regnet_x_400mf", 1000, (1, 3, 64, 64)),
    ("regnet_x_800mf", 10, (1, 3, 33, 70)),
    ("regnetx_004", 10, (1, 3, 64, 64)),
    ("regnetx_008", 7, (1, 3, 50, 64)),
    ("ghostnet_100", 1000, (1, 3, 64, 64)),
    ("ghostnet_050", 10, (2, 3, 47, 65)),
    ("ghostnet_130", 10, (1, 3, 96, 64)),
]

def hugging_face(kind, **config):
    from transformers import RegNetConfig, RegNetForImageClassification, ResNetConfig, ResNetForImageClassification
    classes = {"resnet": (ResNetConfig, ResNetForImageClassification), "regnet": (RegNetConfig, RegNetForImageClassification)}
    config_class, model = classes[kind]
    return Logits(model(config_class(num_labels=7, **config)))


def timm_wrapper(architecture):
    from transformers import TimmWrapperConfig, TimmWrapperForImageClassification
    config = TimmWrapperConfig(architecture=architecture, num_labels=7, do_pooling=True)
    return Logits(TimmWrapperForImageClassification(config))


class Logits(torch.nn.Module):
    """A network of transformers that returns its logits alone, with its own keys."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.state_dict, self.load_state_dict = net.state_dict, net.load_state_dict

    def forward(self, x):
        return self.net(x).logits


def pycls_regnet(depths, widths, group_width):
    """pycls trains on pictures as OpenCV reads them: blue, green, red."""
    from pycls.models.anynet import AnyNet
    import pycls.core.config
    pycls.core.config.cfg.MODEL.NUM_CLASSES = 7
    net = AnyNet(stem_type="simple_stem_in", stem_w=32, block_type="res_bottleneck_block", ds=depths, ws=widths,
                 ss=[2] * 4, bms=[1.0] * 4, gws=[group_width] * 4, se_r=None, nc=7)
    net.register_forward_pre_hook(lambda _module, inputs: inputs[0].flip(1))
    return net


def cifar(pool, variant="resnet18"):
    net = torchvision.models.get_model(variant, weights=None, num_classes=7)
    net.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = net.maxpool if pool else torch.nn.Identity()
    return net


def openmmlab(key):
    """mmpretrain has torchvision's ResNet as its backbone, and a RegNet with the same names."""
    return f"head.{key}" if key.startswith("fc.") else f"backbone.{key}"


def kuangliu(key):
    """pytorch-cifar by kuangliu."""
    return re.sub(r"^fc\.", "linear.", key.replace("downsample", "shortcut"))


SIZE_002 = dict(depths=[1, 1, 4, 7], widths=[24, 56, 152, 368])
HF_002 = dict(depths=SIZE_002["depths"], hidden_sizes=SIZE_002["widths"], groups_width=8)
RESNET18 = dict(depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512])
RESNET50 = dict(depths=[3, 4, 6, 3], hidden_sizes=[256, 512, 1024, 2048])

NAMES = {  # name of the file -> variant, how the network is made, how its keys are named, and what the file says of them
    "huggingface_resnet18": ("resnet18", lambda: hugging_face("resnet", layer_type="basic", **RESNET18), str,
                             dict(library="Hugging Face", body="resnet.")),
    "huggingface_resnet50": ("resnet50", lambda: hugging_face("resnet", layer_type="bottleneck", **RESNET50), str,
                             dict(library="Hugging Face", body="resnet.")),
    "huggingface_regnetx_002": ("regnetx_002", lambda: hugging_face("regnet", layer_type="x", **HF_002), str,
                                dict(library="Hugging Face", body="regnet.")),
    "timm_wrapper_resnet18": ("resnet18", lambda: timm_wrapper("resnet18"), str,
                              dict(body="timm_model.", head="timm_model.")),
    "timm_wrapper_regnetx_002": ("regnetx_002", lambda: timm_wrapper("regnetx_002"), str,
                                 dict(library="timm", body="timm_model.", head="timm_model.")),
    "openmmlab_resnet50": ("resnet50", lambda: library_network("resnet50", 7), openmmlab,
                           dict(body="backbone.", head="head.")),
    "openmmlab_regnetx_002": ("regnetx_002", lambda: RegNetX(**SIZE_002, group_width=8, classes=7, cheap_ratio=0.0),
                              openmmlab, dict(body="backbone.", head="head.")),
    "pycls_regnetx_002": ("regnetx_002", lambda: pycls_regnet(**SIZE_002, group_width=8), str, dict(library="pycls")),
    "kuangliu_resnet18": ("resnet18_cifar", lambda: cifar(pool=False), kuangliu,
                          dict(library="kuangliu/pytorch-cifar")),
    "kuangliu_resnet50": ("resnet50_cifar", lambda: cifar(pool=False, variant="resnet50"), kuangliu,
                          dict(library="kuangliu/pytorch-cifar")),
    "cifar_pool_resnet18": ("resnet18_cifar_pool", lambda: cifar(pool=True), str,
                            dict(config=dict(variant="resnet18_cifar_pool"))),
}

SMALL = dict(depths=[1, 3, 4, 3], widths=[16, 32, 48, 64], groupWidth=8)
FORMS = {  # name of the file -> what differs from SMALL
    "released": dict(form="released", aggregation=True, cheapKernel=1, cheapRatio=0.5),
    "released_bare_3x3": dict(form="released", aggregation=False, cheapKernel=3, cheapRatio=0.5),
    "released_ratios_5x5": dict(form="released", aggregation=True, cheapKernel=5, cheapRatio=[0.5, 0.25, 0.75, 0.0]),
    "released_all_ghost": dict(form="released", aggregation=True, cheapKernel=1, cheapRatio=1.0),
    "paper": dict(form="paper", aggregation=True, cheapKernel=1, cheapRatio=0.5),
    "paper_bare_5x5": dict(form="paper", aggregation=False, cheapKernel=5, cheapRatio=0.5),
    "paper_ratios_3x3": dict(form="paper", aggregation=True, cheapKernel=3, cheapRatio=[0.0, 0.3, 0.9, 1.0]),
    "plain": dict(cheapRatio=0.0),
}
OPTIONS = dict(form="form", aggregation="aggregation", cheapKernel="cheap_kernel", cheapRatio="cheap_ratio")

KEYS = ("resnet18", "resnet34", "regnet_x_400mf", "regnetx_004", "ghostnet_100")


def main():
    torch.set_num_threads(1)
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, (variant, make, named, says) in NAMES.items():
        if word in name:
            net = fill(make(), named=named)
            data = reference(net, variant, (2, 3, 32, 48), {}, samples=8, **says)
            write(GOLDEN / f"reference/{name}_32x48_b2.json", data)
    for variant, classes, shape in LIBRARY:
        if word not in variant:
            continue
        if "resne" in variant:  # timm has the same network under the same names
            keys = lambda net: {key: value.shape for key, value in net.state_dict().items()}
            assert keys(library_network(variant, classes)) == keys(timm.create_model(variant, num_classes=classes))
        net = fill(library_network(variant, classes))
        taps = library_taps(net, variant)
        if len(taps) > 10:  # keep the file small: the first and last block of each stage
            stage = lambda name: name.rsplit(".", 1)[0]
            names = list(taps)
            ends = [n for i, n in enumerate(names)
                    if i in (0, len(names) - 1) or stage(names[i - 1]) != stage(n) or stage(names[i + 1]) != stage(n)]
            taps = {name: taps[name] for name in ends}
        b, _, h, w = shape
        write(GOLDEN / f"reference/{variant}_{h}x{w}_b{b}.json", reference(net, variant, shape, taps, samples=8))
    for name, differs in FORMS.items() if word in "forms" else ():
        config = SMALL | differs
        options = {OPTIONS[key]: value for key, value in differs.items()}
        net = fill(RegNetX(config["depths"], config["widths"], config["groupWidth"], 5, **options), salt=name)
        data = reference(net, "g_ghost_regnetx_custom", (2, 3, 40, 56), {}, salt=name, samples=8, config=config)
        write(GOLDEN / f"reference/form_{name}_40x56_b2.json", data)
    for variant in KEYS if word in "keys" else ():
        net = library_network(variant, 1000)
        keys = [[key, list(value.shape)] for key, value in net.state_dict().items()]
        path = GOLDEN / f"keys/{variant}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("[\n" + ",\n".join(json.dumps(k, separators=(",", ":")) for k in keys) + "\n]\n")
        print(path.name, path.stat().st_size, len(keys))


if __name__ == "__main__":
    main()

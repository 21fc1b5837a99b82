"""Writes ../golden/reference/*.json and ../golden/keys/*.json: the networks of torchvision and timm and every form of
the ghost stage, on weights and inputs that follow from names.

usage: networks.py      (needs torch, torchvision, timm; the pictures here are small so that the tests are fast)
"""
import json
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
    if variant.startswith("resnet"):
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
    ("regnet_x_400mf", 1000, (1, 3, 64, 64)),
    ("regnet_x_800mf", 10, (1, 3, 33, 70)),
    ("regnetx_004", 10, (1, 3, 64, 64)),
    ("regnetx_008", 7, (1, 3, 50, 64)),
    ("ghostnet_100", 1000, (1, 3, 64, 64)),
    ("ghostnet_050", 10, (2, 3, 47, 65)),
    ("ghostnet_130", 10, (1, 3, 96, 64)),
]

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
    for variant, classes, shape in LIBRARY:
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
    for name, differs in FORMS.items():
        config = SMALL | differs
        options = {OPTIONS[key]: value for key, value in differs.items()}
        net = fill(RegNetX(config["depths"], config["widths"], config["groupWidth"], 5, **options), salt=name)
        data = reference(net, "g_ghost_regnetx_custom", (2, 3, 40, 56), {}, salt=name, samples=8, config=config)
        write(GOLDEN / f"reference/form_{name}_40x56_b2.json", data)
    for variant in KEYS:
        net = library_network(variant, 1000)
        keys = [[key, list(value.shape)] for key, value in net.state_dict().items()]
        path = GOLDEN / f"keys/{variant}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("[\n" + ",\n".join(json.dumps(k, separators=(",", ":")) for k in keys) + "\n]\n")
        print(path.name, path.stat().st_size, len(keys))


if __name__ == "__main__":
    main()

"""Writes a network for the benchmarks in every runtime's format, with the recipe's weights.

usage: python benches/export.py OUT VARIANT... [--side 224]
For each variant (002 ... 320, or a name of torchvision or timm such as ghostnet_100): OUT/VARIANT.onnx (for the peers),
OUT/VARIANT.safetensors (for this library), OUT/VARIANT.in.f32 (normalised input) and OUT/VARIANT.out.f32 (PyTorch's
logits), all little-endian float32.
Needs torch, torchvision, timm, onnx, onnxscript, numpy and safetensors.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reference"))
from gghost import VARIANTS, g_ghost_regnetx  # noqa: E402
from networks import library_network  # noqa: E402
from recipe import fill, picture  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--side", type=int, default=224)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for variant in a.variants:
        network = g_ghost_regnetx if variant in VARIANTS else library_network
        net = fill(network(variant, 1000))
        state = {k: v.contiguous() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file(state, a.out / f"{variant}.safetensors")
        x = picture((1, 3, a.side, a.side))
        with torch.no_grad():
            y = net(x)
        x.numpy().astype("<f4").tofile(a.out / f"{variant}.in.f32")
        y.numpy().astype("<f4").tofile(a.out / f"{variant}.out.f32")
        torch.onnx.export(
            net, (x,), a.out / f"{variant}.onnx", input_names=["input"], output_names=["logits"],
            opset_version=18, dynamo=True, external_data=False,
        )
        print(variant, "written", flush=True)


if __name__ == "__main__":
    main()

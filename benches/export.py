"""Writes a network for the benchmarks in every runtime's format, with the recipe's weights.

usage: python benches/export.py OUT VARIANT... [--side 224]
For each variant (002 ... 320): OUT/VARIANT.onnx (for the peers), OUT/VARIANT.safetensors (for this library),
OUT/VARIANT.in.f32 (normalised input) and OUT/VARIANT.out.f32 (PyTorch's logits), all little-endian float32.
Needs torch, onnx, onnxscript, numpy and safetensors.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reference"))
from gghost import GGhostRegNet  # noqa: E402


def unit(name, n):
    """n numbers in [-1, 1) from a name, as in tests/reference/README.md."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1).astype(np.float32)


def recipe(key, shape):
    u = torch.from_numpy(unit(key, math.prod(shape)).reshape(shape))
    last = key.rsplit(".", 1)[1]
    if last == "running_mean":
        return 0.1 * u
    if last == "running_var":
        return 1 + 0.5 * u
    if last == "weight" and len(shape) == 4:
        return u * math.sqrt(3 / math.prod(shape[1:])) * 1.2
    if last == "weight" and len(shape) == 2:
        return u * math.sqrt(3 / shape[1])
    return 0.75 + 0.25 * u if last == "weight" else 0.1 * u


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--side", type=int, default=224)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for variant in a.variants:
        net = GGhostRegNet(variant, 1000).eval()
        state = {
            key: recipe(key, tuple(value.shape))
            for key, value in net.state_dict().items()
            if not key.endswith("num_batches_tracked")
        }
        net.load_state_dict(state, strict=False)
        save_file({k: v.contiguous() for k, v in state.items()}, a.out / f"{variant}.safetensors")
        side = a.side
        coarse = unit("input.coarse", 3 * math.ceil(side / 16) ** 2).reshape(3, math.ceil(side / 16), -1)
        coarse = coarse.repeat(16, 1).repeat(16, 2)[:, :side, :side]
        x = torch.from_numpy(1.5 * coarse + 0.5 * unit("input.fine", 3 * side * side).reshape(3, side, side))[None]
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

"""Accuracy of a model file or a checkpoint on a folder of class folders, in PyTorch.

usage: evaluate.py MODEL(.safetensors|.pth|.state) FOLDER [--sides 128,160,192] [--confusions 10] [--variant ...]

Prints one line a side: top-1 with its 95% confidence interval (Wilson) and top-5, then the most frequent confusions
at the last side. The product's own figure, with its own pre-processing and engine, is `./build.sh accuracy`.
"""
import argparse
import math
from collections import Counter
from pathlib import Path
import torch
from network import add_form_arguments, build, form_of, read_weights, start_from
from pictures import at_side, load
from PIL import Image


def wilson(right, n, z=1.96):
    """95% confidence interval of a proportion."""
    p = right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


@torch.no_grad()
def logits(net, pixels, side, device="cpu", batch=64):
    """uint8 [n, 3, any, any] -> [n, classes]; float32, without augmentation"""
    net.eval()
    return torch.cat([net(at_side(pixels[i:i + batch].to(device), side)).float().cpu()
                      for i in range(0, len(pixels), batch)])


def top(scores, labels, k):
    """How many of the labels are among the k highest scores."""
    return int((scores.topk(min(k, scores.shape[1])).indices == labels[:, None]).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sides", default="160")
    parser.add_argument("--confusions", type=int, default=10)
    add_form_arguments(parser)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sides = [int(side) for side in arguments.sides.split(",")]
    pixels, labels, folders = load(arguments.folder, stored_side(arguments.folder, max(sides)))
    net = build(arguments.variant, len(read_weights(arguments.model)["fc.bias"]), **form_of(arguments))
    if len(net.fc.bias) != len(folders):
        raise SystemExit(f"{arguments.model} knows {len(net.fc.bias)} classes, {arguments.folder} has {len(folders)}")
    start_from(net, arguments.model)
    net.to(device, memory_format=torch.channels_last)
    for side in sides:
        scores = logits(net, pixels, side, device)
        right, n = top(scores, labels, 1), len(labels)
        low, high = wilson(right, n)
        print(f"side {side}: {right} of {n}, top-1 {100 * right / n:.2f}% (95%: {100 * low:.2f} to {100 * high:.2f}), "
              f"top-5 {100 * top(scores, labels, 5) / n:.2f}%", flush=True)
    said = scores.argmax(1)
    wrong = Counter((folders[a], folders[b]) for a, b in zip(labels.tolist(), said.tolist()) if a != b)
    for (true, answer), count in wrong.most_common(arguments.confusions):
        print(f"{count:4d} of {int((labels == folders.index(true)).sum())} {true} were called {answer}")


def stored_side(folder, most):
    """The side of the folder's first picture, so that pictures are resized once, but not more than `most`."""
    first = next(file for file in sorted(Path(folder).glob("*/*")))
    return min(max(Image.open(first).size), most)


if __name__ == "__main__":
    main()

"""Top-1 accuracy of a model file over a folder of class folders, in PyTorch and Pillow.

usage: accuracy.py MODEL.safetensors FOLDER [--side N,N,...] [--threads N]
FOLDER holds one folder a class, named as the model's labels with _ for space. Prints one line a side: right, all,
top-1 and its 95% confidence interval (Wilson).
"""
import argparse
import math
from pathlib import Path
import torch
from PIL import Image
from model import load
from pictures import normalised, resized, rgb_over_white


def wilson(right, n, z=1.96):
    p = right / n
    middle, half = (p + z * z / (2 * n)), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", default="")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    net, config = load(arguments.model)
    files = [(file, index) for index, label in enumerate(config["classes"])
             for file in sorted((arguments.folder / label.replace(" ", "_")).iterdir())]
    sides = [int(s) for s in arguments.side.split(",") if s] or [config["input"]["side"]]
    for side in sides:
        rule = config["input"] | dict(side=side)
        right = 0
        for at in range(0, len(files), 32):
            batch = torch.cat([normalised(resized(rgb_over_white(Image.open(file)), rule), rule)
                               for file, _ in files[at:at + 32]])
            with torch.no_grad():
                right += (net(batch).argmax(1) == torch.tensor([i for _, i in files[at:at + 32]])).sum().item()
        low, high = wilson(right, len(files))
        print(f"side {side}: {right} of {len(files)}, {100 * right / len(files):.2f}% "
              f"(95%: {100 * low:.2f} to {100 * high:.2f})", flush=True)


if __name__ == "__main__":
    main()

"""How well a network of all ImageNet classes names pictures, and how well its features serve for other classes.

usage: judge.py MODEL(.safetensors|.pth) HELD [--sides 160,192] [--few FOLDER] [--variant g_ghost_regnetx_008]

HELD is a folder of .pool files (`pool.py held`). --few: FOLDER/train and FOLDER/val of class folders; five, ten and
twenty pictures a class of the one, drawn 20 times, teach a ridge regression of the pooled features, and the other
measures it. A model of fewer classes than 1,000 is judged by --few alone. On the CPU.
"""
import argparse
from pathlib import Path
import torch
from distil import Pooled
from evaluate import top, wilson
from network import build, read_weights, start_from
from pictures import at_side, load
from taught import CLASSES, Held
from torch.nn import functional as F


@torch.no_grad()
def seen(net, pixels, side, batch=100):
    """-> logits and pooled features of uint8 pixels"""
    pooled, answers, features = Pooled(net), [], []
    for part in pixels.split(batch):
        answers.append(net(at_side(part, side)))
        features.append(pooled.features)
    return torch.cat(answers), torch.cat(features)


def ridge(features, labels, classes, strength):
    """-> what gives the classes' scores of features"""
    mean = features.mean(0)
    inputs = features - mean
    scale = inputs.square().sum(1).mean().sqrt()
    inputs = inputs / scale
    wanted = F.one_hot(labels, classes).to(inputs.dtype)
    kernel = inputs @ inputs.T
    alpha = torch.linalg.solve(kernel + strength * torch.eye(len(kernel)), wanted - wanted.mean(0))
    weights = inputs.T @ alpha
    return lambda others: (others - mean) / scale @ weights


def few_shot(train, val, shots, draws, strength):
    """train, val: (features, labels). -> mean share of `val` that is right over the draws"""
    (features, labels), (others, wanted) = train, val
    classes, chance, right = int(labels.max()) + 1, torch.Generator().manual_seed(0), []
    for _ in range(draws):
        chosen = torch.cat([(own := torch.nonzero(labels == c)[:, 0])[torch.randperm(len(own), generator=chance)[:shots]]
                            for c in range(classes)])
        scores = ridge(features[chosen], labels[chosen], classes, strength)(others)
        right.append((scores.argmax(1) == wanted).float().mean())
    return torch.stack(right).mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("held", type=Path)
    parser.add_argument("--sides", default="160,192")
    parser.add_argument("--few", type=Path)
    parser.add_argument("--strength", type=float, default=0.3, help="of the ridge, features of length 1 in the mean")
    parser.add_argument("--variant", default="g_ghost_regnetx_008")
    arguments = parser.parse_args()
    net = build(arguments.variant, len(read_weights(arguments.model)["fc.bias"]))
    start_from(net, arguments.model)
    net.to(memory_format=torch.channels_last).eval()
    sides = [int(side) for side in arguments.sides.split(",")]
    if len(net.fc.bias) == CLASSES:
        for name, (pixels, labels) in Held(arguments.held).sets.items():
            for side in sides:
                scores, n = seen(net, pixels, side)[0], len(labels)
                right = top(scores, labels, 1)
                low, high = wilson(right, n)
                print(f"{name} at {side}: top-1 {100 * right / n:.1f}% (95%: {100 * low:.1f} to {100 * high:.1f}), "
                      f"top-5 {100 * top(scores, labels, 5) / n:.1f}% of {n}", flush=True)
    if arguments.few:
        parts = {}
        for part in ("train", "val"):
            pixels, labels, _ = load(arguments.few / part, 128)
            parts[part] = seen(net, pixels, sides[0])[1], labels
        for shots in (5, 10, 20):
            share = few_shot(parts["train"], parts["val"], shots, 20, arguments.strength)
            print(f"{shots} pictures a class: {100 * share:.1f}%", flush=True)


if __name__ == "__main__":
    main()

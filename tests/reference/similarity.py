"""Writes ../golden/similarity/*.json: similarity of feature maps by its formulas, in NumPy and float64, on numbers and
networks that follow from names.

usage: similarity.py      (needs numpy, torch)
"""
import json
import math
from pathlib import Path
import numpy as np
import torch
from gghost import RegNetX
from networks import FORMS, OPTIONS, SMALL
from recipe import fill, picture, short, unit

GOLDEN = Path(__file__).parent.parent / "golden/similarity"
RIDGE = 1e-3
STEP = 5  # of the weights and of the matrix of the first picture only every fifth is kept


def numbers(values):
    return [short(v) for v in np.asarray(values).ravel()]


def best(matrix):
    """Of each column: the row of largest magnitude, and the signed number there; -1 for a column of zeros."""
    rows = np.abs(matrix).argmax(0)
    score = matrix[rows, np.arange(matrix.shape[1])]
    return dict(channel=np.where(score == 0, -1, rows).tolist(), score=numbers(score))


def correlation(a, b, centered):
    """[channels, positions] each."""
    if centered:
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    lengths = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.divide(a @ b.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def hsic(k, l):
    """The unbiased estimator, from kernels whose diagonals count as 0."""
    n = len(k)
    k, l = k.copy(), l.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    return ((k * l).sum() + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)
            ) / (n * (n - 3))


def cka(x, y):
    """[channels, positions] each."""
    k, l = x.T @ x, y.T @ y
    return hsic(k, l) / math.sqrt(hsic(k, k) * hsic(l, l))


def ridge_fit(x, y):
    mean_x, mean_y = x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    a, b = x - mean_x, y - mean_y
    gram = a @ a.T
    penalty = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weight = np.linalg.solve(gram + penalty, a @ b.T).T
    return weight, mean_y - weight @ mean_x


def r2(weight, bias, x, y):
    """0 for channels that do not vary."""
    residual = ((y - weight @ x - bias) ** 2).sum(1)
    total = ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
    return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0), np.flatnonzero(total == 0)


def summary(xs, ys, held):
    """Of lists of [channels, height, width], one a picture."""
    flat = lambda maps: np.concatenate([m.reshape(len(m), -1) for m in maps], 1).astype(np.float64)
    x, y = flat(xs), flat(ys)
    fitted = [i for i in range(len(xs)) if i not in held]
    take = lambda maps, indices: flat([maps[i] for i in indices])
    weight, bias = ridge_fit(take(xs, fitted), take(ys, fitted))
    score, dead = r2(weight, bias, take(xs, held), take(ys, held))
    alive = np.delete(score, dead)
    return dict(pearson=best(correlation(x, y, True)), cosine=best(correlation(x, y, False)), cka=cka(x, y),
                r2=numbers(score), dead=dead.tolist(), mean=alive.mean(), median=float(np.median(alive)),
                weight=numbers(weight)[::STEP], bias=numbers(bias))


def made(name, channels, height, width):
    return unit(name, channels * height * width).reshape(channels, height, width)


def made_pair(i):
    """y is a mixture of x, of what neither shares and of a mean; x has a mean of its own."""
    x = made(f"x{i}", 6, 5, 7) + np.float32(3)
    mix = made("mix", 9, 6, 1)[:, :, 0]
    y = np.einsum("oc,chw->ohw", mix, x) + np.float32(0.5) * made(f"y{i}", 9, 5, 7) - np.float32(2)
    return x, y.astype(np.float32)


def taps(name, stage, count, side):
    config = SMALL | FORMS[name]
    net = fill(RegNetX(config["depths"], config["widths"], config["groupWidth"], 5,
                       **{OPTIONS[key]: value for key, value in FORMS[name].items()}), salt=name)
    pairs = []
    with torch.no_grad():
        for i in range(count):
            net(picture((1, 3, side, side), f"{name}{i}."))
            pairs.append((net.seen[f"{stage}.base"][0].numpy().copy(), net.seen[f"{stage}.end"][0].numpy().copy()))
    return pairs


def write(name, pairs, held, **extra):
    xs, ys = zip(*pairs)
    flat = lambda m: m.reshape(len(m), -1).astype(np.float64)
    first = dict(pearson=numbers(correlation(flat(xs[0]), flat(ys[0]), True))[::STEP],
                 cosine=numbers(correlation(flat(xs[0]), flat(ys[0]), False))[::STEP])
    data = dict(extra, ridge=RIDGE, step=STEP, held=held, first=first, **summary(xs, ys, held))
    GOLDEN.mkdir(parents=True, exist_ok=True)
    path = GOLDEN / f"{name}.json"
    path.write_text("{\n" + ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in data.items()) + "\n}\n")
    print(path.name, path.stat().st_size, "cka", data["cka"], "median r2", data["median"])


def main():
    torch.set_num_threads(1)
    write("made", [made_pair(i) for i in range(4)], [1, 3])
    for stage in ("layer2", "layer3"):
        form = "released"
        write(f"network_{stage}", taps(form, stage, 6, 96), [2, 5], form=form, config=SMALL | FORMS[form], stage=stage, side=96)


if __name__ == "__main__":
    main()

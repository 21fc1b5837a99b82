"""Writes ../golden/teach/*.json: classifiers from a few features a class, their leave-one-out predictions by refitting
without each picture, and what follows from these, in NumPy and float64, on numbers that follow from names.

usage: teach.py      (needs numpy)
"""
import json
import math
from pathlib import Path
import numpy as np
from recipe import unit

GOLDEN = Path(__file__).parent.parent / "golden/teach"
PENALTIES = 10 ** (-4 + 5 * np.arange(9) / 8)
# Pictures of each class, features, strangers: fewer pictures than features and more; classes of several sizes, and of one.
CASES = dict(few=([4, 3, 5], 20, 0), many=([12, 7, 9, 10], 11, 15), uneven=([1, 6, 30], 8, 6), alone=([1, 1, 1], 5, 0))


def made(name, counts, width, strangers):
    """Features about a centre of each class, and far from zero as those behind a ReLU are"""
    centres = unit(f"{name} centres", len(counts) * width).reshape(len(counts), width)
    labels = np.concatenate([np.full(count, k) for k, count in enumerate(counts)])
    x = unit(f"{name} pictures", len(labels) * width).reshape(-1, width) + 0.7 * centres[labels] + 2
    other = unit(f"{name} strangers", strangers * width).reshape(-1, width) * 0.3 + 2
    return x.astype(np.float32).astype(float), labels, other.astype(np.float32).astype(float)


def ridge(x, labels, weights, k, penalty):
    """Weights and biases by the normal equations with a column of ones that is not penalised"""
    ones = np.hstack([x, np.ones((len(x), 1))])
    targets = (labels[:, None] == np.arange(k)) - 1 / k
    left = ones.T @ (weights[:, None] * ones) + np.diag([penalty] * x.shape[1] + [0])
    solution = np.linalg.solve(left, ones.T @ (weights[:, None] * targets))
    return solution[:-1].T, solution[-1]


def means(x, labels, k):
    centres = np.stack([x[labels == c].mean(0) for c in range(k)])
    middle = centres.mean(0)
    rows = (centres - middle) / np.linalg.norm(centres - middle, axis=1, keepdims=True)
    return rows, -rows @ middle


def left_out(fit, x, labels, k):
    logits = np.zeros((len(x), k))
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        if (labels[rest] == labels[i]).any():
            weight, bias = fit(rest)
            logits[i] = weight @ x[i] + bias
    return logits


def unit_of(x, labels, weights, k):
    """The mean eigenvalue, of those that are not 0, of the weighted sums of squares about the mean"""
    middle = (weights[:, None] * x).sum(0) / k
    return (weights * ((x - middle) ** 2).sum(1)).sum() / min(len(x), x.shape[1])


def temperature(logits, labels, counts):
    n, k = logits.shape
    own = (n + 1) / (n + 2)
    targets = np.where(labels[:, None] == np.arange(k), own, (1 - own) / (k - 1))
    weights = 1 / counts[labels]

    def slope(inverse):
        scaled = (logits - logits.max(1, keepdims=True)) * inverse
        p = np.exp(scaled) / np.exp(scaled).sum(1, keepdims=True)
        return (weights * ((p - targets) * logits).sum(1)).sum()
    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def rule(own, strange, t):
    def scores(logits):
        scaled = logits / t
        top = scaled.max(1)
        total = np.exp(scaled - top[:, None]).sum(1)
        return dict(energy=top + np.log(total), maxLogit=top, maxProbability=1 / total)
    if not len(strange):
        s = np.sort(scores(own)["maxLogit"])
        location, median = s[int(len(s) * (1 - 0.95))], s[int(len(s) * 0.5)]
        return dict(known=dict(score="maxLogit", location=location,
                               scale=max((median - location) / math.log(0.95 / (1 - 0.95)), 1e-3), threshold=0.5))
    best = None
    for name in ("energy", "maxLogit", "maxProbability"):
        a, b = scores(own)[name], scores(strange)[name]
        area = ((a[:, None] > b).sum() + (a[:, None] == b).sum() / 2) / (len(a) * len(b))
        if best is None or area > best[0]:
            best = area, name, a, b
    area, name, a, b = best
    limit = np.sort(a)[int(len(a) * (1 - 0.95))]
    x = np.concatenate([a, b])
    y = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
    w = np.concatenate([np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b))])
    mean, deviation = x.mean(), x.std()
    inputs = np.stack([(x - mean) / deviation, np.ones_like(x)], 1)
    beta = np.zeros(2)
    for _ in range(200):
        p = 1 / (1 + np.exp(-inputs @ beta))
        gradient = inputs.T @ (w * (p - y)) + 1e-4 * beta
        beta -= np.linalg.solve((inputs * (w * p * (1 - p))[:, None]).T @ inputs + 1e-4 * np.eye(2), gradient)
    location, scale = mean - beta[1] * deviation / beta[0], deviation / beta[0]
    if beta[0] <= 0:  # strangers score as high
        location, scale = limit, 1
    threshold = 1 / (1 + math.exp((location - limit) / scale))
    return dict(known=dict(score=name, location=location, scale=scale, threshold=threshold),
                auroc=area, passed=int((b >= limit).sum()))


def judged(case, logits, labels, counts, other, weight, bias):
    those = counts[labels] > 1
    if not those.any():
        return case
    own = logits[those]
    t = temperature(own, labels[those], counts)
    confusion = np.zeros((len(counts), len(counts)), int)
    np.add.at(confusion, (labels[those], own.argmax(1)), 1)
    scaled = np.exp((own - own.max(1, keepdims=True)) / t)
    probability = (scaled / scaled.sum(1, keepdims=True))[np.arange(len(own)), labels[those]]
    return case | dict(temperature=t, confusion=confusion.ravel().tolist(), own=probability.tolist(),
                       rule=rule(own, other @ weight.T + bias, t))


def main():
    GOLDEN.mkdir(exist_ok=True)
    for name, (counts, width, strangers) in CASES.items():
        counts, k = np.array(counts), len(counts)
        x, labels, other = made(name, counts, width, strangers)
        weights = 1 / counts[labels]
        scale = unit_of(x, labels, weights, k)
        cases = []
        if (counts > 1).any():
            press, by_penalty = [], []
            for penalty in PENALTIES * scale:
                def fit(rest):
                    return ridge(x[rest], labels[rest], weights[rest], k, penalty)
                logits = left_out(fit, x, labels, k)
                targets = (labels[:, None] == np.arange(k)) - 1 / k
                those = counts[labels] > 1
                press.append(float((weights[those, None] * (targets - logits)[those] ** 2).sum()))
                by_penalty.append(logits)
            best = int(np.argmin(press))
            weight, bias = ridge(x, labels, weights, k, PENALTIES[best] * scale)
            case = dict(method="ridge", penalty=PENALTIES[best], weight=weight.ravel().tolist(), bias=bias.tolist(),
                        logits=by_penalty[best].ravel().tolist())
            cases.append(judged(case, by_penalty[best], labels, counts, other, weight, bias))
        logits = left_out(lambda rest: means(x[rest], labels[rest], k), x, labels, k)
        weight, bias = means(x, labels, k)
        case = dict(method="means", weight=weight.ravel().tolist(), bias=bias.tolist(), logits=logits.ravel().tolist())
        cases.append(judged(case, logits, labels, counts, other, weight, bias))
        golden = dict(counts=counts.tolist(), width=width, strangers=strangers, features=x[0].tolist(), cases=cases)
        (GOLDEN / f"{name}.json").write_text(json.dumps(golden) + "\n")


main()

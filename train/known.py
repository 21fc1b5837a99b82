"""Fits what a model says of its own answers, and writes it into the file: the temperature that its probabilities are
calibrated with, and a rule for telling pictures of its classes from strangers.

usage: known.py MODEL.safetensors --labels TABLE.tsv --pictures SET.pool ... [--strangers SET.pool ...]
                [--also SET.pool ...] [--own FOLDER [--like "lemon,orange"]]

A .pool file is of `pool.py held`. A picture of --pictures is known if its ImageNet class is one of the model's, else a
stranger; those of --strangers only count where they are strangers, and what --also knows is measured and fits
nothing. Noise, which is made here, is a set of strangers too. --own: a folder of the model's own classes, where these are not ImageNet's; --like names, by commas, classes of
ImageNet that are so near to them that pictures of these are neither.

Half of each set fits, the other half measures, and every set weighs the same. The score is the one of the largest
area under the curve (AUROC) over all sets of strangers, each against all that is known.
The card has these lines; the file gets `temperature` and `known` (see src/confidence.rs). On the CPU.
"""
import argparse
import json
import math
import struct
from pathlib import Path
import torch
from distil import Pooled
from evaluate import wilson
from export import columns_of
from network import build, read_weights, start_from
from pictures import at_side, load
from pool import read, tiles_of
from support import names_of_all

BINS = 15
KEPT = 0.95
IMAGENET = Path(__file__).resolve().parent / "labels/imagenet-1k.txt"


def scores_of(logits):
    """By name: what may tell known pictures from strangers, of logits over the temperature"""
    return dict(energy=torch.logsumexp(logits, 1), maxLogit=logits.max(1).values,
                maxProbability=logits.softmax(1).max(1).values)


def noise(n, side, generator):
    """uint8 [n, 3, side, side]: white and soft noise, plain colours, slopes, stripes, checks"""
    made = []
    across = torch.linspace(0, 1, side)
    for i in range(n):
        colours = torch.rand(2, 3, 1, 1, generator=generator)
        kind, size = i % 6, int(torch.randint(2, 17, (), generator=generator))
        if kind == 0:
            share = torch.rand(3, side, side, generator=generator)
        elif kind == 1:
            share = torch.nn.functional.interpolate(torch.rand(1, 3, size, size, generator=generator), (side, side),
                                                    mode="bicubic").clamp(0, 1)[0]
        elif kind == 2:
            share = torch.zeros(1, side, side)
        elif kind == 3:
            share = (across.view(1, 1, -1) + across.view(1, -1, 1) * (size / 8 - 1)).clamp(0, 1)
        elif kind == 4:
            share = ((across * size).floor() % 2).view(1, 1, -1).expand(1, side, side)
        else:
            share = (((across * size).floor().view(1, -1) + (across * size).floor().view(-1, 1)) % 2)[None]
        made.append(colours[0] + (colours[1] - colours[0]) * share)
    return (torch.stack(made) * 255).round().to(torch.uint8)


def pixels_of(path, side):
    """-> uint8 [n, 3, any, any] and ImageNet classes of a .pool file whose pictures have one size"""
    pixels, labels = [], []
    for data, tile, own in read(path)[0]:
        pixels.append(torch.from_numpy(tiles_of(data, tile, len(own))))
        labels += own
    return torch.cat(pixels), torch.tensor(labels)


@torch.no_grad()
def seen(net, pixels, side, batch=50):
    """-> logits, and the cosine of the features and the nearest class's weights"""
    pooled, answers, near = Pooled(net), [], []
    rows = torch.nn.functional.normalize(net.fc.weight, dim=1)
    for part in pixels.split(batch):
        answers.append(net(at_side(part, side)))
        near.append((torch.nn.functional.normalize(pooled.features, dim=1) @ rows.T).max(1).values)
    return torch.cat(answers), torch.cat(near)


def auroc(known, strangers):
    """-> the share of pairs of which the known one scores higher, with its 95% interval (Hanley and McNeil 1982)"""
    ranks = torch.cat([known, strangers]).double().argsort().argsort().double() + 1
    n, m = len(known), len(strangers)
    area = float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
    a, b = area / (2 - area), 2 * area**2 / (1 + area)
    deviation = math.sqrt(max(area * (1 - area) + (n - 1) * (a - area**2) + (m - 1) * (b - area**2), 0) / (n * m))
    return area, max(area - 1.96 * deviation, 0), min(area + 1.96 * deviation, 1)


def fit_temperature(sets):
    """The temperature of the smallest mean loss over the sets, each a pair of logits and labels"""
    def loss(temperature):
        return sum(float(torch.nn.functional.cross_entropy(logits / temperature, labels)) for logits, labels in sets)
    low, high = math.log(0.1), math.log(10)
    for _ in range(60):  # the loss is convex in 1 / temperature, so it has one minimum
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(math.exp(left)) < loss(math.exp(right)) else (left, high)
    return math.exp((low + high) / 2)


def calibration_error(probabilities, labels):
    """Expected calibration error: the mean gap of confidence and accuracy over 15 bins of equal width"""
    confidence, said = probabilities.max(1)
    right, bins = (said == labels).double(), (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = [abs(float((confidence[bins == b].double() - right[bins == b]).sum())) for b in range(BINS)]
    return sum(gaps) / len(labels)


def fit_rule(known, strangers):
    """known, strangers: scores of the sets. -> location, scale and threshold: logistic regression in which the known and
    the strangers weigh the same, and so do the sets of either; Newton's method"""
    x = torch.cat([*known, *strangers]).double()
    y = torch.cat([torch.ones(sum(map(len, known))), torch.zeros(sum(map(len, strangers)))]).double()
    weight = torch.cat([torch.full((len(part),), 1 / len(group) / len(part))
                        for group in (known, strangers) for part in group])
    mean, spread = x.mean(), x.std()
    inputs = torch.stack([(x - mean) / spread, torch.ones_like(x)], 1)
    beta = torch.zeros(2, dtype=torch.double)
    for _ in range(100):
        p = (inputs @ beta).sigmoid()
        gradient = inputs.T @ (weight * (p - y)) + 1e-4 * beta
        hessian = (inputs * (weight * p * (1 - p))[:, None]).T @ inputs + 1e-4 * torch.eye(2, dtype=torch.double)
        beta -= torch.linalg.solve(hessian, gradient)
    if beta[0] <= 0:
        raise SystemExit("strangers score as high as what is known: there is no rule to write")
    location, scale = mean - beta[1] * spread / beta[0], spread / beta[0]
    location, scale = float(f"{float(location):.6g}"), float(f"{float(scale):.6g}")
    likely = [((part.double() - location) / scale).sigmoid() for part in known]
    order = torch.cat(likely).argsort()
    shares = torch.cat([torch.full((len(part),), 1 / len(known) / len(part)) for part in known])[order].cumsum(0)
    threshold = float(torch.cat(likely)[order][int((shares < 1 - KEPT).sum())])
    return location, scale, float(f"{threshold:.4g}")


def halves(n, generator):
    order = torch.randperm(n, generator=generator)
    return order[: (n + 1) // 2], order[(n + 1) // 2:]


def write_config(path, change):
    """Changes the config of a model file; its tensors stay as they are"""
    data = path.read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    config = json.loads(header["__metadata__"]["g-ghostnet"]) | change
    header["__metadata__"]["g-ghostnet"] = json.dumps(config, ensure_ascii=False)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])


def config_of_file(path):
    with path.open("rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        return json.loads(json.loads(file.read(length))["__metadata__"]["g-ghostnet"])


def interval(low, high):
    return f"({100 * low:.1f} to {100 * high:.1f})"


def gather(arguments, net, side):
    """-> what is known, by set: logits, labels, near; and what is strange: logits, near"""
    rows = classes_of(arguments.labels)
    near_ones = set(filter(None, arguments.like.split(",")))
    alike = {i for i, name in enumerate(names_of_all()) if name in near_ones}
    generator, known, strange = torch.Generator().manual_seed(0), {}, {}
    for path in arguments.pictures + arguments.strangers + arguments.also:
        pixels, labels = pixels_of(path, side)
        logits, near = seen(net, pixels, side)
        own = torch.tensor([rows.get(label, -1) for label in labels.tolist()])
        other = (own < 0) & torch.tensor([label not in alike for label in labels.tolist()])
        if path not in arguments.strangers and bool((own >= 0).any()):
            known[path.stem] = logits[own >= 0], own[own >= 0], near[own >= 0]
        if path not in arguments.also and int(other.sum()) >= 50:
            strange[path.stem] = logits[other], near[other]
    strange["noise"] = seen(net, noise(500, side, generator), side)
    if arguments.own:
        pixels, labels, _ = load(arguments.own, side)
        logits, near = seen(net, pixels, side)
        known[arguments.own.parent.name] = logits, labels, near
    return known, strange


def classes_of(table):
    """ImageNet class -> the model's, of a table whose folders or numbers are ImageNet's"""
    head = Path(table).read_text(encoding="utf-8").splitlines()[0].split("\t")
    numbers, = columns_of(table, "wordnet" if "wordnet" in head else "folder")
    order = IMAGENET.read_text(encoding="utf-8").split()
    return {order.index(number): i for i, number in enumerate(numbers) if number in order}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--strangers", type=Path, nargs="*", default=[])
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    parser.add_argument("--own", type=Path)
    parser.add_argument("--like", default="")
    parser.add_argument("--dry", action="store_true", help="measure, and leave the file as it is")
    arguments = parser.parse_args()
    config = config_of_file(arguments.model)
    net = build(config["variant"], len(config["classes"]))
    start_from(net, arguments.model)
    net.to(memory_format=torch.channels_last).eval()
    also = {path.stem for path in arguments.also}
    known, strange = gather(arguments, net, config["input"]["side"])
    generator = torch.Generator().manual_seed(1)
    sizes = {name: len(found[0]) for name, found in known.items()}
    sizes |= {f"? {name}": len(found[0]) for name, found in strange.items()}
    parts = {name: halves(size, generator) for name, size in sizes.items()}
    temperature = fit_temperature([(logits[parts[name][0]], labels[parts[name][0]])
                                   for name, (logits, labels, _) in known.items() if name not in also])
    temperature = float(f"{temperature:.4g}")
    print(f"temperature {temperature}")
    for name, (logits, labels, _) in known.items():
        half = parts[name][1]
        errors = [calibration_error((logits[half] / t).softmax(1), labels[half]) for t in (1, temperature)]
        right = int((logits[half].argmax(1) == labels[half]).sum())
        print(f"{name}: {len(half)} known, top-1 {100 * right / len(half):.1f}%, "
              f"calibration error {errors[0]:.3f} -> {errors[1]:.3f}")

    def split(scores, half):
        """scores by set -> of that half"""
        return {name: values[parts[name][half]] for name, values in scores.items() if half or name not in also}

    areas, kinds = {}, {}
    for score in ("energy", "maxLogit", "maxProbability", "cosine"):
        def of(found, score=score):
            return found[-1] if score == "cosine" else scores_of(found[0] / temperature)[score]
        kinds[score] = ({name: of(found) for name, found in known.items()},
                        {f"? {name}": of(found) for name, found in strange.items()})
        fitted = [split(group, 0) for group in kinds[score]]
        sides = [auroc(torch.cat(list(fitted[0].values())), values)[0] for values in fitted[1].values()]
        areas[score] = sum(sides) / len(sides)
        print(f"{score}: mean AUROC {areas[score]:.3f}; " +
              ", ".join(f"{name[2:]} {side:.3f}" for name, side in zip(fitted[1], sides)))
    best = max((score for score in areas if score != "cosine"), key=areas.get)
    fitted, measured = ([split(group, half) for group in kinds[best]] for half in (0, 1))
    location, scale, threshold = fit_rule(list(fitted[0].values()), list(fitted[1].values()))
    passes = location + scale * math.log(threshold / (1 - threshold))
    print(f"{best}: location {location}, scale {scale}, threshold {threshold}")
    for name, values in measured[0].items():
        kept = int((values >= passes).sum())
        print(f"{name}: kept {100 * kept / len(values):.1f}% {interval(*wilson(kept, len(values)))} of {len(values)}")
    together = torch.cat([values for name, values in measured[0].items() if name not in also])
    for name, values in measured[1].items():
        passed, (area, low, high) = int((values >= passes).sum()), auroc(together, values)
        line = (f"{name[2:]}: AUROC {area:.3f} ({low:.3f} to {high:.3f}), {100 * passed / len(values):.1f}% "
                f"{interval(*wilson(passed, len(values)))} of {len(values)} strangers pass")
        if (same := measured[0].get(name[2:])) is not None:
            area, low, high = auroc(same, values)
            line += f"; against the known of the same set AUROC {area:.3f} ({low:.3f} to {high:.3f})"
        print(line)
    if not arguments.dry:
        write_config(arguments.model, dict(temperature=temperature, known=dict(
            score=best, location=location, scale=scale, threshold=threshold)))


if __name__ == "__main__":
    main()

"""Which of ImageNet's classes a pool shows: those that a picture is labelled with, and those that the teacher sees.

usage: support.py PARTS TEACHER.safetensors OUT.tsv [--least 100] [--sample 20000] [--also "red fox,laptop"]

A class's support is the sum of the teacher's probabilities for it over the pool's sharp pictures, estimated from a
random sample. Writes the table of classes, for `export.py --labels`, of those labelled, of at least that support, or
named by --also.
No picture that a figure is measured with has a say in it.
"""
import argparse
import random
from pathlib import Path
import torch
from lite import read as read_teacher
from network import IMAGENET
from pool import read, tiles_of
from torch.nn import functional as F

CLASSES = 1000
NAMES = Path(__file__).resolve().parent.parent / "models/imagenet-1k.txt"


def sheets_of(folder, chance):
    """-> labels' count of each class, the sharp sheets in random order, the number of sharp pictures"""
    labels, chosen, sharp_pictures = torch.zeros(CLASSES, dtype=torch.long), [], 0
    for path in sorted(folder.glob("*.pool")):
        sheets, sharp, _ = read(path)
        for sheet, is_sharp in zip(sheets, sharp):
            own = torch.tensor(sheet[2])
            labels += torch.bincount(own[own >= 0], minlength=CLASSES)
            if is_sharp:
                sharp_pictures += len(own)
                chosen.append(sheet)
    chance.shuffle(chosen)
    return labels, chosen, sharp_pictures


@torch.no_grad()
def support_of(sheets, teacher, sample, side, batch=64):
    """-> sum of the teacher's probabilities of each class, pictures it was of"""
    mass, seen = torch.zeros(CLASSES), 0
    for data, tile, labels in sheets:
        if seen >= sample:
            break
        for pixels in torch.from_numpy(tiles_of(data, tile, len(labels))).split(batch):
            pixels = F.interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True)
            mass += teacher(pixels / 127.5 - 1)[0].softmax(1).sum(0)
            seen += len(pixels)
    return mass, seen


def names_of_all():
    return NAMES.read_text(encoding="utf-8").splitlines()


def table_of(kept):
    """The table of the classes whose flag is set, in ImageNet's order, which is that of the numbers"""
    numbers = IMAGENET.read_text(encoding="utf-8").split()
    return "folder\tlabel\n" + "".join(f"{number}\t{name}\n" for number, name, keep in
                                       zip(numbers, names_of_all(), kept) if keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=Path)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--least", type=float, default=100)
    parser.add_argument("--also", default="", help="classes to keep whatever their support, by their labels")
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names, also = names_of_all(), [name for name in arguments.also.split(",") if name]
    if unknown := sorted(set(also) - set(names)):
        raise SystemExit(f"{NAMES.name} has no {', '.join(unknown)}: --also takes its names")
    labels, sheets, sharp = sheets_of(arguments.parts, random.Random(arguments.seed))
    if not sharp:
        raise SystemExit(f"{arguments.parts} has no sharp pictures: expected the .pool files of pool.py")
    mass, seen = support_of(sheets, read_teacher(arguments.teacher), arguments.sample, arguments.side)
    kept = (labels > 0) | (mass * sharp / seen >= arguments.least)
    kept[[names.index(name) for name in also]] = True
    arguments.out.write_text(table_of(kept), encoding="utf-8")
    print(f"{int(kept.sum())} classes: {int((labels > 0).sum())} labelled, the others seen in {seen} of {sharp} pictures")


if __name__ == "__main__":
    main()
